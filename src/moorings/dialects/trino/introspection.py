"""Reads the structure of Trino's catalogs: four statements per catalog, for any number of tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from trino.exceptions import TrinoQueryError

from moorings.dialects.introspection import Assembly, Column, Scope, Table
from moorings.dialects.trino.statements import identifier, text
from moorings.dialects.trino.types import arrow_type

TABLES = """
SELECT table_schema, table_name, table_type FROM {catalog}.information_schema.tables
WHERE table_schema <> 'information_schema' AND {schemas}
"""
COLUMNS = """
SELECT table_schema, table_name, column_name, ordinal_position, data_type, is_nullable, "comment"
FROM {catalog}.information_schema.columns WHERE table_schema <> 'information_schema' AND {schemas}
"""
COMMENTS = """
SELECT schema_name, table_name, "comment" FROM system.metadata.table_comments
WHERE catalog_name = {name} AND {schemas} AND "comment" <> ''
"""
MATERIALIZED = """
SELECT schema_name, name FROM system.metadata.materialized_views WHERE catalog_name = {name} AND {schemas}
"""

Ask = Callable[[str], Iterable[Sequence[Any]]]


def tables(ask: Ask, scope: Scope, own: str) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows. `own` is the connection's catalog."""
    found: list[Table] = []
    for catalog in [own, *_others(ask, scope, own)]:
        found += _catalog(ask, scope, catalog)
    return found


def _others(ask: Ask, scope: Scope, own: str) -> Iterator[str]:
    if scope.catalogs:
        for (catalog,) in ask("SHOW CATALOGS"):
            if catalog != own and catalog != "system" and scope.takes_catalog(catalog, None):
                yield catalog


def _catalog(ask: Ask, scope: Scope, catalog: str) -> list[Table]:
    filled = {"catalog": identifier(catalog), "name": text(catalog)}
    by_table = filled | {"schemas": scope.sql("table_schema")}
    by_schema = filled | {"schemas": scope.sql("schema_name")}
    comments = {(schema, name): comment for schema, name, comment in _optional_rows(ask, COMMENTS.format(**by_schema))}
    materialized = {(schema, name) for schema, name in _optional_rows(ask, MATERIALIZED.format(**by_schema))}
    assembly = Assembly()
    for schema, name, kind in ask(TABLES.format(**by_table)):
        table_kind = "materialized view" if (schema, name) in materialized else "view" if kind == "VIEW" else "table"
        assembly.table(Table(catalog, schema, name, table_kind, comments.get((schema, name))))
    for schema, table, name, position, native, nullable, comment in ask(COLUMNS.format(**by_table)):
        arrow = str(arrow_type(native))
        column = Column(name, int(position), native, arrow, nullable == "YES", comment or None)
        assembly.column((catalog, schema, table), column)
    return assembly.tables()


def _optional_rows(ask: Ask, sql: str) -> list[Sequence[Any]]:
    """The rows of a statement that some logins may not run and some connectors do not support; none in these cases."""
    with contextlib.suppress(TrinoQueryError):
        return list(ask(sql))
    return []
