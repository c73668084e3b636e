"""The files that contain secrets, and their permissions."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from moorings.errors import OperatorError
from moorings.settings import Settings

OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""The permission bits of the group and of all other users."""
BESIDE_DATABASE = ("", "-wal", "-shm", "-journal")
"""The name suffixes of the files of one SQLite database."""


def readable_by_others(settings: Settings) -> list[Path]:
    """The keyset and the files of the database that users other than their owner may read or write.

    A symbolic link stands for the file that it points to. Changes nothing.
    """
    return [path for path in holding_secrets(settings) if _mode(path) & OF_OTHERS]


def _mode(path: Path) -> int:
    """The mode of a file; 0 where there is none, as SQLite removes its files beside the database at any time."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def holding_secrets(settings: Settings) -> Iterator[Path]:
    """The files that contain secrets: the keyset, and the embedded database with its journal files."""
    yield settings.keyset_path
    if settings.database_file is not None:
        for suffix in BESIDE_DATABASE:
            yield Path(f"{settings.database_file}{suffix}")


def require_private(settings: Settings) -> None:
    """Raise OperatorError if others can read the keyset or the database, unless the settings allow it."""
    if settings.allow_readable_files:
        return
    try:
        exposed = readable_by_others(settings)
    except OSError as refused:
        raise OperatorError(f"cannot read {refused.filename}: {refused.strerror}") from None
    if exposed:
        paths = " ".join(str(path) for path in exposed)
        raise OperatorError(
            f"other users of this machine can read {paths}: chmod 600 {paths}, "
            "or set MOORINGS_ALLOW_READABLE_FILES=true"
        )
