"""The table: a line a server, each value beside Moorings'."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.load import Load
from benchmarks.report import number

HEAD = (
    "Server",
    "Requests/s",
    "Moorings' beside it",
    "p99 (ms)",
    "beside Moorings'",
    "Idle memory (MB)",
    "beside Moorings'",
    "First answer after (s)",
    "beside Moorings'",
    "Answer (bytes)",
)


@dataclass(slots=True)
class Found:
    """What was found of one server, round by round."""

    name: str
    starts: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    size: int = 0

    @property
    def rates(self) -> list[float]:
        return [one.rate for one in self.loads]

    @property
    def slowest(self) -> list[float]:
        return [one.p99 for one in self.loads]


def table(found: Sequence[Found]) -> str:
    """The table as Markdown; the first is Moorings."""
    lines = [HEAD, ("---",) * len(HEAD), *(_row(one, found[0]) for one in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(one: Found, ours: Found) -> tuple[str, ...]:
    milliseconds = [value * 1000 for value in one.slowest]
    megabytes = [value / 1e6 for value in one.memory]
    return (
        one.name,
        _median(one.rates),
        _ratio(ours.rates, one.rates),
        _median(milliseconds),
        _ratio(one.slowest, ours.slowest),
        _median(megabytes),
        _ratio(one.memory, ours.memory),
        _median(one.starts),
        _ratio(one.starts, ours.starts),
        f"{one.size:,}",
    )


def _median(values: Sequence[float]) -> str:
    return number(statistics.median(values))


def _ratio(values: Sequence[float], others: Sequence[float]) -> str:
    """Round by round, since what was measured side by side is compared with each other."""
    ratios = [value / other for value, other in zip(values, others, strict=True)]
    middle = f"{number(statistics.median(ratios))} ×"
    return f"{middle} ({number(min(ratios))} … {number(max(ratios))})" if max(ratios) > min(ratios) else middle
