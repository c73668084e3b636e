"""Reads the structure of SAP HANA from its system views: six statements, for any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Scope, Table

OTHERS = """
T.SCHEMA_NAME NOT IN ('SYS', 'SYSTEM_ROUTE') AND T.SCHEMA_NAME NOT LIKE '!_SYS!_%' ESCAPE '!'
AND T.SCHEMA_NAME NOT LIKE 'SYS!_XS%' ESCAPE '!'
"""
"""A condition that excludes the engine's own schemas."""

TABLES = """
SELECT T.SCHEMA_NAME, T.TABLE_NAME, T.COMMENTS, M.RECORD_COUNT, M.TABLE_SIZE
FROM SYS.TABLES T LEFT JOIN SYS.M_TABLES M ON M.SCHEMA_NAME = T.SCHEMA_NAME AND M.TABLE_NAME = T.TABLE_NAME
WHERE {schemas}
"""
VIEWS = "SELECT T.SCHEMA_NAME, T.VIEW_NAME, T.COMMENTS FROM SYS.VIEWS T WHERE {schemas}"
COLUMNS = """
SELECT T.SCHEMA_NAME, T.{kind}_NAME, T.COLUMN_NAME, T.POSITION, T.DATA_TYPE_NAME, T.LENGTH, T.SCALE, T.IS_NULLABLE,
    T.COMMENTS
FROM SYS.{kind}_COLUMNS T WHERE {schemas}
"""
PRIMARY_KEYS = """
SELECT T.SCHEMA_NAME, T.TABLE_NAME, T.COLUMN_NAME FROM SYS.CONSTRAINTS T
WHERE T.IS_PRIMARY_KEY = 'TRUE' AND {schemas} ORDER BY T.SCHEMA_NAME, T.TABLE_NAME, T.POSITION
"""
FOREIGN_KEYS = """
SELECT T.SCHEMA_NAME, T.TABLE_NAME, T.CONSTRAINT_NAME, T.COLUMN_NAME,
    T.REFERENCED_SCHEMA_NAME, T.REFERENCED_TABLE_NAME, T.REFERENCED_COLUMN_NAME
FROM SYS.REFERENTIAL_CONSTRAINTS T WHERE {schemas}
ORDER BY T.SCHEMA_NAME, T.TABLE_NAME, T.CONSTRAINT_NAME, T.POSITION
"""
PLAN = """
SELECT OPERATOR_NAME, OPERATOR_DETAILS, TABLE_NAME, OUTPUT_SIZE, SUBTREE_COST
FROM SYS.EXPLAIN_PLAN_TABLE WHERE STATEMENT_NAME = ? ORDER BY OPERATOR_ID
"""

ARROW = {
    "TINYINT": "uint8",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "REAL": "float",
    "DOUBLE": "double",
    "BOOLEAN": "bool",
    "DATE": "date32[day]",
    "TIME": "time32[s]",
    "SECONDDATE": "timestamp[us]",
    "TIMESTAMP": "timestamp[us]",
    "BINARY": "binary",
    "VARBINARY": "binary",
    "BLOB": "binary",
    "ST_GEOMETRY": "binary",
    "ST_POINT": "binary",
}

Rows = Iterable[Sequence[Any]]


def tables(ask: Callable[[str], Rows], scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows."""
    assembly = Assembly()
    schemas = f"{OTHERS} AND {scope.sql('T.SCHEMA_NAME')}"
    for schema, name, comment, rows, size in ask(TABLES.format(schemas=schemas)):
        assembly.table(Table(None, schema, name, "table", comment or None, rows, size))
    for schema, name, comment in ask(VIEWS.format(schemas=schemas)):
        assembly.table(Table(None, schema, name, "view", comment or None))
    for kind in ("TABLE", "VIEW"):
        _columns(assembly, ask(COLUMNS.format(kind=kind, schemas=schemas)))
    for schema, table, column in ask(PRIMARY_KEYS.format(schemas=schemas)):
        assembly.primary_key((None, schema, table), column)
    for schema, table, key, column, *other, other_column in ask(FOREIGN_KEYS.format(schemas=schemas)):
        assembly.reference((None, schema, table), key, column, (None, *other), other_column)
    return assembly.tables()


def _columns(assembly: Assembly, rows: Rows) -> None:
    for schema, table, name, position, kind, length, scale, nullable, comment in rows:
        column = Column(
            name,
            position,
            native_type(kind, length, scale),
            arrow_type(kind, length, scale),
            nullable == "TRUE",
            comment or None,
        )
        assembly.column((None, schema, table), column)


def native_type(kind: str, length: int | None, scale: int | None) -> str:
    """A column's type as in its definition."""
    if kind == "DECIMAL" and scale is not None:
        return f"{kind}({length}, {scale})"
    sized = "CHAR" in kind or "BINARY" in kind or kind in ("ALPHANUM", "SHORTTEXT")
    return f"{kind}({length})" if sized and length else kind


def arrow_type(kind: str, precision: int | None, scale: int | None) -> str:
    """The Arrow type of a column, as in results."""
    if kind == "DECIMAL" and scale is not None:
        return f"decimal{128 if (precision or 0) <= 38 else 256}({precision}, {scale})"
    return ARROW.get(kind, "string")
