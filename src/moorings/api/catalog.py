"""The endpoint that looks into a warehouse."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from moorings.access.policy import Permission
from moorings.api import targets
from moorings.api.fields import Fields
from moorings.api.routing import Call, Parameter, Route
from moorings.api.shapes import CatalogColumn, CatalogReference, CatalogTable, CatalogTables
from moorings.catalog import service
from moorings.dialects.structure import Table, names
from moorings.errors import QueryTimeout, Saturated, WarehouseError

LONGEST_LIST = 10_000

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
    return _encode(CatalogTables([_shape(table) for table in found]))


def _shape(table: Table) -> CatalogTable:
    columns = [
        CatalogColumn(
            column.name, column.position, column.native_type, column.arrow_type, column.nullable, column.comment
        )
        for column in table.columns
    ]
    references = [
        CatalogReference(key.name, list(key.columns), key.catalog, key.schema, key.table, list(key.referred_columns))
        for key in table.foreign_keys
    ]
    return CatalogTable(
        table.catalog,
        table.schema,
        table.name,
        table.kind,
        table.comment,
        table.row_count,
        table.size_bytes,
        columns,
        list(table.primary_key),
        references,
    )


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
            Parameter(
                "schema", {"type": "string"}, "Only these schemas: names, comma-separated, with `*` as wildcard."
            ),
        ),
        headers=targets.HEADERS,
        errors=(*targets.ERRORS, Saturated, WarehouseError, QueryTimeout),
    ),
)
