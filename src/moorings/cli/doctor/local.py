"""Checks of this machine: data directory, database, keyset and port."""

from __future__ import annotations

import os

from moorings.access import installation
from moorings.cli import files, ports
from moorings.cli.directory import LOCK
from moorings.cli.doctor.findings import Check, Noted
from moorings.cli.doctor.stored import stored
from moorings.errors import OperatorError
from moorings.migrations import HEAD, UNFINISHED
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.settings.database import parsed


def data_directory(settings: Settings) -> str:
    """Whether the data directory can be used."""
    directory = settings.data_dir.absolute()
    if not directory.exists():
        return f"{directory} will be made at the first start"
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OperatorError(f"cannot write to {directory}: check its owner, or set MOORINGS_DATA_DIR")
    if directory.stat().st_mode & 0o077:
        raise OperatorError(f"others can read {directory}: chmod 700 {directory}")
    return f"{directory} is private and writable"


def database(settings: Settings) -> str:
    """Whether the metadata database answers and has this version's schema."""
    found = stored(settings)
    where = parsed(settings.database)
    if found is None:
        return f"{where} will be made at the first start"
    if found.schema.startswith(UNFINISHED):
        raise OperatorError(f"{where} holds a part of a copy: run moorings db copy again to finish it")
    if found.schema > HEAD:
        raise OperatorError(f"the schema is {found.schema}, newer than this version knows ({HEAD}): upgrade Moorings")
    upgrade = "" if found.schema == HEAD else f"; the next start upgrades it to {HEAD}"
    return f"{where} answers, schema {found.schema}{upgrade}"


def keyset(settings: Settings) -> str:
    """Whether the keyset is readable, and is the one that encrypts this database."""
    found, path = stored(settings), settings.keyset_path
    if found is None or found.keyset is None:
        return f"{Keyset.read(path)} is readable" if path.exists() else "will be made at the first start"
    installation.checked(Keyset.read(path), int(found.keyset))
    return f"{found.keyset} is the one this database is sealed with"


def private_files(settings: Settings) -> str:
    """Whether only their owner can read the keyset and the embedded database."""
    files.require_private(settings)
    if exposed := files.readable_by_others(settings):
        return f"others can read {' '.join(map(str, exposed))}, as MOORINGS_ALLOW_READABLE_FILES allows"
    return "only their owner can read keyset and database"


def port(settings: Settings) -> str:
    """Whether the port is free, or used by this very service."""
    try:
        ports.check_free(settings.host, settings.port)
    except OperatorError:
        if (settings.data_dir / LOCK).exists() and _answers(settings):
            return f"{settings.port} is served by Moorings"
        raise
    return f"{settings.port} is free"


def workers(settings: Settings) -> str:
    """Whether this machine has room for the worker processes."""
    processors = os.cpu_count() or 1
    if settings.workers > processors:
        raise Noted(f"{settings.workers} worker processes on {processors} processors: more do not serve faster")
    if settings.workers > 1:
        sessions = settings.workers * settings.max_sessions
        return f"{settings.workers} worker processes, with {sessions} sessions with warehouses at most"
    return "one process"


CHECKS: dict[str, Check] = {
    "data directory": data_directory,
    "database": database,
    "keyset": keyset,
    "files": private_files,
    "port": port,
    "workers": workers,
}


def _answers(settings: Settings) -> bool:
    from urllib.error import URLError
    from urllib.request import ProxyHandler, build_opener

    try:
        directly = build_opener(ProxyHandler({}))
        with directly.open(f"{ports.address(settings.host, settings.port)}/health", timeout=2) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False
