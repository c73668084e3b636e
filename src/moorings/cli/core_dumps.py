"""Core dumps: off, since they hold the memory of the process, and so its secrets."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

FILTER = Path("/proc/self/coredump_filter")
"""Which parts of the memory Linux writes; it is inherited, and counts also where a program is handed the dump."""


def disable() -> None:
    """Write none, in this process and those that it starts. Profilers and debuggers of the same user still attach."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # not Linux, or /proc is read-only
        FILTER.write_text("0")
