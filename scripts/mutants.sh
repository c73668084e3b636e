#!/bin/sh
# Changes the code in small ways, one at a time, and shows which changes no test notices. See CONTRIBUTING.md.
set -eu
cd "$(dirname "$0")/.."

. scripts/uv.sh
need_uv
install_environment requirements/mutants.lock "$PWD/.mutants/environment"
exec .mutants/environment/bin/python scripts/mutants.py "$@"
