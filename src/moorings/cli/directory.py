"""The data directory: private, and used by one service at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from moorings.errors import OperatorError

LOCK = "moorings.lock"


def make_private(directory: Path) -> None:
    """Create the directory, or ensure that other users cannot read it; files that are created later are private too."""
    os.umask(0o077)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077 and directory.stat().st_uid == os.getuid():
            directory.chmod(0o700)
    except OSError as refused:
        raise OperatorError(
            f"cannot use the data directory {directory}: {refused.strerror} (MOORINGS_DATA_DIR)"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OperatorError(
            f"cannot write to the data directory {directory}: check its owner, or set MOORINGS_DATA_DIR"
        )


def held_by(directory: Path) -> str | None:
    """The process id of the service that uses a directory; None without one. Takes no lock."""
    try:
        with (directory / LOCK).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "unknown"
    except OSError:
        pass
    return None


@contextlib.contextmanager
def alone_in(directory: Path) -> Generator[None]:
    """Hold the directory's lock; raises OperatorError when another service holds it."""
    with (directory / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise OperatorError(
                f"another Moorings (process {file.read().strip() or 'unknown'}) runs on {directory.absolute()}: "
                "stop it, or set MOORINGS_DATA_DIR"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
