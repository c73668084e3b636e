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
    """What a catalog is narrowed to: patterns that know `*` alone, and a text that some name or comment contains.

    Case does not count.
    """

    schemas: Sequence[str] = ()
    tables: Sequence[str] = ()
    search: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A table as it was seen last, and when it appeared, changed, and (if so) was found gone."""

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
    """Tables by catalog, schema and name, from behind the place of one; and how many the filter leaves in all."""
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
    """What changed since an instant, newest first, from behind the place of one; and how many changes in all."""
    conditions = [CatalogChange.connection_id == connection.id]
    if since is not None:
        conditions.append(CatalogChange.found_at >= since)
    newest = [(CatalogChange.found_at, True), (CatalogChange.position, False), (CatalogChange.id, False)]
    return await page(session, select(CatalogChange).where(*conditions), newest, after, number)
