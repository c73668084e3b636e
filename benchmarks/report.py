"""The table: one line a measurement, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement, repeated: what it is, its values, and what it should reach."""

    what: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"
    absolute: str = ""
    """The medians that a ratio is made of."""

    @property
    def median(self) -> float:
        """The value that counts."""
        return statistics.median(self.values)

    @property
    def met(self) -> str:
        """Whether the target is met, in a word."""
        if self.at_least is None and self.at_most is None:
            return ""
        good = self.median >= (self.at_least or 0) and self.median <= (self.at_most or float("inf"))
        return "yes" if good else "**MISSED**"

    @property
    def target(self) -> str:
        """The target, with its direction."""
        if self.at_least is not None:
            return f"≥ {number(self.at_least)} {self.unit}"
        return "" if self.at_most is None else f"≤ {number(self.at_most)} {self.unit}"

    def row(self) -> str:
        """The table's row."""
        spread = f"{number(min(self.values))} … {number(max(self.values))}" if len(self.values) > 1 else ""
        cells = (self.what, f"{number(self.median)} {self.unit}", spread, self.target, self.met, self.absolute)
        return f"| {' | '.join(cells)} |"


HEAD = "| What | Median | Spread | Target | Met | Measured |\n| --- | --- | --- | --- | --- | --- |"


def table(lines: Sequence[Line]) -> str:
    """The whole table."""
    return "\n".join([HEAD, *(line.row() for line in lines)])


def ratio(what: str, ours: Sequence[float], theirs: Sequence[float], unit: str, **target: float) -> Line:
    """A line of ratios, round by round: what was measured side by side is compared with each other."""
    values = [own / other for own, other in zip(ours, theirs, strict=True)]
    medians = f"{number(statistics.median(ours))} : {number(statistics.median(theirs))} {unit}"
    return Line(what, values, absolute=medians, **target)


def number(value: float) -> str:
    """Three or four digits, or all of them from a thousand on."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.4g}"
