"""What a warehouse holds: tables, their columns and keys, and which schemas a connection reads.

Dialects fill an `Assembly` from a handful of statements over the system tables, never one a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moorings.dialects.config.fields import split_names

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

BACKSLASH = "\\"

Place = tuple[str | None, str | None, str]
"""Catalog, schema and name of a table; None where the engine has no such level."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `position` counts from 1."""

    name: str
    position: int
    native_type: str
    arrow_type: str | None = None
    """The type that a query's result has, as Arrow writes it; None where only a result can tell."""
    nullable: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to those of another table, in the same order."""

    name: str | None
    columns: tuple[str, ...]
    catalog: str | None
    schema: str | None
    table: str
    referred_columns: tuple[str, ...]


@dataclass(slots=True)
class Table:
    """A table or view. Estimates are the engine's own; None where it keeps none, or counting would cost a scan."""

    catalog: str | None
    schema: str | None
    name: str
    kind: str = "table"
    """table, view, materialized view, external table."""
    comment: str | None = None
    row_count: int | None = None
    size_bytes: int | None = None
    columns: list[Column] = field(default_factory=list[Column])
    primary_key: tuple[str, ...] = ()
    foreign_keys: list[ForeignKey] = field(default_factory=list[ForeignKey])


@dataclass(frozen=True, slots=True)
class Scope:
    """Which schemas of which catalogs are read. Patterns know `*` alone; case does not count."""

    schemas: tuple[str, ...] = ()
    """Patterns; none means every schema that is not the engine's own."""
    catalogs: tuple[str, ...] = ()
    """Further catalogs beside the connection's own; `*` for all."""

    @classmethod
    def of(cls, config: ConnectionConfig) -> Scope:
        """What a connection's settings ask for; its default schema is always read."""
        schemas = names(config.include_schemas)
        if schemas and config.default_schema:
            schemas = (*schemas, config.default_schema)
        return cls(schemas, names(config.include_other_catalogs))

    def within(self, schemas: tuple[str, ...]) -> Scope:
        """This scope, with other patterns for schemas if there are any."""
        return Scope(schemas or self.schemas, self.catalogs)

    def takes(self, schema: str) -> bool:
        """Whether a schema is read."""
        return not self.schemas or any(_matches(pattern, schema) for pattern in self.schemas)

    def takes_catalog(self, catalog: str, own: str | None) -> bool:
        """Whether a catalog is read: the connection's own, or one of the further ones."""
        return (own is not None and catalog.lower() == own.lower()) or any(
            _matches(pattern, catalog) for pattern in self.catalogs
        )

    def sql(self, column: str) -> str:
        """A condition on a column of schemas' names, in SQL that every engine takes; `1 = 1` where all are read."""
        if not self.schemas:
            return "1 = 1"
        return f"({' OR '.join(_condition(column, pattern) for pattern in self.schemas)})"


def names(listed: str | None) -> tuple[str, ...]:
    """The names of a comma list."""
    return split_names(listed or "")


def _matches(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern, in a time that grows with both and no faster, however many `*` there are."""
    first, *others = map(re.escape, pattern.split("*"))
    between = "".join(f"(?>.*?{part})" for part in others[:-1])  # the nearest place will do: no need to try another
    expression = f"{first}{between}.*{others[-1]}" if others else first
    return re.fullmatch(expression, name, re.IGNORECASE | re.DOTALL) is not None


def _condition(column: str, pattern: str) -> str:
    """`!` escapes, since engines differ in what a backslash is; one in a name is left to `takes`, as any character."""
    quoted = pattern.lower().replace("'", "''")
    for special in ("!", "%", "_"):
        quoted = quoted.replace(special, "!" + special)
    return f"lower({column}) LIKE '{quoted.replace('*', '%').replace(BACKSLASH, '_')}' ESCAPE '!'"


class Assembly:
    """Tables under construction. Columns and keys of a table that was not announced are left out."""

    def __init__(self) -> None:
        self._tables: dict[Place, Table] = {}
        self._references: dict[tuple[Place, str], tuple[Place, list[tuple[str, str]]]] = {}

    def table(self, table: Table) -> None:
        """Announce a table."""
        self._tables[table.catalog, table.schema, table.name] = table

    def column(self, place: Place, column: Column) -> None:
        """Add a column; in any order."""
        if place in self._tables:
            self._tables[place].columns.append(column)

    def primary_key(self, place: Place, column: str) -> None:
        """Add the next column of a table's primary key."""
        if place in self._tables:
            self._tables[place].primary_key += (column,)

    def reference(self, place: Place, name: str, column: str, other: Place, other_column: str) -> None:
        """Add the next pair of columns of a foreign key; `name` tells a table's foreign keys apart."""
        if place in self._tables:
            self._references.setdefault((place, name), (other, []))[1].append((column, other_column))

    def tables(self) -> list[Table]:
        """Everything, by catalog, schema and name; columns by position."""
        for (place, name), (other, pairs) in self._references.items():
            columns, referred = zip(*pairs, strict=True)
            self._tables[place].foreign_keys.append(ForeignKey(name, columns, *other, referred))
        for table in self._tables.values():
            table.columns.sort(key=_position)
        return [self._tables[place] for place in sorted(self._tables, key=_order)]


def _position(column: Column) -> int:
    return column.position


def _order(place: Place) -> tuple[str, ...]:
    return tuple(part or "" for part in place)


@dataclass(frozen=True, slots=True)
class Plan:
    """What running a statement would take, as the engine foretells it."""

    text: str
    """The engine's own plan, or a sentence."""
    estimated_bytes: int | None = None
    """How many bytes it would read (and bill); None where the engine does not tell."""


def joined(rows: Iterable[Iterable[object]]) -> str:
    """The rows of an EXPLAIN as text: a line each, its columns apart by tabs."""
    return "\n".join("\t".join("" if cell is None else str(cell) for cell in row) for row in rows)
