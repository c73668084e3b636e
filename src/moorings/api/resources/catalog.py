"""The endpoints of what a warehouse holds: right now, at the last refresh, and what has changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from moorings.access.policy import Permission
from moorings.api.http import pagination
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Call, Parameter, Route
from moorings.api.resources import targets
from moorings.api.resources.catalog_shapes import CatalogPage, ChangePage, change, stored_table, table_shape
from moorings.api.resources.shapes import CatalogTables, instant
from moorings.catalog import listing, service
from moorings.catalog.listing import Filter
from moorings.dialects.introspection import Table, names
from moorings.errors import EnvironmentNotFound, NoEnvironment, QueryTimeout, Saturated, WarehouseError

LONGEST_LIST = 10_000
LONGEST_PATTERNS = 1000

_encode = msgspec.json.Encoder().encode


async def tables(call: Call) -> bytes:
    """The tables and views that the connection's login sees now, with columns and keys.

    Which schemas are read say the connection's `includeSchemas` and `includeOtherCatalogs`, or `schema`.
    """
    query = Fields(call.query(), ("schema", "environment"))
    schemas = names(query.string("schema", shortest=0, longest=LONGEST_LIST))
    environment = targets.chosen(query)
    query.done()
    target = await targets.routed(call, Permission.QUERY, environment)
    return await service.introspect(call.services.engine, target, schemas, _encoded)


def _encoded(found: Sequence[Table]) -> bytes:
    return _encode(CatalogTables([table_shape(table) for table in found]))


async def catalog(call: Call) -> CatalogPage:
    """The tables and views that the last refresh found, with columns and keys; the warehouse is not asked.

    Tables that the database dropped stay, with `missingSince`, until a hard refresh.
    """
    query = Fields(call.query(), ("schema", "table", "search", "environment", "cursor", "pageSize"))
    wanted = _filter(query)
    page = pagination.asked(query, (str, str, str))
    environment = targets.chosen(query)
    query.done()
    connection = await targets.stored(call, Permission.READ, environment)
    found, total = await listing.tables(call.session, connection, wanted, page.after, page.size + 1)
    facts = await listing.facts(call.session, connection)
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
        schemas=names(query.string("schema", shortest=0, longest=LONGEST_PATTERNS)),
        tables=names(query.string("table", shortest=0, longest=LONGEST_PATTERNS)),
        search=query.string("search", shortest=0) or "",
    )


async def changes(call: Call) -> ChangePage:
    """What refreshes found to be different: tables and columns that appeared or went, other types, comments and keys.

    The first refresh has nothing to compare with, and tells of no changes.
    """
    query = Fields(call.query(), ("since", "environment", "cursor", "pageSize"))
    since = query.instant("since")
    page = pagination.asked(query, (int, int, str))
    environment = targets.chosen(query)
    query.done()
    connection = await targets.stored(call, Permission.READ, environment)
    found, total = await listing.changes(call.session, connection, since, page.after, page.size + 1)
    info = pagination.info([(each.found_at, each.position, each.id) for each in found], page, total)
    return ChangePage(info, [change(each) for each in found[: page.size]])


PATTERNS = "names, comma-separated, with `*` as wildcard."
STORED = (EnvironmentNotFound, NoEnvironment)

ROUTES = (
    Route(
        method="GET",
        path="/connections/{id}/tables",
        handler=tables,
        kind="free",
        permission=Permission.QUERY,
        summary="List the tables of a connection",
        answer=CatalogTables,
        parameters=(
            targets.ENVIRONMENT,
            Parameter("schema", {"type": "string"}, f"Only these schemas: {PATTERNS}"),
        ),
        headers=targets.HEADERS,
        errors=(*targets.ERRORS, Saturated, WarehouseError, QueryTimeout),
    ),
    Route(
        method="GET",
        path="/connections/{id}/catalog",
        handler=catalog,
        permission=Permission.READ,
        summary="Read the stored catalog of a connection",
        answer=CatalogPage,
        parameters=(
            targets.ENVIRONMENT,
            Parameter("schema", {"type": "string"}, f"Only these schemas: {PATTERNS}"),
            Parameter("table", {"type": "string"}, f"Only these tables: {PATTERNS}"),
            Parameter(
                "search", {"type": "string"}, "Only tables where a name or a comment contains this, in any case."
            ),
            *pagination.PARAMETERS,
        ),
        headers=targets.HEADERS,
        errors=STORED,
    ),
    Route(
        method="GET",
        path="/connections/{id}/catalog/changes",
        handler=changes,
        permission=Permission.READ,
        summary="List what has changed in a catalog",
        answer=ChangePage,
        parameters=(
            targets.ENVIRONMENT,
            Parameter(
                "since", {"type": "string", "format": "date-time"}, "Only changes found at or after this instant."
            ),
            *pagination.PARAMETERS,
        ),
        headers=targets.HEADERS,
        errors=STORED,
    ),
)
