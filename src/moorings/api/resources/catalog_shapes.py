"""What goes out of a stored catalog, and how it is made from what is stored."""

from __future__ import annotations

from typing import Any

from moorings.api.resources.shapes import CatalogColumn, CatalogReference, CatalogTable, PageInfo, Shape, instant
from moorings.catalog.listing import Listed
from moorings.catalog.models import CatalogChange
from moorings.dialects.introspection import Column, ForeignKey, Table


class StoredTableShape(CatalogTable, kw_only=True):
    """A table as it was seen last: when it appeared and changed, and since when a refresh misses it, if so."""

    added_at: str
    changed_at: str
    missing_since: str | None


class CatalogPage(Shape, kw_only=True):
    """Tables by catalog, schema and name; `refreshedAt` is null before the first refresh.

    `tableCount` and `columnCount` are what the last refresh found, whatever the filter.
    """

    refreshed_at: str | None
    job_id: str | None
    table_count: int
    column_count: int
    page_info: PageInfo
    records: list[StoredTableShape]


class ChangeShape(Shape, kw_only=True):
    """Something that a refresh found to be different, of a table or a column of it, in the engine's words."""

    at: str
    job_id: str
    change: str
    catalog: str | None
    schema: str | None
    table: str
    column: str | None
    before: str | None
    after: str | None


class ChangePage(Shape):
    """Changes, the newest refresh first."""

    page_info: PageInfo
    records: list[ChangeShape]


def table_shape(table: Table) -> CatalogTable:
    """A table as it is now."""
    return CatalogTable(*_facts(table))


def stored_table(listed: Listed) -> StoredTableShape:
    """A table as it is stored."""
    return StoredTableShape(
        *_facts(listed.table),
        added_at=instant(listed.added_at),
        changed_at=instant(listed.changed_at),
        missing_since=None if listed.missing_since is None else instant(listed.missing_since),
    )


def _facts(table: Table) -> tuple[Any, ...]:
    """The fields of CatalogTable, in their order."""
    return (
        table.catalog,
        table.schema,
        table.name,
        table.kind,
        table.comment,
        table.row_count,
        table.size_bytes,
        [_column(column) for column in table.columns],
        list(table.primary_key),
        [_reference(key) for key in table.foreign_keys],
    )


def _column(column: Column) -> CatalogColumn:
    return CatalogColumn(
        column.name, column.position, column.native_type, column.arrow_type, column.nullable, column.comment
    )


def _reference(key: ForeignKey) -> CatalogReference:
    return CatalogReference(key.name, list(key.columns), key.catalog, key.schema, key.table, list(key.referred_columns))


def change(found: CatalogChange) -> ChangeShape:
    """A change."""
    return ChangeShape(
        at=instant(found.found_at),
        job_id=found.job_id,
        change=found.kind,
        catalog=found.catalog or None,
        schema=found.schema or None,
        table=found.name,
        column=found.column,
        before=found.before,
        after=found.after,
    )
