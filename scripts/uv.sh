# Sourced by the other scripts: finds Python 3.11 or later as $python and the pinned uv as $uv, below this checkout.

# Settings of the person's own pip and uv may name another index; only how to reach one (proxies, certificates) is kept.
unset UV_FIND_LINKS UV_CONSTRAINT UV_OVERRIDE UV_EXTRA_INDEX_URL UV_PYTHON UV_REQUIRE_HASHES UV_SYSTEM_PYTHON VIRTUAL_ENV
# A Python that is missing is said, never fetched from somewhere.
export UV_PYTHON_DOWNLOADS=never

explain() {
    echo "$1" >&2
    exit 1
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then echo "$1"; else echo "sudo $1"; fi
}

need_uv() {
    uv="$PWD/.uv/bin/uv"
    if [ -x "$uv" ] && cmp -s requirements/uv.lock .uv/installed; then return 0; fi
    python=$(find_python) || explain "Moorings needs Python 3.11 or later: $(as_root "apt-get install -y python3 python3-venv") (macOS: brew install python)"
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        explain "Python's venv module is missing: $(as_root "apt-get install -y python3-venv")"
    rm -rf .uv
    "$python" -m venv .uv
    .uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
    cp requirements/uv.lock .uv/installed
}

# install_environment LOCK FOLDER: an environment of its own for what the lock says; does nothing when it is there already.
install_environment() {
    cmp -s "$1" "$2/installed" && return
    echo "Installing $(basename "$1" .lock) ..." >&2
    "$uv" venv --quiet --clear --python "$(find_python)" "$2"
    VIRTUAL_ENV="$2" "$uv" pip sync --quiet --compile-bytecode --require-hashes "$1"
    cp "$1" "$2/installed"
}
