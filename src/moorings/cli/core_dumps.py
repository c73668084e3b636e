"""Core dumps: disabled, since they contain the memory of the process and so its secrets."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

FILTER = Path("/proc/self/coredump_filter")
"""The parts of the memory that Linux dumps.

Child processes inherit it, and it also applies to dumps that are piped to a program.
"""


def disable() -> None:
    """Disable core dumps in this process and its children.

    Profilers and debuggers of the same user can still attach.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # not Linux, or /proc is read-only
        FILTER.write_text("0")
