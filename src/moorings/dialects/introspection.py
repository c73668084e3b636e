"""The structure of a warehouse: tables, their columns and keys, and the schemas that a connection reads.

Dialects fill an `Assembly` from a few statements on the system tables, never one statement per table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moorings.dialects.config.fields import split_names

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.config.connection import ConnectionConfig

BACKSLASH = "\\"

Place = tuple[str | None, str | None, str]
"""Catalog, schema and name of a table; None for a level that the engine does not have."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `position` counts from 1."""

    name: str
    position: int
    native_type: str
    arrow_type: str | None = None
    """The Arrow type in a query's result; None if only a result shows it."""
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
    """The schemas and catalogs to read. Patterns support only `*`; case is ignored."""

    schemas: tuple[str, ...] = ()
    """Patterns; none means every schema that is not the engine's own."""
    catalogs: tuple[str, ...] = ()
    """Further catalogs beside the connection's own; `*` for all."""

    @classmethod
    def of(cls, config: ConnectionConfig) -> Scope:
        """The scope of a connection's settings; it always contains the default schema."""
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
        """A condition on a column of schema names, in SQL that every engine accepts; `1 = 1` for all schemas."""
        if not self.schemas:
            return "1 = 1"
        return f"({' OR '.join(_condition(column, pattern) for pattern in self.schemas)})"


def names(listed: str | None) -> tuple[str, ...]:
    """The names of a comma list."""
    return split_names(listed or "")


def _matches(pattern: str, name: str) -> bool:
    """Whether a name matches a pattern, in time proportional to both lengths, with any number of `*`."""
    first, *others = map(re.escape, pattern.split("*"))
    between = "".join(f"(?>.*?{part})" for part in others[:-1])  # the first match is enough: no need to try another
    expression = f"{first}{between}.*{others[-1]}" if others else first
    return re.fullmatch(expression, name, re.IGNORECASE | re.DOTALL) is not None


def _condition(column: str, pattern: str) -> str:
    """`!` escapes, since engines differ in what a backslash is; one in a name is left to `takes`, as any character."""
    quoted = pattern.lower().replace("'", "''")
    for special in ("!", "%", "_"):
        quoted = quoted.replace(special, "!" + special)
    return f"lower({column}) LIKE '{quoted.replace('*', '%').replace(BACKSLASH, '_')}' ESCAPE '!'"


class Assembly:
    """Collects tables. Columns and keys of a table that was not added are left out."""

    def __init__(self) -> None:
        self._tables: dict[Place, Table] = {}
        self._references: dict[tuple[Place, str], tuple[Place, list[tuple[str, str]]]] = {}

    def table(self, table: Table) -> None:
        """Add a table."""
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
    """The engine's plan of a statement, with its estimates."""

    text: str
    """The engine's own plan, or a sentence."""
    estimated_bytes: int | None = None
    """The bytes that the statement would read (and bill); None without an estimate."""


@dataclass(frozen=True, slots=True)
class Description:
    """The schemas of a statement's result and parameters; None if only running the statement shows them."""

    columns: pa.Schema | None = None
    """The columns of its result; without any, it returns no rows."""
    parameters: pa.Schema | None = None


def joined(rows: Iterable[Iterable[object]]) -> str:
    """The rows of an EXPLAIN as text: a line each, its columns apart by tabs."""
    return "\n".join("\t".join("" if cell is None else str(cell) for cell in row) for row in rows)
