"""Reads the structure of StarRocks from information_schema: two statements per catalog, for any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from moorings.dialects.introspection import Assembly, Column, Scope, Table
from moorings.dialects.mysql.introspection import Cell, number, text

OWN = "('information_schema', 'sys', '_statistics_', 'starrocks_audit_db__')"
"""The server's own databases."""
CATALOGS = "SHOW CATALOGS"
TABLES = """
SELECT table_schema, table_name, table_type, table_comment, table_rows, data_length
FROM information_schema.tables WHERE table_schema NOT IN {own} AND {schemas}
"""
COLUMNS = """
SELECT table_schema, table_name, column_name, ordinal_position, column_type, is_nullable, column_comment,
    data_type, numeric_precision, numeric_scale, column_key
FROM information_schema.columns WHERE table_schema NOT IN {own} AND {schemas}
ORDER BY table_schema, table_name, ordinal_position
"""
ARROW = {
    "tinyint": "int8",
    "boolean": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float",
    "double": "double",
    "date": "date32[day]",
    "datetime": "timestamp[us]",
    "char": "string",
    "varchar": "string",
}
"""Only a result shows the Arrow type of other types."""

Ask = Callable[[str], Iterable[Sequence[Cell]]]


def tables(ask: Ask, scope: Scope, own: str) -> list[Table]:
    """The visible tables of the login's own catalog and the included ones.

    `ask` runs a statement, and cells are bytes.
    """
    assembly = Assembly()
    catalogs = [text(row[0]) for row in ask(CATALOGS)] if scope.catalogs else [own]
    for catalog in catalogs:
        if scope.takes_catalog(catalog, own):
            ask(f"SET CATALOG `{catalog}`")
            _read(assembly, ask, scope, catalog)
    ask(f"SET CATALOG `{own}`")
    return assembly.tables()


def _read(assembly: Assembly, ask: Ask, scope: Scope, catalog: str) -> None:
    filled = {"own": OWN, "schemas": scope.sql("table_schema")}
    for schema, name, kind, comment, rows, size in ask(TABLES.format(**filled)):
        view = "VIEW" in text(kind)
        assembly.table(
            Table(
                catalog,
                text(schema),
                text(name),
                "view" if view else "table",
                text(comment) or None,
                None if view else number(rows),
                None if view else number(size),
            )
        )
    for schema, table, name, position, native, nullable, comment, kind, precision, scale, key in ask(
        COLUMNS.format(**filled)
    ):
        place = (catalog, text(schema), text(table))
        arrow = arrow_type(text(kind), number(precision), number(scale))
        assembly.column(
            place,
            Column(
                text(name), number(position) or 0, text(native), arrow, text(nullable) == "YES", text(comment) or None
            ),
        )
        if text(key) == "PRI":
            assembly.primary_key(place, text(name))


def arrow_type(data_type: str, precision: int | None, scale: int | None) -> str | None:
    """The Arrow type of a column, as results have it; None if only a result shows it."""
    if data_type.startswith("decimal") and precision is not None:
        return f"decimal{128 if precision <= 38 else 256}({precision}, {scale or 0})"
    return ARROW.get(data_type)
