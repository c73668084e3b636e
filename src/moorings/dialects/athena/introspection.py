"""Reads the structure of Athena's data catalogs by metadata calls: pages of tables, without any statement.

INFORMATION_SCHEMA would be a query of its own, which Athena answers in seconds to minutes, and bills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from moorings.dialects.athena.types import arrow_type
from moorings.dialects.introspection import Assembly, Column, Scope, Table


class Pages(Protocol):
    """Calls an operation of Athena's until its last page; returns the pages' values of a key."""

    def __call__(self, operation: str, key: str, **arguments: Any) -> Iterable[Mapping[str, Any]]:
        """Call it."""
        ...


def tables(pages: Pages, scope: Scope, own: str) -> list[Table]:
    """The tables that the login may see, in the connection's own catalog and in the included ones."""
    assembly = Assembly()
    for catalog in _catalogs(pages, scope, own):
        for database in pages("list_databases", "DatabaseList", CatalogName=catalog):
            schema = database["Name"]
            if not scope.takes(schema):
                continue
            for table in pages("list_table_metadata", "TableMetadataList", CatalogName=catalog, DatabaseName=schema):
                _add(assembly, catalog, schema, table)
    return assembly.tables()


def _catalogs(pages: Pages, scope: Scope, own: str) -> list[str]:
    if not scope.catalogs:
        return [own]
    found = (each["CatalogName"] for each in pages("list_data_catalogs", "DataCatalogsSummary"))
    return [own, *(name for name in found if name != own and scope.takes_catalog(name, own))]


def _add(assembly: Assembly, catalog: str, schema: str, table: Mapping[str, Any]) -> None:
    kind = "view" if table.get("TableType") == "VIRTUAL_VIEW" else "table"  # each table is an external one here
    comment = table.get("Parameters", {}).get("comment")
    assembly.table(Table(catalog, schema, table["Name"], kind, comment))
    columns = [*table.get("Columns", []), *table.get("PartitionKeys", [])]
    for position, column in enumerate(columns, 1):
        native = column.get("Type", "string")
        known = Column(column["Name"], position, native, arrow_type(native), comment=column.get("Comment"))
        assembly.column((catalog, schema, table["Name"]), known)
