#!/bin/sh
# The database servers that tests start and that no Python package brings, where apt and the right to use it are there.
# Where they are not, those tests say how to get them and are skipped, or fail under MOORINGS_TEST_REQUIRE=all.
set -eu

present() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]
}

if ! present mariadbd && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing MariaDB's server program for the tests ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null >/dev/null
    apt-get install -y -qq --no-install-recommends mariadb-server-core </dev/null >/dev/null
fi
