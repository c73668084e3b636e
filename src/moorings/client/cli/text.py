"""Text for terminals and pipes: columns that line up, and no control characters from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def safe(text: str) -> str:
    """A text without what steers a terminal: names, comments and cells come from databases."""
    return _CONTROL.sub(lambda found: _SHORT.get(found[0], f"\\x{ord(found[0]):02x}"), text)


def cell(value: Any) -> str:
    """A value of JSON in one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return safe(json.dumps(value, ensure_ascii=False))
    return safe(str(value))


def aligned(
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[bool] = (),
    rule: bool = False,
    null: str = "",
) -> list[str]:
    """The lines of a table: names, a rule on request, and a line for each row."""
    from rich.cells import cell_len

    body = [list(row) for row in rows]
    widths = [max([cell_len(name), *(cell_len(row[at]) for row in body)]) for at, name in enumerate(names)]
    sides = [*right, *[False] * (len(names) - len(right))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            " " * (width - cell_len(text)) + text if numeric else text + " " * (width - cell_len(text))
            for text, width, numeric in zip(cells, widths, sides, strict=True)
        ]
        return "  ".join(padded).rstrip()

    ruled = ["  ".join("-" * width for width in widths)] if rule else []
    return [line(names), *ruled, *map(line, body)]


def record(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """One thing: a line for each of its fields."""
    from rich.cells import cell_len

    found = list(pairs)
    width = max((cell_len(name) for name, _ in found), default=0)
    return [f"{name}{' ' * (width - cell_len(name))}  {value}".rstrip() for name, value in found]


def amount(number: float, word: str) -> str:
    """`1 row`, `2 rows`, `1,234 rows`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
