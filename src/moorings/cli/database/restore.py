"""`moorings restore`: a backup into an empty data directory or PostgreSQL database."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import typer

from moorings.access import installation
from moorings.cli import directory
from moorings.cli.configured import prepared
from moorings.cli.database import age, archive, copying, passphrase, seals
from moorings.errors import OperatorError
from moorings.migrations import HEAD, migrate
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.settings.database import parsed


def restored(file: Path, *, passphrase_file: Path | None) -> None:
    """Restore, and print the number of decrypted secrets; raises OperatorError, after which nothing is changed."""
    settings = prepared(new=True)
    with directory.alone_in(settings.data_dir):
        _require_room(settings)
        with tempfile.TemporaryDirectory(prefix=".moorings-restore-", dir=settings.data_dir) as made:
            folder = Path(made)
            manifest = archive.extract(file, folder)
            if manifest.schema > HEAD:
                raise OperatorError(
                    f"{file} has schema {manifest.schema}, newer than this version knows ({HEAD}): upgrade Moorings"
                )
            opened = _prove(settings, folder, manifest, passphrase_file)
            _place(settings, folder)
    typer.echo(f"Decrypted all stored secrets: {opened:,}, with keyset {manifest.keyset}.")
    typer.echo(f"Restored the backup of {manifest.created} into {parsed(settings.database)}.")


def _require_room(settings: Settings) -> None:
    """Raise OperatorError if a restore would overwrite files. A PostgreSQL database is checked when it is filled."""
    file, duckdb = settings.database_file, settings.duckdb_directory
    if file is not None and file.exists():
        raise OperatorError(f"{file} exists: restore into an empty data directory, with --data-dir")
    if duckdb.is_dir() and any(duckdb.iterdir()):
        raise OperatorError(f"{duckdb} is not empty: move its files to another place")


def _prove(settings: Settings, folder: Path, manifest: archive.Manifest, passphrase_file: Path | None) -> int:
    """Decrypt every sealed value of the unpacked database, at this version's schema; returns their number."""
    keyset = _keyset(settings, folder, passphrase_file)
    installation.checked(keyset, manifest.keyset)
    database = f"sqlite:///{folder / archive.DATABASE}"
    migrate(database, new=False)
    return seals.open_all(database, keyset)


def _keyset(settings: Settings, folder: Path, passphrase_file: Path | None) -> Keyset:
    """The keyset that is already in place, or the backup's, which is unpacked for `_place`."""
    path, packed = settings.keyset_path, folder / archive.KEYSET
    if path.exists():
        return Keyset.read(path)
    if not packed.exists():
        raise OperatorError(
            f"the backup holds no keyset: put the keyset file at {path.absolute()}, or set MOORINGS_KEYSET to its path"
        )
    try:
        content = age.decrypted(packed.read_bytes(), passphrase.known(passphrase_file))
    except ValueError as refused:
        raise OperatorError(f"cannot decrypt the backup's keyset: {refused}") from None
    unpacked = _unpacked(folder)
    unpacked.touch(mode=0o600)
    unpacked.write_bytes(content)
    return Keyset.read(unpacked)


def _unpacked(folder: Path) -> Path:
    return folder / "keyset.json"


def _place(settings: Settings, folder: Path) -> None:
    """Move all files to their places; the database last, because the service can start as soon as it is there."""
    if settings.database_file is None:
        copying.copy(f"sqlite:///{folder / archive.DATABASE}", settings.database, lambda table, number: None)
    try:
        if (folder / archive.DUCKDB).exists():
            if settings.duckdb_directory.exists():
                settings.duckdb_directory.rmdir()
            shutil.move(folder / archive.DUCKDB, settings.duckdb_directory)
        if _unpacked(folder).exists():
            shutil.move(_unpacked(folder), settings.keyset_path)
        if settings.database_file is not None:
            shutil.move(folder / archive.DATABASE, settings.database_file)
    except OSError as refused:
        raise OperatorError(f"cannot write {refused.filename}: {refused.strerror}") from None
