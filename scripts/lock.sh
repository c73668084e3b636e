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
compile pyproject.toml --extra all --output-file requirements/serve.lock
compile pyproject.toml --extra all --group dev --constraints requirements/serve.lock --output-file requirements/dev.lock
echo "uv" | compile --output-file requirements/uv.lock -
# Servers of the tests whose own dependencies must not meet ours, each for an environment of its own.
lock_engine() {
    name=$1
    shift
    printf '%s\n' "$@" | compile --output-file "requirements/engines/$name.lock" -
}
lock_engine bqemulator bqemulator "duckdb==1.5.5" "duckdb-extension-spatial==1.5.5"
lock_engine chdb chdb
lock_engine fakesnow "fakesnow[server]"
lock_engine ministack "ministack[full]"
