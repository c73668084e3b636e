"""Stores the result of a refresh: only differences are written, and each is recorded as a change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.catalog.content import Content, Difference, Place, differences, restored, storable
from moorings.catalog.models import Catalog, CatalogChange, StoredTable
from moorings.connections.models import Connection
from moorings.db.folding import folded

ROWS = 250
"""Rows of one statement: between two statements the event loop runs other tasks."""

_tables: Table = StoredTable.metadata.tables[StoredTable.__tablename__]
_changes: Table = CatalogChange.metadata.tables[CatalogChange.__tablename__]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a refresh: tables and columns that exist, and tables that were added, changed or removed.

    `missing` counts tables that the database dropped and the catalog still lists.
    """

    tables: int
    columns: int
    added: int
    changed: int
    removed: int
    missing: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A stored table, without its document."""

    id: str
    digest: str
    estimates: tuple[int | None, int | None]
    missing_since: int | None


@dataclass(slots=True)
class _Refresh:
    """One refresh that is being stored."""

    connection: Connection
    job_id: str
    now: int
    first: bool
    """The first refresh has nothing to compare with, so it records no changes."""
    changes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def note(self, place: Place, *found: Difference) -> None:
        for each in () if self.first else found:
            catalog, schema, name = place
            row = {"catalog": catalog, "schema": schema, "name": name, "position": len(self.changes)}
            changes = {key: None if value is None else storable(value) for key, value in asdict(each).items()}
            self.changes.append(self.owned() | row | changes | {"job_id": self.job_id, "found_at": self.now})

    def owned(self) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "organization_id": self.connection.organization_id,
            "connection_id": self.connection.id,
        }


async def store(
    session: AsyncSession, connection: Connection, found: Sequence[Content], *, hard: bool, job_id: str, now: int
) -> Counts:
    """Update the connection's catalog to the tables found.

    Tables that were not found stay, marked as missing; a hard refresh removes them. The caller ensures that no other
    transaction stores a catalog of this connection meanwhile.
    """
    catalog = await session.get(Catalog, connection.id)
    refresh = _Refresh(connection, job_id, now, catalog is None)
    known = await _known(session, connection.id)
    by_place = {content.place: content for content in found}
    added = await _add(session, refresh, [each for place, each in by_place.items() if place not in known])
    returned = await _return(session, refresh, {p: known[p] for p in by_place if p in known and known[p].missing_since})
    differing = [each for place, each in by_place.items() if place in known and known[place].digest != each.digest]
    changed = await _rewrite(session, refresh, differing, known)
    await _estimate(session, [(known[place].id, each) for place, each in by_place.items() if _moved(known, each)])
    gone = {place: known[place] for place in sorted(known.keys() - by_place.keys())}
    await (_remove if hard else _mark)(session, refresh, gone)
    await _execute(session, insert(_changes), refresh.changes)
    counts = Counts(
        tables=len(by_place),
        columns=sum(content.column_count for content in by_place.values()),
        added=added + returned,
        changed=changed,
        removed=len(gone) if hard else 0,
        missing=0 if hard else len(gone),
    )
    await _state(session, catalog, refresh, counts)
    return counts


async def _known(session: AsyncSession, connection_id: str) -> dict[Place, _Known]:
    columns = [_tables.c[name] for name in ("id", "digest", "row_count", "size_bytes", "missing_since")]
    query = select(_tables.c.catalog, _tables.c.schema, _tables.c.name, *columns)
    rows = await session.execute(query.where(_tables.c.connection_id == connection_id))
    return {
        (row.catalog, row.schema, row.name): _Known(
            row.id, row.digest, (row.row_count, row.size_bytes), row.missing_since
        )
        for row in rows
    }


def _moved(known: Mapping[Place, _Known], content: Content) -> bool:
    before = known.get(content.place)
    return before is not None and before.estimates != (content.row_count, content.size_bytes)


async def _add(session: AsyncSession, refresh: _Refresh, found: Sequence[Content]) -> int:
    for part in _parts(found):
        await _execute(session, insert(_tables), [_row(refresh, content) for content in part])
    for content in found:
        refresh.note(content.place, Difference("TABLE_ADDED"))
    return len(found)


def _row(refresh: _Refresh, content: Content) -> dict[str, Any]:
    catalog, schema, name = content.place
    return refresh.owned() | {
        "catalog": catalog,
        "schema": schema,
        "name": name,
        "folded_schema": folded(schema),
        "folded_name": folded(name),
        "searched": content.searched,
        "document": content.document,
        "digest": content.digest,
        "row_count": content.row_count,
        "size_bytes": content.size_bytes,
        "added_at": refresh.now,
        "changed_at": refresh.now,
        "missing_since": None,
    }


async def _return(session: AsyncSession, refresh: _Refresh, found: Mapping[Place, _Known]) -> int:
    for part in _parts([each.id for each in found.values()]):
        await session.execute(update(_tables).where(_tables.c.id.in_(part)).values(missing_since=None))
    for place in found:
        refresh.note(place, Difference("TABLE_RETURNED"))
    return len(found)


async def _rewrite(
    session: AsyncSession, refresh: _Refresh, found: Sequence[Content], known: Mapping[Place, _Known]
) -> int:
    """Write the differences; returns the number of changed tables.

    Another spelling, as of an Arrow type, is no change.
    """
    changed = 0
    for part in _parts(found):
        before = await _documents(session, [known[content.place].id for content in part])
        rows: list[dict[str, Any]] = []
        for content in part:
            row, place = known[content.place].id, content.place
            changes = differences(restored(place, before[row]), restored(place, content.document))
            refresh.note(place, *changes)
            changed += bool(changes)
            rows.append(
                {
                    "row": row,
                    "document": content.document,
                    "digest": content.digest,
                    "searched": content.searched,
                    "changed_at": refresh.now,
                }
            )
        await _execute(session, update(_tables).where(_tables.c.id == bindparam("row")), rows)
    return changed


async def _documents(session: AsyncSession, ids: Sequence[str]) -> dict[str, str]:
    rows = await session.execute(select(_tables.c.id, _tables.c.document).where(_tables.c.id.in_(ids)))
    return {row.id: row.document for row in rows}


async def _estimate(session: AsyncSession, found: Sequence[tuple[str, Content]]) -> None:
    rows = [{"row": row, "row_count": each.row_count, "size_bytes": each.size_bytes} for row, each in found]
    await _execute(session, update(_tables).where(_tables.c.id == bindparam("row")), rows)


async def _remove(session: AsyncSession, refresh: _Refresh, gone: Mapping[Place, _Known]) -> None:
    for part in _parts([each.id for each in gone.values()]):
        await session.execute(delete(_tables).where(_tables.c.id.in_(part)))
    _note_gone(refresh, gone)


async def _mark(session: AsyncSession, refresh: _Refresh, gone: Mapping[Place, _Known]) -> None:
    newly = [each.id for each in gone.values() if each.missing_since is None]
    for part in _parts(newly):
        await session.execute(update(_tables).where(_tables.c.id.in_(part)).values(missing_since=refresh.now))
    _note_gone(refresh, gone)


def _note_gone(refresh: _Refresh, gone: Mapping[Place, _Known]) -> None:
    """Recorded once, by the first refresh that did not find a table."""
    for place, each in gone.items():
        if each.missing_since is None:
            refresh.note(place, Difference("TABLE_REMOVED"))


async def _state(session: AsyncSession, catalog: Catalog | None, refresh: _Refresh, counts: Counts) -> None:
    if catalog is None:
        catalog = Catalog(connection_id=refresh.connection.id, organization_id=refresh.connection.organization_id)
        session.add(catalog)
    catalog.job_id, catalog.refreshed_at = refresh.job_id, refresh.now
    catalog.table_count, catalog.column_count = counts.tables, counts.columns
    await session.flush()


async def _execute(session: AsyncSession, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    connection = await session.connection()
    for part in _parts(rows):
        await connection.execute(statement, part)


def _parts(rows: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), ROWS):
        yield list(rows[start : start + ROWS])
