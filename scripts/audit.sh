#!/bin/sh
# Looks up known vulnerabilities of every locked version. Needs a package registry that answers. Arguments go to pip-audit.
set -eu
cd "$(dirname "$0")/.."

. scripts/uv.sh
need_uv
install_environment requirements/audit.lock "$PWD/.audit"
wrong=
for lock in requirements/*.lock requirements/*/*.lock; do
    echo "$lock" >&2
    # The locks are complete, so nothing is resolved or downloaded. A version that the registry does not know is a failure too.
    .audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off "$@" --requirement "$lock" </dev/null ||
        wrong="$wrong $lock"
done
[ -z "$wrong" ] || explain "These locks have known vulnerabilities, or the registry did not answer:$wrong"
