"""One statement through the service, and its rows as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from moorings.client.cli.text import aligned, amount, safe

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.queries import QueryOptions
    from moorings.client.results.blocking import Download

FORMATS = ("table", "csv", "json", "ndjson", "parquet", "arrow", "xlsx")
BINARY = frozenset({"parquet", "arrow", "xlsx"})
MOST_SHOWN = 10_000
"""The rows of a table without --limit: it is for people, and is held in memory to line up."""


@dataclass
class Statement:
    """A statement, and what limits it."""

    sql: str
    connection: str | None = None
    parameters: Sequence[Any] = ()
    options: QueryOptions = field(default_factory=lambda: cast("QueryOptions", {}))


def download(service: Client, statement: Statement, form: Any, **more: Any) -> Download:
    """The bytes of a result."""
    options: Any = {**statement.options, **more}
    return service.download(statement.sql, statement.connection, statement.parameters, format=form, **options)


@dataclass
class Result:
    """A whole result of JSON."""

    columns: list[dict[str, str]]
    rows: list[list[Any]]
    truncated: bool

    @property
    def count(self) -> str:
        """`2 rows`."""
        cut = ", cut by the row limit" if self.truncated else ""
        return f"({amount(len(self.rows), 'row')}{cut})"

    def lines(self) -> list[str]:
        """A table of it."""
        names = [safe(column["name"]) for column in self.columns]
        numbers = [column["type"].startswith(NUMBERS) for column in self.columns]
        return aligned(names, ([shown(value) for value in row] for row in self.rows), right=numbers, rule=True)

    def expanded(self) -> list[str]:
        """A block of lines for each row."""
        width = max((len(column["name"]) for column in self.columns), default=0)
        found: list[str] = []
        for number, row in enumerate(self.rows, 1):
            found.append(f"-- row {number} ".ljust(width + 20, "-"))
            names = (safe(column["name"]) for column in self.columns)
            found += [f"{name:<{width}}  {shown(value)}" for name, value in zip(names, row, strict=True)]
        return found


NUMBERS = ("int", "uint", "float", "double", "halffloat", "decimal", "numeric")
"""How the names of types begin whose values line up on the right."""


def shown(value: Any) -> str:
    """A value in a table. NULL differs from the empty text."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return safe(json.dumps(value, ensure_ascii=False))
    return safe(str(value))


def whole(service: Client, statement: Statement) -> Result:
    """Run a statement and read its rows, up to those that a table shows."""
    limit = statement.options.get("row_limit") or MOST_SHOWN
    with download(service, statement, "json", row_limit=limit) as answer:
        found = json.loads(b"".join(answer))
    return Result(found["columns"], found["rows"], found["truncated"])
