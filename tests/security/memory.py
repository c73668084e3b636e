"""How much memory a process has needed at most, from /proc."""

from __future__ import annotations

from pathlib import Path

MEGABYTE = 1_000_000


class Memory:
    """The memory of a running process, in bytes."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self.before = 0

    def forget(self) -> None:
        """Begin to measure anew, from what the process needs now."""
        (self._folder / "clear_refs").write_text("5")  # resets VmHWM; see proc(5)
        self.before = self._read("VmRSS")

    def grown(self) -> int:
        """How far the peak has been over what was needed when `forget` was called."""
        return self._read("VmHWM") - self.before

    def _read(self, name: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        (found,) = [line for line in lines if line.startswith(f"{name}:")]
        return int(found.split()[1]) * 1024
