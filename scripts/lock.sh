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
