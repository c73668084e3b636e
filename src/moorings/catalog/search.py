"""Search the stored catalogs of several connections at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.catalog.content import restored
from moorings.catalog.models import StoredTable
from moorings.connections.models import Connection
from moorings.db.folding import folded
from moorings.dialects.introspection import Table

MAX_MATCHES = 100
"""The most matches that are listed for one table."""

Place = tuple[str, str, str, str]
"""Connection, catalog, schema and name of a table."""


@dataclass(frozen=True, slots=True)
class Match:
    """The place of the text: the name of a `table` or `column`, or a `comment` on the table or a column."""

    kind: str
    column: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A table in which something matches."""

    connection: Connection
    table: Table
    missing_since: int | None
    place: Place
    matches: list[Match]


async def search(
    session: AsyncSession, actor: Actor, text: str, after: Place | None, number: int
) -> tuple[list[Found], int]:
    """Tables with the text in a name or comment, of the connections that the actor may read, in the order of places.

    They begin after the place of one; the number of all of them is returned too.
    """
    readable = await _readable(session, actor)
    conditions = [
        StoredTable.organization_id == actor.organization_id,
        StoredTable.connection_id.in_(readable),
        StoredTable.searched.contains(folded(text), autoescape=True),
    ]
    total = (await session.execute(select(func.count()).select_from(StoredTable).where(*conditions))).scalar_one()
    place = StoredTable.connection_id, StoredTable.catalog, StoredTable.schema, StoredTable.name
    if after is not None:
        conditions.append(tuple_(*place) > after)
    rows = await session.scalars(select(StoredTable).where(*conditions).order_by(*place).limit(number))
    return [_found(readable[row.connection_id], row, folded(text)) for row in rows], total


async def _readable(session: AsyncSession, actor: Actor) -> dict[str, Connection]:
    live = Connection.organization_id == actor.organization_id, Connection.deleted_at.is_(None)
    found = await session.scalars(select(Connection).where(*live))
    return {connection.id: connection for connection in found if actor.may(Permission.READ, connection)}


def _found(connection: Connection, row: StoredTable, sought: str) -> Found:
    table = restored((row.catalog, row.schema, row.name), row.document)
    matches = [match for match in _texts(table) if sought in folded(match.text)][:MAX_MATCHES]
    return Found(connection, table, row.missing_since, (row.connection_id, row.catalog, row.schema, row.name), matches)


def _texts(table: Table) -> Iterator[Match]:
    """The texts of a table that a search reads."""
    yield Match("table", None, table.name)
    if table.comment:
        yield Match("comment", None, table.comment)
    for column in table.columns:
        yield Match("column", column.name, column.name)
        if column.comment:
            yield Match("comment", column.name, column.comment)


def behind(tables: Collection[Table], after: tuple[str, str, str] | None) -> list[Table]:
    """The tables after a place (catalog, schema and name), in the order of places."""
    ordered = sorted(tables, key=place_of)
    return ordered if after is None else [table for table in ordered if place_of(table) > after]


def place_of(table: Table) -> tuple[str, str, str]:
    """Catalog, schema and name; levels that an engine does not have are empty."""
    return table.catalog or "", table.schema or "", table.name
