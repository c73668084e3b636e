"""Answers commands about catalogs: from the stored catalog of a connection, or from its warehouse if there is none.

Imports pyarrow.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from moorings.catalog import listing
from moorings.catalog.service import introspect
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.dialects.introspection import ForeignKey, Table
from moorings.engine.service import Engine, Target
from moorings.flight import schemas
from moorings.flight.commands import Catalogs, ForeignKeys, Metadata, Place, PrimaryKeys, Schemas, Tables

PAGE = 500
"""Tables of one record batch, so that memory does not grow with the catalog."""
KINDS = ("EXTERNAL TABLE", "MATERIALIZED VIEW", "TABLE", "VIEW")
"""The table types of Flight SQL, from the kinds that dialects name."""
NO_RULE = 3
"""NO ACTION: catalogs do not store the rules of foreign keys."""

Row = tuple[Any, ...]
Pages = AsyncIterator[Sequence[Table]]


async def stored(db: Database, connection: Connection, table: str | None) -> Pages:
    """The tables of the stored catalog, page by page, those that a refresh found missing left out.

    `table` names the only table that is of interest.
    """
    criteria = listing.Filter(tables=(table,)) if table and not set("*,") & set(table) else listing.Filter()
    after = None
    while True:
        async with db.reading() as session:
            found, _ = await listing.tables(session, connection, criteria, after, PAGE)
        if not found:
            return
        after = found[-1].place
        yield [each.table for each in found if each.missing_since is None]


async def fresh(engine: Engine, target: Target) -> Pages:
    """The tables of the warehouse now, page by page."""
    found = await introspect(engine, target, (), list)
    for start in range(0, len(found), PAGE):
        yield found[start : start + PAGE]


async def batches(command: Metadata, schema: pa.Schema, pages: Pages) -> AsyncIterator[pa.RecordBatch]:
    """The answer to a command about tables, batch by batch."""
    if isinstance(command, Catalogs | Schemas):
        found = set[Row]()
        async for page in pages:
            found.update(_levels(command, page))
        yield batch(schema, sorted(found, key=repr))
        return
    async for page in pages:
        rows = list(_rows(command, page))
        if rows:
            yield batch(schema, rows)


def batch(schema: pa.Schema, rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows as a record batch."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _levels(command: Catalogs | Schemas, page: Iterable[Table]) -> Iterator[Row]:
    if isinstance(command, Catalogs):
        yield from ((table.catalog,) for table in page if table.catalog)
        return
    takes = like(command.pattern)
    for table in page:
        if table.schema is not None and _is(command.catalog, table.catalog) and takes(table.schema):
            yield table.catalog, table.schema


def _rows(command: Metadata, page: Iterable[Table]) -> Iterator[Row]:
    match command:
        case Tables():
            yield from _tables(command, page)
        case PrimaryKeys():
            for table in page:
                if _matches(command.table, table.catalog, table.schema, table.name):
                    yield from _primary_key(table)
        case ForeignKeys():
            for table in page:
                for key in table.foreign_keys:
                    if _concerns(command, table, key):
                        yield from _foreign_key(table, key)
        case _:
            raise TypeError(command)


def _tables(command: Tables, page: Iterable[Table]) -> Iterator[Row]:
    takes_schema, takes_name = like(command.schema_pattern), like(command.table_pattern)
    for table in page:
        kind = table.kind.upper()
        if (
            _is(command.catalog, table.catalog)
            and takes_schema(table.schema or "")
            and takes_name(table.name)
            and (not command.kinds or kind in command.kinds)
        ):
            row = (table.catalog, table.schema, table.name, kind)
            yield (*row, schemas.table_schema(table.columns)) if command.with_schema else row


def _primary_key(table: Table) -> Iterator[Row]:
    for place, column in enumerate(table.primary_key, 1):
        yield table.catalog, table.schema, table.name, column, place, None


def _concerns(command: ForeignKeys, table: Table, key: ForeignKey) -> bool:
    return (command.referring is None or _matches(command.referring, table.catalog, table.schema, table.name)) and (
        command.referred is None or _matches(command.referred, key.catalog, key.schema, key.table)
    )


def _foreign_key(table: Table, key: ForeignKey) -> Iterator[Row]:
    for place, (own, other) in enumerate(zip(key.columns, key.referred_columns, strict=True), 1):
        referred = (key.catalog, key.schema, key.table, other)
        referring = (table.catalog, table.schema, table.name, own)
        yield (*referred, *referring, place, key.name, None, NO_RULE, NO_RULE)


def _matches(wanted: Place, catalog: str | None, schema: str | None, name: str) -> bool:
    return wanted.table == name and _is(wanted.catalog, catalog) and _is(wanted.schema, schema)


def _is(wanted: str | None, found: str | None) -> bool:
    """Whether a name is the wanted one; None is any, and the empty name is that of an engine without this level."""
    return wanted is None or wanted == (found or "")


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]

    def __call__(self, name: str) -> bool:
        return self.expression.fullmatch(name) is not None


def like(pattern: str | None) -> Callable[[str], bool]:
    r"""A check for a pattern of SQL's LIKE, with `%`, `_` and `\` as the escape; None takes every name.

    Its time is proportional to both lengths, with any number of `%`.
    """
    if pattern is None:
        return lambda _: True
    first, *others = _parts(pattern)
    between = "".join(f"(?>.*?{part})" for part in others[:-1])  # the first match is enough: no need to try another
    return _Pattern(re.compile(f"{first}{between}.*{others[-1]}" if others else first, re.DOTALL))


def _parts(pattern: str) -> list[str]:
    """What is between the `%` of a pattern, as regular expressions of a fixed length."""
    parts, escaped = [""], False
    for character in pattern:
        if escaped or character not in "%_\\":
            parts[-1] += re.escape(character)
            escaped = False
        elif character == "%":
            parts.append("")
        elif character == "_":
            parts[-1] += "."
        else:
            escaped = True
    return parts
