#!/bin/sh
# Makes the secrets of compose.yml in secrets/, once: a first organization key, and the password of PostgreSQL.
set -eu
cd "$(dirname "$0")"

if [ -e secrets ]; then
    echo "secrets/ exists already: nothing was changed" >&2
    exit 1
fi
random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
# The folder is for its owner alone. The files are mounted into containers of another user, who must read them.
mkdir -m 0700 secrets
password=$(random)
printf '%s\n' "$(random)" >secrets/first-key
printf '%s' "$password" >secrets/postgres-password
printf 'MOORINGS_DATABASE_URL=postgresql://moorings:%s@postgres/moorings\n' "$password" >secrets/moorings.env
chmod 0444 secrets/first-key secrets/postgres-password
chmod 0400 secrets/moorings.env
