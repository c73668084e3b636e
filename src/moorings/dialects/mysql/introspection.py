"""Reads the structure of a MySQL-family server from information_schema: three statements for any number of tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from moorings.dialects.introspection import Assembly, Column, Scope, Table

OWN = "('information_schema', 'mysql', 'performance_schema', 'sys', '_statistics_', 'starrocks_audit_db__')"
"""The server's own databases; the last two are StarRocks'."""

TABLES = """
SELECT table_schema, table_name, table_type, table_comment, table_rows, data_length + index_length
FROM information_schema.tables WHERE table_schema NOT IN {own} AND {schemas}
"""
COLUMNS = """
SELECT table_schema, table_name, column_name, ordinal_position, column_type, is_nullable, column_comment,
    data_type, numeric_precision, numeric_scale
FROM information_schema.columns WHERE table_schema NOT IN {own} AND {schemas}
"""
KEYS = """
SELECT table_schema, table_name, constraint_name, column_name,
    referenced_table_schema, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE (constraint_name = 'PRIMARY' OR referenced_table_name IS NOT NULL)
    AND table_schema NOT IN {own} AND {schemas}
ORDER BY table_schema, table_name, constraint_name, ordinal_position
"""

Cell = bytes | None


def tables(ask: Callable[[str], Iterable[Sequence[Cell]]], scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows as bytes. A schema is a database here."""
    assembly = Assembly()
    filled = {"own": OWN, "schemas": scope.sql("table_schema")}
    for schema, name, kind, comment, rows, size in ask(TABLES.format(**filled)):
        view = "VIEW" in text(kind)
        remark = None if view else text(comment) or None  # a view's comment is the word VIEW
        counts = (None, None) if view else (number(rows), number(size))
        assembly.table(Table(None, text(schema), text(name), "view" if view else "table", remark, *counts))
    for schema, table, name, position, native, nullable, comment, *kind in ask(COLUMNS.format(**filled)):
        arrow = arrow_type(text(kind[0]), text(native), number(kind[1]), number(kind[2]))
        column = Column(
            text(name), number(position) or 0, text(native), arrow, text(nullable) == "YES", text(comment) or None
        )
        assembly.column((None, text(schema), text(table)), column)
    for schema, table, key, column, *other in ask(KEYS.format(**filled)):
        place = (None, text(schema), text(table))
        if other[1] is None:
            assembly.primary_key(place, text(column))
        else:
            referred = (None, text(other[0]), text(other[1]))
            assembly.reference(place, text(key), text(column), referred, text(other[2]))
    return assembly.tables()


def text(cell: Cell) -> str:
    """A cell as text; empty for null."""
    return "" if cell is None else cell.decode()


def number(cell: Cell) -> int | None:
    """A cell as an integer."""
    return None if cell is None else int(cell)


INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 32, "int": 32, "integer": 32, "bigint": 64}
ARROW = {
    "float": "float",
    "double": "double",
    "bit": "uint64",
    "boolean": "int8",
    "year": "uint16",
    "date": "date32[day]",
    "datetime": "timestamp[us]",
    "timestamp": "timestamp[us]",
    "time": "duration[us]",
}
BINARY = re.compile("binary|blob|geometry|point|linestring|polygon|multi|collection|vector")


def arrow_type(data_type: str, column_type: str, precision: int | None, scale: int | None) -> str:
    """The Arrow type of a column, as results have it."""
    if data_type in INTEGERS:
        return f"{'u' if 'unsigned' in column_type else ''}int{INTEGERS[data_type]}"
    if data_type in ("decimal", "numeric") and precision is not None:
        return f"decimal{128 if precision <= 38 else 256}({precision}, {scale or 0})"
    if data_type in ARROW:
        return ARROW[data_type]
    return "binary" if BINARY.search(data_type) else "string"
