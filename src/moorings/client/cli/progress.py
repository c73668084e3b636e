"""What a query shows on stderr while it runs: rows and their rate."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from moorings.client.cli.text import amount


class Progress:
    """Rows where the format shows them, bytes in all formats."""

    def __init__(self, form: str) -> None:
        counter = COUNTERS.get(form)
        self.rows: int | None = 0 if counter else None
        self.bytes = 0
        self._count = counter() if counter else None
        self._start = time.perf_counter()
        self._end: float | None = None

    @property
    def seconds(self) -> float:
        """The time since it began, or until it ended."""
        return (self._end or time.perf_counter()) - self._start

    def take(self, chunk: bytes) -> None:
        """Count what arrived."""
        self.bytes += len(chunk)
        if self._count is not None:
            self.rows = self._count(chunk)

    def finish(self, rows: int) -> None:
        """The result is whole."""
        self.rows, self._end = rows, time.perf_counter()

    @property
    def summary(self) -> str:
        """What arrived, and how fast."""
        seconds = max(self.seconds, 0.001)
        size = f"{self.bytes / 1e6:,.1f} MB"
        if self.rows is None:
            return f"{size} in {seconds:.1f} s, {self.bytes / 1e6 / seconds:,.1f} MB/s"
        return f"{amount(self.rows, 'row')}, {size} in {seconds:.1f} s, {self.rows / seconds:,.0f} rows/s"

    @contextlib.contextmanager
    def shown(self) -> Generator[None]:
        """Show it on stderr while it grows, and remove it at the end."""
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        spinner = Spinner("dots", text="")

        def draw() -> Any:
            spinner.update(
                text=f"{self.summary}  Ctrl-C cancels" if self.bytes else f"{self.seconds:.0f} s  Ctrl-C cancels"
            )
            return spinner

        console = Console(stderr=True, highlight=False)
        with Live(console=console, transient=True, get_renderable=draw, refresh_per_second=8, redirect_stdout=False):
            yield


def _lines() -> Callable[[bytes], int]:
    """Counts the rows of NDJSON."""
    count = 0

    def more(chunk: bytes) -> int:
        nonlocal count
        count += chunk.count(b"\n")
        return count

    return more


def _records() -> Callable[[bytes], int]:
    """Counts the rows of CSV: ends of lines outside quotes, but for the heading."""
    count, quoted = -1, False

    def more(chunk: bytes) -> int:
        nonlocal count, quoted
        parts = chunk.split(b'"')
        count += sum(part.count(b"\n") for part in parts[quoted::2])
        quoted ^= len(parts) % 2 == 0
        return max(count, 0)

    return more


COUNTERS: Mapping[str, Callable[[], Callable[[bytes], int]]] = {"ndjson": _lines, "csv": _records}
"""The formats whose rows can be counted without decoding them."""
