"""Checks which local DuckDB files may be opened or created."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from moorings import errors

ENDINGS = (".duckdb", ".db")
"""Name extensions of database files. DuckDB puts files of its own beside them, such as `.wal`."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

NO_FILE = "The file does not exist. Check its name and folder."


def allowed_path(database: str, directory: str | None) -> Path:
    """The real path of a database file; raises NotAllowedHere unless it is below the directory, links followed."""
    if directory is None:
        raise errors.NotAllowedHere("database", message="The operator allows no local DuckDB files.")
    home = Path(directory).resolve()
    try:
        path = (home / database).resolve()
    except (OSError, RuntimeError):  # a loop of links
        path = home
    if path == home or not path.is_relative_to(home):
        raise errors.NotAllowedHere(
            "database", message="The file is outside the directory that the operator allows (MOORINGS_DUCKDB_DIR)."
        )
    return path


def allowed_file(database: str, directory: str | None) -> Path:
    """The same, for a path whose name may be a database's."""
    if CONTROL.search(database):
        raise errors.NotAllowedHere("database", message="The file's name has a control character. Remove it.")
    path = allowed_path(database, directory)
    if not path.name.endswith(ENDINGS):
        raise errors.NotAllowedHere(
            "database", message=f"The name of a database file ends in {' or '.join(ENDINGS)}. Name another."
        )
    return path


def is_there(path: Path) -> bool:
    """Whether the file exists; raises DatabaseNotFound for paths that cannot be files, and DatabaseForbidden."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise errors.DatabaseForbidden(
            "database", message="The service has no permission to read this folder. Grant its user read permission."
        ) from None
    except OSError:  # the name is too long
        raise errors.DatabaseNotFound("database", message="The file name is too long. Choose a shorter one.") from None
    if not stat.S_ISREG(found.st_mode):
        raise errors.DatabaseNotFound("database", message="A directory or device has this name. Name a file.")
    return True


def check_makeable(path: Path, *, read_only: bool) -> None:
    """Raise DatabaseNotFound or DatabaseForbidden unless a missing file may be created."""
    if read_only:
        raise errors.DatabaseNotFound("database", message=NO_FILE)
    if not path.parent.is_dir():
        raise errors.DatabaseNotFound("database", message="The folder does not exist. Create it, or name another.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise errors.DatabaseForbidden(
            "database",
            message="The service has no permission to write into this folder. Grant its user write permission.",
        )
