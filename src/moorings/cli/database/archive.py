"""The file of a backup: a compressed tar archive whose last entry lists the others with their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from moorings.errors import OperatorError

FORMAT = 1
DATABASE = "moorings.db"
KEYSET = "keyset.json.age"
DUCKDB = "duckdb"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a backup."""

    format: int
    version: str
    schema: str
    keyset: int
    """The primary key id of the keyset that the database is sealed with."""
    created: str
    files: dict[str, str]
    """SHA-256 by name."""


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The regular files below a folder, with their names in the archive; links are left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def write(folder: Path, target: Path, manifest: Manifest) -> None:
    """Pack the files of a folder into a file that exists already. Raises OSError."""
    found = dict(files_in(folder))
    listed = asdict(manifest) | {"files": {name: _hash(path) for name, path in found.items()}}
    (folder / MANIFEST).write_text(json.dumps(listed, indent=1))
    with tarfile.open(target, "w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as archive:
        for name, path in (*found.items(), (MANIFEST, folder / MANIFEST)):
            entry = archive.gettarinfo(path, name)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o600
            with path.open("rb") as content:
                archive.addfile(entry, content)


def extract(file: Path, folder: Path) -> Manifest:
    """Unpack a backup into an empty folder; raises OperatorError unless it is one, whole and unchanged."""
    try:
        with tarfile.open(file, "r:*") as archive:
            for entry in archive:
                _write_entry(archive, entry, folder)
    except OSError as refused:
        if isinstance(refused, FileNotFoundError | PermissionError | IsADirectoryError):
            raise OperatorError(f"cannot read {file}: {refused.strerror}") from None
        raise _no_backup(file, "it is damaged") from None
    except (tarfile.TarError, EOFError, ValueError) as refused:
        raise _no_backup(file, str(refused) or "it is damaged") from None
    return _checked(file, folder)


def _write_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Write one file below the folder; raises ValueError for a name that no backup has."""
    parts = PurePosixPath(entry.name).parts
    own = entry.name in {DATABASE, KEYSET, MANIFEST} or (len(parts) > 1 and parts[0] == DUCKDB)
    content = archive.extractfile(entry) if entry.isreg() else None
    if not own or ".." in parts or content is None:
        raise ValueError(f"it holds {entry.name!r}")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        shutil.copyfileobj(content, written)


def _checked(file: Path, folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise _no_backup(file, "its end is missing")
    try:
        read: dict[str, Any] = json.loads(path.read_text())
        if read["format"] != FORMAT:
            raise OperatorError(
                f"{file} has format {read['format']}: restore it with the version that made it, or later"
            )
        manifest = Manifest(**read)
    except (ValueError, TypeError, KeyError):
        raise _no_backup(file, "its manifest is damaged") from None
    path.unlink()
    if {name: _hash(found) for name, found in files_in(folder)} != manifest.files:
        raise _no_backup(file, "its files are not those that were backed up")
    return manifest


def _hash(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _no_backup(file: Path, why: str) -> OperatorError:
    return OperatorError(f"{file} is not a whole backup: {why}")
