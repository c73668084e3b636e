#!/bin/sh
# install.sh serve|dev: brings .venv to what requirements/<name>.lock says; does nothing when it is there already.
# EXTRAS=all with serve: every driver, also those that `make serve` leaves out. Later runs keep them.
set -eu
cd "$(dirname "$0")/.."

wanted=$1
case "${EXTRAS:-default}" in
default) ;;
all) if [ "$wanted" = serve ]; then wanted=all; fi ;;
*) echo "EXTRAS=$EXTRAS is unknown: use default or all" >&2 && exit 1 ;;
esac
# What was installed on purpose stays.
if [ "$wanted" = serve ] && [ -e .venv/installed-all ]; then wanted=all; fi
# dev.lock holds everything of the other locks: a checkout that runs the tests keeps what they need when it serves.
if [ "$wanted" != dev ] && [ -e .venv/installed-dev ]; then wanted=dev; fi
stamp=.venv/installed-$wanted
state=$(cat "requirements/$wanted.lock" requirements/build.lock requirements/api-pages/package-lock.json pyproject.toml scripts/install.sh | cksum)
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$state $PWD" ]; then exit 0; fi

. scripts/uv.sh
need_uv
echo "Installing what Moorings needs into .venv (once) ..." >&2
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$(find_python)" .venv
export VIRTUAL_ENV="$PWD/.venv"
rm -f .venv/installed-*
# Bytecode now: starts without it take a second longer, and some environments forbid Python to write it by itself.
"$uv" pip sync --quiet --compile-bytecode --require-hashes "requirements/$wanted.lock" requirements/build.lock
# Without isolation: the build runs code, so it takes the backend that is locked with hashes, and fetches nothing.
"$uv" pip install --quiet --no-deps --no-build-isolation --offline --editable .
.venv/bin/python -m compileall -q src
sh scripts/api_pages.sh || echo "The API console could not be installed: /docs shows a plain page. Try again: sh scripts/api_pages.sh" >&2
echo "$state $PWD" >"$stamp"
