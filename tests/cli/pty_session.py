"""A command at a terminal: what it shows, and keys that are typed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal the one that Ctrl-C comes from, then becomes the command."""
PATIENCE = 30
"""Seconds without the expected text, after which a test fails."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]|\r")


class PtySession:
    """One command at a terminal of 100 columns."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._main, other = pty.openpty()
        os.set_inheritable(other, True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *command],
            env={**environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
            cwd=folder,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self.raw = ""

    @property
    def screen(self) -> str:
        """Everything that was shown, without what moves the cursor."""
        return _ESCAPES.sub("", self.raw)

    def until(self, text: str) -> str:
        """Wait for a text, which may be on the screen already but was not expected before."""
        deadline = time.monotonic() + PATIENCE
        seen = self.screen
        while text not in seen[getattr(self, "_at", 0) :]:
            assert time.monotonic() < deadline, f"no {text!r} in\n{seen}"
            if not self._read():
                raise AssertionError(f"it ended without {text!r}:\n{self.screen}")
            seen = self.screen
        self._at = seen.index(text, getattr(self, "_at", 0)) + len(text)
        return seen

    def _read(self) -> bool:
        ready, _, _ = select.select([self._main], [], [], 1)
        if not ready:
            return True
        try:
            data = os.read(self._main, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        if "\x1b[6n" in data.decode("utf-8", "replace"):  # where is the cursor?
            os.write(self._main, b"\x1b[1;1R")
        return bool(data)

    def type(self, keys: str) -> None:
        """Type keys; Enter is a carriage return."""
        os.write(self._main, keys.encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read() and self.process.poll() is None:
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._main)
