"""The rows of the metadata database as they are stored: every table of the models, without their conversions.

A JSON text stays text, and a sealed value stays bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, collate, column, func, insert, select, table, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import String, TypeDecorator, TypeEngine

from moorings.db import Base

BATCH = 200
"""Rows that are read or written at once: one of a catalog can be 100 kB."""

Row = tuple[Any, ...]


def tables() -> list[Table]:
    """Every table; tables that others reference come first."""
    importlib.import_module("moorings.app")  # with every model of the service
    return list(Base.metadata.sorted_tables)


def key_of(of: Table, row: Row) -> Row:
    """The primary key of a row."""
    return tuple(value for each, value in zip(of.columns, row, strict=True) if each.primary_key)


async def read(connection: AsyncConnection, of: Table, after: Row | None) -> Sequence[Row]:
    """The next rows of a table after a primary key, or the first ones, in the order of the key's bytes."""
    stored = _stored(of)
    order = list(_order(of, connection.dialect.name))
    rows = select(*stored.columns).order_by(*order).limit(BATCH)
    if after is not None:
        rows = rows.where(tuple_(*order) > tuple_(*after))
    return [tuple(row) for row in await connection.execute(rows)]


async def last_key(connection: AsyncConnection, of: Table) -> Row | None:
    """The greatest primary key of a table; None when it is empty."""
    order = list(_order(of, connection.dialect.name))
    keys: list[ColumnElement[Any]] = [column(each.name, _stored_type(each)) for each in of.primary_key]
    greatest = select(*keys).select_from(_stored(of)).order_by(*(each.desc() for each in order)).limit(1)
    row = (await connection.execute(greatest)).first()
    return None if row is None else tuple(row)


async def write(connection: AsyncConnection, of: Table, batch: Sequence[Row]) -> None:
    """Insert rows."""
    names = [each.name for each in of.columns]
    await connection.execute(insert(_stored(of)), [dict(zip(names, row, strict=True)) for row in batch])


async def count(connection: AsyncConnection, of: Table) -> int:
    """How many rows a table has."""
    return int(await connection.scalar(select(func.count()).select_from(_stored(of))) or 0)


async def continue_numbering(connection: AsyncConnection, of: Table) -> None:
    """Make PostgreSQL number new rows after the greatest written number."""
    numbered = of.autoincrement_column
    if numbered is not None and connection.dialect.name == "postgresql":
        quoted = (
            f'SELECT setval(s, max("{numbered.name}")) FROM "{of.name}", pg_get_serial_sequence(:t, :c) s GROUP BY s'  # noqa: S608  # our own names
        )
        await connection.execute(text(quoted), {"t": of.name, "c": numbered.name})


def _stored(of: Table) -> Any:
    return table(of.name, *(column(each.name, _stored_type(each)) for each in of.columns))


def _stored_type(of: Column[Any]) -> TypeEngine[Any]:
    kind: TypeEngine[Any] = of.type
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _order(of: Table, dialect: str) -> Iterator[ColumnElement[Any]]:
    for each in of.primary_key:
        key = column(each.name, _stored_type(each))
        yield collate(key, "C") if dialect == "postgresql" and isinstance(each.type, String) else key
