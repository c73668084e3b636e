"""Files that a login may read for a caller: only files below the directories that the operator lists."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath

LONGEST = 65_536
"""The most bytes of a file; a token has a few thousand."""
NEVER = ("/proc", "/sys", "/dev")
"""Directories with views of processes and devices, such as this process's environment and memory."""
OUTSIDE = "The file of credential_source is not below MOORINGS_CREDENTIAL_DIRS. Ask the operator to add its directory."
UNREADABLE = (
    "The credential_source's file cannot be read. It must be a regular file of at most 64 KiB, in directories without"
    " symbolic links, and the service's own user must be able to read it."
)


class Refused(Exception):
    """The login may not read the file; the exception's text is a sentence for the caller."""


def check(path: str, directories: Sequence[str], never: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The allowed directory of a file, by its real path, and the file's path below it; opens nothing.

    `directories` may be links, since the operator names them; no part of the path below them may. `never` are files
    and directories of the service itself. Raises Refused.
    """
    parts = PurePosixPath(path).parts
    if not path.startswith("/") or "\0" in path or ".." in parts or str(PurePosixPath(path)) != path:
        raise Refused("Name the credential_source's file by its absolute path, without .. and doubled slashes.")
    for directory in directories:
        above = PurePosixPath(os.path.normpath(directory)).parts
        if not directory.startswith("/") or parts[: len(above)] != above or len(parts) == len(above):
            continue
        real, below = os.path.realpath(directory), parts[len(above) :]
        if not any(_is_within(os.path.join(real, *below), place) for place in (*NEVER, *map(os.path.realpath, never))):
            return real, below
    raise Refused(OUTSIDE)


def read(path: str, directories: Sequence[str], never: Sequence[str]) -> bytes:
    """The bytes of a file that `check` allows. Raises Refused."""
    real, below = check(path, directories, never)
    with ExitStack() as opened:
        try:
            place = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            opened.callback(os.close, place)
            for name in below[:-1]:
                place = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                opened.callback(os.close, place)
            # Without O_NONBLOCK, opening a pipe would wait for a writer.
            file = os.open(below[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
            opened.callback(os.close, file)
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise Refused(UNREADABLE)
            data = os.read(file, LONGEST + 1)
        except OSError:
            raise Refused(UNREADABLE) from None
    if len(data) > LONGEST:
        raise Refused(UNREADABLE)
    return data


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")
