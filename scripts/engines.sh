#!/bin/sh
# The database servers that tests start and that the tests' own environment does not bring.
# Those of the system come by apt, where it and the right to use it are there. The heavy ones, in environments of their own
# below .engines, come with MOORINGS_TEST_REQUIRE=all. Tests of what is missing say how to get it and are skipped, or fail
# under MOORINGS_TEST_REQUIRE=all.
set -eu
cd "$(dirname "$0")/.."

present() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]
}

chromium_is_packaged() { # not for Ubuntu, which has it as a snap only
    ! grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null
}

install_system_packages() {
    wanted=
    present mariadbd || wanted="$wanted mariadb-server-core"
    present pgbouncer || wanted="$wanted pgbouncer"
    ldconfig -p 2>/dev/null | grep -q libltdl.so.7 || wanted="$wanted libltdl7" # mssql-python's ODBC loads it
    ldconfig -p 2>/dev/null | grep -q libcurl.so.4 || wanted="$wanted libcurl4" # and this, to log in with Entra ID
    { present chromium || present google-chrome || ! chromium_is_packaged; } || wanted="$wanted chromium"
    if [ -n "$wanted" ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        echo "Installing for the tests:$wanted ..." >&2
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq </dev/null >/dev/null
        # shellcheck disable=SC2086 # a list of names
        apt-get install -y -qq --no-install-recommends $wanted </dev/null >/dev/null
    fi
}

# A real Trino, where Maven and a JDK that runs it are there: tests/warehouses/trino/real.py finds them.
install_trino() {
    trino=$PWD/.engines/trino
    if [ -d "$trino/lib" ] || ! command -v mvn >/dev/null 2>&1 || ! has_java; then return; fi
    echo "Installing Trino for the tests ..." >&2
    parts=$PWD/.engines/trino-parts
    for artifact in trino-server-core:$TRINO:tar.gz trino-tpch:$TRINO:zip trino-memory:$TRINO:zip; do
        mvn -q -B dependency:copy "-Dartifact=io.trino:$artifact" "-DoutputDirectory=$parts" -Dmdep.useBaseVersion=true </dev/null
    done
    tar -xzf "$parts/trino-server-core-$TRINO.tar.gz" -C "$parts"
    for plugin in tpch memory; do
        python3 -m zipfile -e "$parts/trino-$plugin-$TRINO.zip" "$parts/trino-server-core-$TRINO/plugin"
    done
    mv "$parts/trino-server-core-$TRINO" "$trino"
    rm -rf "$parts"
}

TRINO=476
has_java() {
    for place in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/* /Library/Java/JavaVirtualMachines/*/Contents/Home; do
        version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$place/release" 2>/dev/null || true)
        if [ "${version:-0}" -ge 24 ]; then return 0; fi
    done
    return 1
}

install_system_packages
if [ "${MOORINGS_TEST_REQUIRE:-}" = all ]; then
    . scripts/uv.sh
    need_uv
    # The JDBC driver that tests of Flight SQL use; where Maven is missing, they say so.
    if present mvn; then mvn -q -B dependency:get -Dartifact=org.apache.arrow:flight-sql-jdbc-driver:18.3.0; fi
    install_trino
    for lock in requirements/engines/*.lock; do install_environment "$lock" "$PWD/.engines/$(basename "$lock" .lock)"; done
fi
