"""How commands print what the API answered."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from moorings.client.cli import terminal
from moorings.client.cli.base import asked
from moorings.client.cli.text import aligned, cell, record

Columns = Mapping[str, str | Callable[[Any], Any]]
"""Heading → the member of the object, dotted, or how it is made from the object."""


def show(rows: Iterable[Mapping[str, Any]], columns: Columns, *, answer: Any = None, name: str = "name") -> None:
    """Print a list: as a table, as the API's own objects, or as the names or ids alone.

    `answer` is what `--json` prints, if it is not the list itself. `name` is the member that `-o name` prints.
    """
    found = list(rows)
    if asked.output == "json":
        print_json(found if answer is None else answer)
    elif asked.output in ("name", "id"):
        put(*(_named(each, name) for each in found))
    elif found:
        lines = aligned(list(columns), [[cell(value(each, source)) for source in columns.values()] for each in found])
        put(terminal.bold(lines[0]), *lines[1:])
    else:
        terminal.note("Nothing yet.")


def show_one(found: Mapping[str, Any], columns: Columns, *, answer: Any = None, name: str = "name") -> None:
    """Print one object: a line for each field that has a value."""
    if asked.output == "json":
        print_json(found if answer is None else answer)
    elif asked.output in ("name", "id"):
        put(_named(found, name))
    else:
        pairs = [(heading, cell(value(found, source))) for heading, source in columns.items()]
        put(*record(pair for pair in pairs if pair[1]))


def done(sentence: str, answer: Any, *, name: str = "", identity: str = "") -> None:
    """Print what a command did."""
    if asked.output == "json":
        print_json(answer)
    elif asked.output in ("name", "id"):
        put((identity if asked.output == "id" else name) or identity or name)
    else:
        put(sentence)


def value(found: Any, source: str | Callable[[Any], Any]) -> Any:
    """The value of a column."""
    if callable(source):
        return source(found)
    for part in source.split("."):
        found = cast("Mapping[str, Any]", found).get(part) if isinstance(found, Mapping) else None
    return found


def _named(found: Mapping[str, Any], name: str) -> str:
    identity = next((found[key] for key in ("id", "scheduleId", "job_id", "jobId") if found.get(key)), "")
    return cell(identity if asked.output == "id" else value(found, name) or identity)


def print_json(found: Any) -> None:
    """Print JSON."""
    put(json.dumps(found, indent=2, ensure_ascii=False))


def put(*lines: str) -> None:
    """Print lines on stdout."""
    for line in lines:
        sys.stdout.write(line + "\n")


def sizes(names: Sequence[str]) -> str:
    """A few names in one cell."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
