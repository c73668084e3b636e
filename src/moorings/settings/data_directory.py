"""Where a service keeps its data when no setting names a place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from moorings import distribution

HERE = Path(".moorings")


def default() -> Path:
    """`.moorings` of the working directory if it is there, or if that is the checkout of this copy; else the user's."""
    if HERE.is_dir() or (distribution.kind() == "checkout" and Path.cwd() == distribution.CHECKOUT):
        return HERE
    return _of_user()


def _of_user() -> Path:
    """The directory that the platform has for data: XDG_DATA_HOME, or `Application Support` on macOS."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        return HERE
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "moorings"
    given = os.environ.get("XDG_DATA_HOME", "")
    base = Path(given) if given.startswith("/") else home / ".local" / "share"  # a relative one counts as unset
    return base / "moorings"
