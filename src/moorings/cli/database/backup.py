"""`moorings backup`: the metadata database, the DuckDB files, and on request the keyset, in one file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

import typer

from moorings import __version__, clock
from moorings.access import installation
from moorings.cli.configured import prepared
from moorings.cli.database import age, archive, copying, passphrase
from moorings.errors import OperatorError
from moorings.secrets import Keyset
from moorings.settings import Settings

ATTEMPTS = 5
"""How many times a DuckDB file is copied if queries write to it meanwhile."""
WAL = ".wal"
"""The suffix that DuckDB adds to the name of a file for its write-ahead log."""


def back_up(file: Path, *, keyset: bool, passphrase_file: Path | None) -> None:
    """Write a backup; raises OperatorError."""
    settings = prepared()
    chosen = passphrase.new(passphrase_file) if keyset else None
    try:
        _write(settings, file, chosen)
    except OSError as refused:
        raise OperatorError(f"cannot write the backup: {refused.filename or file}: {refused.strerror}") from None
    typer.echo(f"{file}: {file.stat().st_size:,} bytes, mode 0600")
    if not keyset:
        typer.echo(f"The keyset is not in it. Keep a copy in another place: {settings.keyset_path.absolute()}")


def _write(settings: Settings, file: Path, chosen: str | None) -> None:
    """Write it under another name first, so that the final file is always complete."""
    if file.exists():
        raise OperatorError(f"{file} exists: name another file")
    with tempfile.TemporaryDirectory(prefix=".moorings-backup-", dir=file.absolute().parent) as made:
        folder, draft = Path(made, "files"), Path(made, "draft")
        folder.mkdir()
        schema, keyset_id = _snapshot(settings, folder / archive.DATABASE)
        keyset = settings.keyset_path
        installation.checked(Keyset.read(keyset), keyset_id)
        if chosen is not None:
            (folder / archive.KEYSET).write_bytes(age.encrypted(keyset.read_bytes(), chosen))
        _copy_duckdb(settings.duckdb_directory, folder / archive.DUCKDB)
        created = clock.iso(clock.now())
        archive.write(folder, draft, archive.Manifest(archive.FORMAT, __version__, schema, keyset_id, created, {}))
        os.chmod(draft, 0o600)
        try:
            os.link(draft, file)
        except FileExistsError:
            raise OperatorError(f"{file} exists: name another file") from None


def _snapshot(settings: Settings, target: Path) -> tuple[str, int]:
    """Copy a snapshot of the database into one SQLite file; returns its schema and its keyset's id."""
    source = settings.database_file
    if source is None:
        copying.copy(settings.database, f"sqlite:///{target}", lambda table, number: None)
    else:
        _copy_sqlite(source, target)
    connection = sqlite3.connect(target)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        if sound != "ok":
            raise OperatorError(f"the database is damaged: {sound}")
        (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        bound = connection.execute("SELECT value FROM installation WHERE key = 'keyset'").fetchone()
    except (sqlite3.Error, TypeError) as refused:
        raise OperatorError(f"the database holds no tables of Moorings: {refused}") from None
    finally:
        connection.close()
    if bound is None:
        raise OperatorError("the database is bound to no keyset: start the service once")
    Path(f"{target}.lock").unlink(missing_ok=True)
    return str(schema), int(bound[0])


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        reading = sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)
        writing = sqlite3.connect(target)
        try:
            reading.backup(writing)
        finally:
            writing.close()
            reading.close()
    except sqlite3.Error as refused:
        raise OperatorError(f"cannot copy the database {source}: {refused}") from None


def _copy_duckdb(source: Path, target: Path) -> None:
    """Copy each file together with its write-ahead log."""
    for name, path in archive.files_in(source) if source.is_dir() else ():
        if not (name.endswith(WAL) and Path(str(path).removesuffix(WAL)).exists()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_unchanged(path, target / name)


def _copy_unchanged(path: Path, target: Path) -> None:
    """Copy a file, again if it was written to meanwhile; raises OperatorError if every attempt fails."""
    for _ in range(ATTEMPTS):
        before = _states(path)
        for suffix in ("", WAL):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
            if Path(f"{path}{suffix}").exists():
                shutil.copyfile(f"{path}{suffix}", f"{target}{suffix}")
        if _states(path) == before:
            return
    raise OperatorError(f"queries write to {path} all the time: try again when none does")


def _states(path: Path) -> list[tuple[int, int, int] | None]:
    return [_state(Path(f"{path}{suffix}")) for suffix in ("", WAL)]


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
