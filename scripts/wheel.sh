#!/bin/sh
# wheel.sh [FOLDER]: builds the wheels moorings and moorings-client, and the SBOM of each, into a folder (dist).
# The same commit gives the same bytes: times in the wheels are that of the commit, and the build fetches nothing.
set -eu
cd "$(dirname "$0")/.."

into=${1:-dist}
. scripts/uv.sh
need_uv
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)}
export SOURCE_DATE_EPOCH
# Installed by scripts/install.sh: the locked build backend, and the API console.
[ -x .venv/bin/hatchling ] || explain "The build backend is missing: make install"
[ -e src/moorings/api/browser/viewer/installed ] || sh scripts/api_pages.sh
mkdir -p "$into"
into=$(cd "$into" && pwd)
umask 022
for project in . packages/client; do
    (cd "$project" && VIRTUAL_ENV="$OLDPWD/.venv" "$uv" build --quiet --wheel --no-build-isolation --offline --python "$OLDPWD/.venv/bin/python" --out-dir "$into" .)
done
.venv/bin/python scripts/sbom.py requirements/base.lock moorings >"$into/moorings.cdx.json"
.venv/bin/python scripts/sbom.py requirements/all.lock moorings all >"$into/moorings-all.cdx.json"
.venv/bin/python scripts/sbom.py requirements/client.lock moorings-client >"$into/moorings-client.cdx.json"
