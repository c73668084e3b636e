"""The published operations, as `published.txt` has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Operation(NamedTuple):
    """One published operation, with the status and the required keys of its answer."""

    route: str
    operation_id: str
    tag: str
    status: int
    query: str
    answer: str


def _read(text: str) -> Iterator[Operation]:
    for block in re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip().split("\n\n"):
        route, *facts = re.sub(r"\n {8}", " ", block).split("\n")
        found = dict(fact.strip().split(": ", 1) for fact in facts)
        operation_id, tag, status = found["id"].split(" | ")
        yield Operation(route, operation_id, tag, int(status), found.get("query", ""), found.get("answer", ""))


OPERATIONS = tuple(_read(Path(__file__).with_suffix(".txt").read_text()))
