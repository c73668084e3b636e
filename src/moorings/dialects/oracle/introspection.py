"""Reads the structure of an Oracle database from the ALL_ views: three statements, for any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Scope, Table

VISIBLE = "{owner} NOT IN (SELECT username FROM all_users WHERE oracle_maintained = 'Y')"

TABLES = """
SELECT t.owner, t.table_name, 'table', c.comments, t.num_rows FROM all_tables t
LEFT JOIN all_tab_comments c ON c.owner = t.owner AND c.table_name = t.table_name
WHERE t.nested = 'NO' AND t.secondary = 'N' AND {visible} AND {schemas}
UNION ALL
SELECT t.owner, t.view_name, 'view', c.comments, NULL FROM all_views t
LEFT JOIN all_tab_comments c ON c.owner = t.owner AND c.table_name = t.view_name
WHERE {visible} AND {schemas}
"""
COLUMNS = """
SELECT t.owner, t.table_name, t.column_name, t.column_id, t.data_type, t.data_length, t.char_length, t.data_precision,
    t.data_scale, t.nullable, c.comments
FROM all_tab_columns t LEFT JOIN all_col_comments c
    ON c.owner = t.owner AND c.table_name = t.table_name AND c.column_name = t.column_name
WHERE {visible} AND {schemas}
"""
KEYS = """
SELECT t.owner, t.table_name, t.constraint_type, t.constraint_name, own.column_name, other.owner, other.table_name,
    other.column_name
FROM all_constraints t
JOIN all_cons_columns own ON own.owner = t.owner AND own.constraint_name = t.constraint_name
LEFT JOIN all_cons_columns other ON other.owner = t.r_owner AND other.constraint_name = t.r_constraint_name
    AND other.position = own.position
WHERE t.constraint_type IN ('P', 'R') AND {visible} AND {schemas}
ORDER BY t.owner, t.constraint_name, own.position
"""


def tables(ask: Callable[[str], Iterable[Sequence[Any]]], scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows. A catalog is a service, and not named."""
    assembly = Assembly()
    filled = {"visible": VISIBLE.format(owner="t.owner"), "schemas": scope.sql("t.owner")}
    for owner, name, kind, comment, rows in ask(TABLES.format(**filled)):
        assembly.table(Table(None, owner, name, kind, comment, rows))
    for owner, table, name, place, *kind, nullable, comment in ask(COLUMNS.format(**filled)):
        column = Column(name, place, native_type(*kind), arrow_type(kind[0], *kind[3:]), nullable == "Y", comment)
        assembly.column((None, owner, table), column)
    for owner, table, kind, key, column, *other in ask(KEYS.format(**filled)):
        if kind == "P":
            assembly.primary_key((None, owner, table), column)
        elif other[1] is not None:
            assembly.reference((None, owner, table), key, column, (None, other[0], other[1]), other[2])
    return assembly.tables()


def native_type(name: str, length: int, characters: int, precision: int | None, scale: int | None) -> str:
    """A type as in the definition of a column."""
    if name == "NUMBER" and precision is not None:
        return f"NUMBER({precision},{scale or 0})"
    if name in ("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR"):
        return f"{name}({characters})"
    return f"RAW({length})" if name == "RAW" else name


ARROW = {
    **dict.fromkeys(("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "CLOB", "NCLOB", "LONG", "ROWID"), "string"),
    **dict.fromkeys(("RAW", "BLOB", "LONG RAW"), "binary"),
    "BINARY_FLOAT": "float",
    "BINARY_DOUBLE": "double",
}


def arrow_type(name: str, precision: int | None, scale: int | None) -> str | None:
    """The Arrow type of a column if the driver's documentation defines it; else only a result shows it."""
    if name == "NUMBER" and precision is not None and scale:
        return f"decimal128({precision}, {scale})"
    return ARROW.get(name)
