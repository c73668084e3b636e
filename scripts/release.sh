#!/bin/sh
# release.sh [FOLDER]: builds the wheels and SBOMs, writes SHA256SUMS, and signs it with ssh-keygen and the key $SIGNING_KEY.
# To verify, see docs/start/install.md.
set -eu
cd "$(dirname "$0")/.."

into=${1:-dist}
key=${SIGNING_KEY:?set SIGNING_KEY to the path of an SSH key, such as ~/.ssh/id_ed25519}
rm -rf "$into"
sh scripts/wheel.sh "$into"
cd "$into"
rm -f .gitignore
sum() { if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
sum -- * >../SHA256SUMS.draft
mv ../SHA256SUMS.draft SHA256SUMS
ssh-keygen -Y sign -q -n moorings-release -f "$key" SHA256SUMS
ls -l
