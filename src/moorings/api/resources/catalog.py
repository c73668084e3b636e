"""The endpoints of a warehouse's structure: the current one, the stored one of the last refresh, and its changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.policy import Permission, Scope
from moorings.api.http import pagination
from moorings.api.http.answers import Shape, instant
from moorings.api.http.call import Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo, PageRequest
from moorings.api.http.routing import Route
from moorings.api.resources import routed
from moorings.catalog import listing, service
from moorings.catalog.listing import Filter, Listed
from moorings.catalog.models import CatalogChange
from moorings.catalog.search import Found, behind, place_of, search
from moorings.connections.models import Connection
from moorings.dialects.introspection import Column, ForeignKey, Table, names
from moorings.errors import EnvironmentNotFound, NoEnvironment, QueryTimeout, Saturated, WarehouseError

MAX_LIST_LENGTH = 10_000
MAX_PATTERNS_LENGTH = 1000

_encode = msgspec.json.Encoder().encode


class CatalogColumn(Shape):
    """A column, with its type in the database's own spelling and, if known, as an Arrow type."""

    name: str
    position: int
    native_type: str
    arrow_type: str | None
    nullable: bool
    comment: str | None


class CatalogReference(Shape):
    """A foreign key: columns, and the columns of another table that they reference."""

    name: str | None
    columns: list[str]
    catalog: str | None
    schema: str | None
    table: str
    referred_columns: list[str]


class CatalogTable(Shape):
    """A table or view. Row and byte counts are estimates of the database."""

    catalog: str | None
    schema: str | None
    name: str
    kind: str
    comment: str | None
    row_count: int | None
    size_bytes: int | None
    columns: list[CatalogColumn]
    primary_key: list[str]
    foreign_keys: list[CatalogReference]


class CatalogTables(Shape):
    """Tables, by catalog, schema and name; `pageInfo` is there when a page was asked for."""

    tables: list[CatalogTable]
    page_info: PageInfo | msgspec.UnsetType = msgspec.UNSET


class MatchShape(Shape):
    """A match: the name of a `table` or `column`, or a `comment` on the table or a column, contains the text."""

    kind: str
    column: str | None
    text: str


class FoundTable(Shape, kw_only=True):
    """A table of a connection, and its matches."""

    connection_id: str
    connection_name: str
    dialect: str
    catalog: str | None
    schema: str | None
    name: str
    kind: str
    missing_since: str | None
    matches: list[MatchShape]


class FoundPage(Shape):
    """Tables in which something contains the text, by connection, catalog, schema and name."""

    page_info: PageInfo
    records: list[FoundTable]


class StoredTableShape(CatalogTable, kw_only=True):
    """A table as the last refresh found it. `missingSince` is set when a later refresh no longer found it."""

    added_at: str
    changed_at: str
    missing_since: str | None


class CatalogPage(Shape, kw_only=True):
    """Tables by catalog, schema and name; `refreshedAt` is null before the first refresh.

    `tableCount` and `columnCount` are the numbers that the last refresh found, without the filter.
    """

    refreshed_at: str | None
    job_id: str | None
    table_count: int
    column_count: int
    page_info: PageInfo
    records: list[StoredTableShape]


class ChangeShape(Shape, kw_only=True):
    """A change of a table or column that a refresh found. Types are in the database's own spelling."""

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


async def tables(call: Call) -> bytes:
    """The tables and views that the connection's database user can see now, with columns and keys.

    `schema` chooses the schemas to read. Default: the connection's `includeSchemas` and `includeOtherCatalogs`.
    """
    query = Fields(call.query(), ("schema", "environment", "cursor", "pageSize"))
    schemas = names(query.string("schema", shortest=0, longest=MAX_LIST_LENGTH))
    paged = bool(query.raw("cursor") or query.raw("pageSize"))
    page = pagination.page_request(query, (str, str, str))
    environment = routed.chosen(query)
    query.done()
    target = await routed.routed(call, Permission.QUERY, environment)

    def encoded(found: Sequence[Table]) -> bytes:
        return _encode(_table_page(found, page) if paged else CatalogTables([table_shape(table) for table in found]))

    return await service.introspect(call.services.engine, target, schemas, encoded)


def _table_page(found: Sequence[Table], page: PageRequest) -> CatalogTables:
    rest = behind(found, page.after)[: page.size + 1]
    info = pagination.info([place_of(table) for table in rest], page, len(found))
    return CatalogTables([table_shape(table) for table in rest[: page.size]], info)


async def search_catalogs(call: Call) -> FoundPage:
    """Search names and comments in the stored catalogs of all connections that the key may read."""
    query = Fields(call.query(), ("search", "cursor", "pageSize"))
    text = query.string("search", required=True)
    page = pagination.page_request(query, (str, str, str, str))
    query.done()
    found, total = await search(call.session, call.actor, text, page.after, page.size + 1)
    info = pagination.info([each.place for each in found], page, total)
    return FoundPage(info, [_found(each) for each in found[: page.size]])


