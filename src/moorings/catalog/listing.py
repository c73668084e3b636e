"""Read a stored catalog: its tables, page by page, and what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.catalog.content import Place, restored
from moorings.catalog.models import Catalog, CatalogChange, StoredTable
from moorings.connections.models import Connection
from moorings.db import page
from moorings.db.folding import folded
from moorings.dialects.introspection import Table


@dataclass(frozen=True, slots=True)
class Filter:
    """The filter of a catalog: patterns whose only wildcard is `*`, and a text that a name or comment contains.

    Case is ignored.
    """

    schemas: Sequence[str] = ()
    tables: Sequence[str] = ()
    search: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A table as the last refresh read it, and when it appeared, changed and (if so) was found missing."""

    table: Table
    place: Place
    added_at: int
    changed_at: int
    missing_since: int | None


async def facts(session: AsyncSession, connection: Connection) -> Catalog | None:
    """The last refresh of a connection's catalog; None before the first."""
    return await session.get(Catalog, connection.id)


async def tables(
    session: AsyncSession, connection: Connection, criteria: Filter, after: Place | None, number: int
) -> tuple[list[Listed], int]:
    """Tables after the place of one, by catalog, schema and name; and the number of all that match the filter."""
    conditions = [StoredTable.connection_id == connection.id, *_conditions(criteria)]
    total = (await session.execute(select(func.count()).select_from(StoredTable).where(*conditions))).scalar_one()
    place = StoredTable.catalog, StoredTable.schema, StoredTable.name
    if after is not None:
        conditions.append(tuple_(*place) > after)
    found = await session.scalars(select(StoredTable).where(*conditions).order_by(*place).limit(number))
    return [_listed(row) for row in found], total


def _conditions(criteria: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, patterns in ((StoredTable.folded_schema, criteria.schemas), (StoredTable.folded_name, criteria.tables)):
        if patterns:
            conditions.append(or_(*(column.like(_pattern(each), escape="!") for each in patterns)))
    if criteria.search:
        conditions.append(StoredTable.searched.contains(folded(criteria.search), autoescape=True))
    return conditions


def _pattern(name: str) -> str:
    pattern = folded(name)
    for special in ("!", "%", "_"):
        pattern = pattern.replace(special, "!" + special)
    return pattern.replace("*", "%")


def _listed(row: StoredTable) -> Listed:
    place = (row.catalog, row.schema, row.name)
    table = restored(place, row.document)
    table.row_count, table.size_bytes = row.row_count, row.size_bytes
    return Listed(table, place, row.added_at, row.changed_at, row.missing_since)


async def changes(
    session: AsyncSession, connection: Connection, since: int | None, after: tuple[int, int, str] | None, number: int
) -> tuple[list[CatalogChange], int]:
    """Changes since an instant, newest first, after the place of one; and the number of all of them."""
    conditions = [CatalogChange.connection_id == connection.id]
    if since is not None:
        conditions.append(CatalogChange.found_at >= since)
    newest = [(CatalogChange.found_at, True), (CatalogChange.position, False), (CatalogChange.id, False)]
    return await page(session, select(CatalogChange).where(*conditions), newest, after, number)
