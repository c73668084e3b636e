"""Reads the structure of Exasol from its system tables: four statements, for any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moorings.dialects.exasol.types import declared_type
from moorings.dialects.introspection import Assembly, Column, Scope, Table

SCHEMA = """
SELECT SCHEMA_OWNER = CURRENT_USER,
    EXISTS (SELECT 1 FROM SYS.EXA_ALL_OBJECTS O WHERE O.ROOT_NAME = S.SCHEMA_NAME)
FROM SYS.EXA_SCHEMAS S WHERE SCHEMA_NAME = ?
"""
"""Whether the default schema is the user's own, and whether the user sees anything in it."""
TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_COMMENT, TABLE_ROW_COUNT, S.RAW_OBJECT_SIZE
FROM SYS.EXA_ALL_TABLES T LEFT JOIN SYS.EXA_ALL_OBJECT_SIZES S
    ON S.ROOT_NAME = T.TABLE_SCHEMA AND S.OBJECT_NAME = T.TABLE_NAME AND S.OBJECT_TYPE = 'TABLE'
WHERE {schemas}
"""
VIEWS = "SELECT VIEW_SCHEMA, VIEW_NAME, VIEW_COMMENT FROM SYS.EXA_ALL_VIEWS WHERE {schemas}"
COLUMNS = """
SELECT COLUMN_SCHEMA, COLUMN_TABLE, COLUMN_NAME, COLUMN_ORDINAL_POSITION, COLUMN_TYPE, COLUMN_IS_NULLABLE,
    COLUMN_COMMENT
FROM SYS.EXA_ALL_COLUMNS WHERE {schemas}
"""
KEYS = """
SELECT CONSTRAINT_SCHEMA, CONSTRAINT_TABLE, CONSTRAINT_TYPE, CONSTRAINT_NAME, COLUMN_NAME,
    REFERENCED_SCHEMA, REFERENCED_TABLE, REFERENCED_COLUMN
FROM SYS.EXA_ALL_CONSTRAINT_COLUMNS WHERE CONSTRAINT_TYPE IN ('PRIMARY KEY', 'FOREIGN KEY') AND {schemas}
ORDER BY CONSTRAINT_SCHEMA, CONSTRAINT_TABLE, CONSTRAINT_NAME, ORDINAL_POSITION
"""


def tables(ask: Callable[[str], Iterable[Sequence[Any]]], scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows."""
    assembly = Assembly()
    for schema, name, comment, rows, size in ask(TABLES.format(schemas=scope.sql("TABLE_SCHEMA"))):
        assembly.table(Table(None, schema, name, "table", comment or None, _number(rows), _number(size)))
    for schema, name, comment in ask(VIEWS.format(schemas=scope.sql("VIEW_SCHEMA"))):
        assembly.table(Table(None, schema, name, "view", comment or None))
    for schema, table, name, position, kind, nullable, comment in ask(
        COLUMNS.format(schemas=scope.sql("COLUMN_SCHEMA"))
    ):
        may_be_null = nullable is not False  # no sizes of views
        column = Column(name, int(position), kind, declared_type(kind), may_be_null, comment or None)
        assembly.column((None, schema, table), column)
    for schema, table, kind, key, column, *other in ask(KEYS.format(schemas=scope.sql("CONSTRAINT_SCHEMA"))):
        if kind == "PRIMARY KEY":
            assembly.primary_key((None, schema, table), column)
        else:
            assembly.reference((None, schema, table), key, column, (None, other[0], other[1]), other[2])
    return assembly.tables()


def _number(value: Any) -> int | None:
    """A number, which JSON has as a string if it is large."""
    return None if value is None else int(value)