def _found(found: Found) -> FoundTable:
    table = found.table
    return FoundTable(
        connection_id=found.connection.id,
        connection_name=found.connection.name,
        dialect=found.connection.dialect,
        catalog=table.catalog,
        schema=table.schema,
        name=table.name,
        kind=table.kind,
        missing_since=None if found.missing_since is None else instant(found.missing_since),
        matches=[MatchShape(match.kind, match.column, match.text) for match in found.matches],
    )


async def catalog(call: Call) -> bytes:
    """The tables and views that the last refresh found, with columns and keys. The warehouse is not queried.

    Tables that the database dropped stay, with `missingSince`, until a hard refresh.
    """
    query = Fields(call.query(), ("schema", "table", "search", "environment", "cursor", "pageSize"))
    criteria = _filter(query)
    page = pagination.page_request(query, (str, str, str))
    environment = routed.chosen(query)
    query.done()
    connection = await routed.kept(call, Permission.READ, environment)
    db = call.services.db

    async def render() -> bytes:
        async with db.reading() as session:
            return _encode(await _page(session, connection, criteria, page))

    return await db.cached(("catalog", connection.id, call.query_string), call.version, render)


async def _page(session: AsyncSession, connection: Connection, criteria: Filter, page: PageRequest) -> CatalogPage:
    found, total = await listing.tables(session, connection, criteria, page.after, page.size + 1)
    facts = await listing.facts(session, connection)
    return CatalogPage(
        refreshed_at=instant(facts.refreshed_at) if facts else None,
        job_id=facts.job_id if facts else None,
        table_count=facts.table_count if facts else 0,
        column_count=facts.column_count if facts else 0,
        page_info=pagination.info([each.place for each in found], page, total),
        records=[stored_table(each) for each in found[: page.size]],
    )


def _filter(query: Fields) -> Filter:
    return Filter(
        schemas=names(query.string("schema", shortest=0, longest=MAX_PATTERNS_LENGTH)),
        tables=names(query.string("table", shortest=0, longest=MAX_PATTERNS_LENGTH)),
        search=query.string("search", shortest=0) or "",
    )


async def changes(call: Call) -> ChangePage:
    """The changes that refreshes found: added and removed tables and columns, and changed types, comments and keys.

    The first refresh of a connection records no changes.
    """
    query = Fields(call.query(), ("since", "environment", "cursor", "pageSize"))
    since = query.instant("since")
    page = pagination.page_request(query, (int, int, str))
    environment = routed.chosen(query)
    query.done()
    connection = await routed.stored(call, Permission.READ, environment)
    found, total = await listing.changes(call.session, connection, since, page.after, page.size + 1)
    info = pagination.info([(each.found_at, each.position, each.id) for each in found], page, total)
    return ChangePage(info, [change(each) for each in found[: page.size]])


PATTERNS = "comma-separated names, in which `*` matches any text."
STORED = (EnvironmentNotFound, NoEnvironment)

ROUTES = (
    Route(
        method="GET",
        path="/catalog",
        scopes=(Scope.READ,),
        handler=search_catalogs,
        summary="Search the catalogs of all connections",
        answer=FoundPage,
        parameters=(
            Parameter(
                "search",
                {"type": "string", "minLength": 1},
                "A part of a name or a comment, in any case.",
                required=True,
            ),
            *pagination.PARAMETERS,
        ),
    ),
    Route(
        method="GET",
        path="/connections/{id}/tables",
        scopes=(Scope.READ,),
        handler=tables,
        kind="free",
        permission=Permission.QUERY,
        summary="List the tables of a connection",
        answer=CatalogTables,
        parameters=(
            routed.ENVIRONMENT,
            Parameter("schema", {"type": "string"}, f"Only these schemas: {PATTERNS}"),
            *pagination.PARAMETERS,
        ),
        headers=routed.HEADERS,
        errors=(*routed.ERRORS, Saturated, WarehouseError, QueryTimeout),
    ),
    Route(
        method="GET",
        path="/connections/{id}/catalog",
        scopes=(Scope.READ,),
        handler=catalog,
        kind="free",
        permission=Permission.READ,
        summary="Read the stored catalog of a connection",
        answer=CatalogPage,
        parameters=(
            routed.ENVIRONMENT,
            Parameter("schema", {"type": "string"}, f"Only these schemas: {PATTERNS}"),
            Parameter("table", {"type": "string"}, f"Only these tables: {PATTERNS}"),
            Parameter(
                "search",
                {"type": "string"},
                "Only tables whose name, columns or comments contain this text. Case does not matter.",
            ),
            *pagination.PARAMETERS,
        ),
        headers=routed.HEADERS,
        errors=STORED,
    ),
    Route(
        method="GET",
        path="/connections/{id}/catalog/changes",
        scopes=(Scope.READ,),
        handler=changes,
        permission=Permission.READ,
        summary="List the changes of a catalog",
        answer=ChangePage,
        parameters=(
            routed.ENVIRONMENT,
            Parameter(
                "since",
                {"type": "string", "format": "date-time"},
                "Only changes found at or after this time (ISO 8601).",
            ),
            *pagination.PARAMETERS,
        ),
        headers=routed.HEADERS,
        errors=STORED,
    ),
)
