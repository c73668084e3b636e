"""Reads the structure of a DuckDB database from its table functions: three statements, for any number of tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Scope, Table

TABLES = """
SELECT database_name, schema_name, table_name, 'table', comment, estimated_size FROM duckdb_tables()
WHERE NOT internal AND NOT temporary
UNION ALL
SELECT database_name, schema_name, view_name, 'view', comment, NULL FROM duckdb_views()
WHERE NOT internal AND NOT temporary
"""
COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, column_index, data_type, is_nullable, comment
FROM duckdb_columns() WHERE NOT internal
"""
KEYS = """
SELECT database_name, schema_name, table_name, constraint_type, constraint_name, constraint_column_names,
    referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
"""

Rows = Iterable[Sequence[Any]]


def tables(ask: Callable[[str], Rows], scope: Scope, own: str) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows.

    `own` is the catalog of the connection itself.
    """
    assembly = Assembly()
    for catalog, schema, name, kind, comment, rows in ask(TABLES):
        if scope.takes(schema) and scope.takes_catalog(catalog, own):
            assembly.table(Table(catalog, schema, name, kind, comment, rows))
    for catalog, schema, table, name, position, native, nullable, comment in ask(COLUMNS):
        column = Column(name, position, native, arrow_type(native), nullable, comment)
        assembly.column((catalog, schema, table), column)
    for catalog, schema, table, kind, key, columns, other, referred in ask(KEYS):
        place = (catalog, schema, table)
        if kind == "PRIMARY KEY":
            for column in columns:
                assembly.primary_key(place, column)
        else:
            for column, other_column in zip(columns, referred, strict=True):
                assembly.reference(place, key or other, column, (catalog, schema, other), other_column)
    return assembly.tables()


ARROW = {
    "BOOLEAN": "bool",
    "TINYINT": "int8",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "UTINYINT": "uint8",
    "USMALLINT": "uint16",
    "UINTEGER": "uint32",
    "UBIGINT": "uint64",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "date32[day]",
    "TIME": "time64[us]",
    "TIMESTAMP": "timestamp[us]",
    "TIMESTAMP_S": "timestamp[s]",
    "TIMESTAMP_MS": "timestamp[ms]",
    "TIMESTAMP_NS": "timestamp[ns]",
    "INTERVAL": "month_day_nano_interval",
    "UUID": "string",
    "JSON": "string",
}


def arrow_type(native: str) -> str | None:
    """The Arrow type of a column; None for nested and rare types, which only a result shows."""
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", native):
        return f"decimal128({decimal[1]}, {decimal[2]})"
    if native.endswith("[]"):
        element = arrow_type(native[:-2])
        return f"list<l: {element}>" if element else None
    return ARROW.get(native)
