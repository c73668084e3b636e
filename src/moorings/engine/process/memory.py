"""The memory of a session's process: a call that makes it grow beyond the limit ends with the process.

A driver that can hold the interpreter's lock would also keep a thread beside it from counting bytes. So the service
reads the process's resident memory from `/proc`. On other systems than Linux, nothing is measured.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator

from moorings import errors
from moorings.engine.metering import WATCH

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
ROOM = 3
"""How often the limit fits into the memory that a process may take: drivers copy messages, and convert their values."""
DRIVER_BYTES = 128 * 1024 * 1024
"""The memory that a driver itself may take: it is loaded during the login."""


class ProcessMemory:
    """Limits how far the memory of one process grows in its calls, over what it needs after its login."""

    def __init__(self, pid: int, max_bytes: int, kill: Callable[[], None]) -> None:
        self._path = f"/proc/{pid}/statm"
        self._max = max_bytes
        self._kill = kill
        self._exceeded = False
        self._most = self._resident() + DRIVER_BYTES + ROOM * max_bytes

    def logged_in(self) -> None:
        """Count from here: the driver is loaded."""
        self._most = self._resident() + ROOM * self._max

    @contextlib.contextmanager
    def limited(self) -> Generator[None]:
        """A block that calls the process; raises ResultTooLarge in place of SessionLost if it was killed."""
        WATCH.begin(self, threading.current_thread())
        try:
            yield
        except errors.SessionLost:
            if not self._exceeded:
                raise
            raise errors.ResultTooLarge.of("What the warehouse sent at once", self._max) from None
        finally:
            WATCH.end(self)

    def find(self, thread: threading.Thread) -> None:
        """Measure the memory. Called by the watching thread, several times before each `look`."""
        del thread
        self.look()

    def look(self) -> None:
        """Kill the process if it takes too much. Called by the watching thread."""
        if self._resident() > self._most:
            self._exceeded = True
            self._kill()

    def _resident(self) -> int:
        try:
            with open(self._path, "rb", buffering=0) as memory:
                return int(memory.read(64).split()[1]) * PAGE_BYTES
        except (OSError, IndexError):  # the process ended
            return 0
