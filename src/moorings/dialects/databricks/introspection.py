"""Reads the structure of Databricks catalogs: three statements per catalog, for any number of tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Scope, Table

KINDS = {
    "VIEW": "view",
    "METRIC_VIEW": "view",
    "MATERIALIZED_VIEW": "materialized view",
    "EXTERNAL": "external table",
    "FOREIGN": "external table",
}
VISIBLE = "{column} <> 'information_schema' AND {schemas}"
TABLES = f"""
SELECT table_catalog, table_schema, table_name, table_type, comment
FROM {{catalog}}.information_schema.tables WHERE {VISIBLE}
"""  # noqa: S608  # of constants
COLUMNS = f"""
SELECT table_catalog, table_schema, table_name, column_name,
    row_number() OVER (PARTITION BY table_schema, table_name ORDER BY ordinal_position), full_data_type,
    is_nullable = 'YES', comment
FROM {{catalog}}.information_schema.columns WHERE {VISIBLE}
"""  # noqa: S608  # of constants
KEYS = f"""
SELECT k.table_catalog, k.table_schema, k.table_name, c.constraint_type, k.constraint_name, k.column_name,
    o.table_catalog, o.table_schema, o.table_name, o.column_name
FROM {{catalog}}.information_schema.key_column_usage k
JOIN {{catalog}}.information_schema.table_constraints c
    ON c.constraint_schema = k.constraint_schema AND c.constraint_name = k.constraint_name
LEFT JOIN {{catalog}}.information_schema.referential_constraints r
    ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
LEFT JOIN {{catalog}}.information_schema.key_column_usage o
    ON o.constraint_schema = r.unique_constraint_schema AND o.constraint_name = r.unique_constraint_name
    AND o.ordinal_position = k.position_in_unique_constraint
WHERE c.constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') AND {VISIBLE}
ORDER BY k.constraint_name, k.ordinal_position
"""  # noqa: S608  # of constants

Rows = Iterable[Sequence[Any]]


def tables(ask: Callable[[str], Rows], scope: Scope, own: str) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows. `own` is the session's catalog."""
    assembly = Assembly()
    for catalog in _catalogs(ask, scope, own):
        filled = {"catalog": quoted(catalog), "column": "table_schema", "schemas": scope.sql("table_schema")}
        for catalog_name, schema, name, kind, comment in ask(TABLES.format(**filled)):
            assembly.table(Table(catalog_name, schema, name, KINDS.get(kind, "table"), comment))
        for *place, name, position, native, nullable, comment in ask(COLUMNS.format(**filled)):
            column = Column(name, position, native, arrow_type(native), nullable, comment)
            assembly.column(_place(place), column)
        _keys(
            ask(KEYS.format(**filled | {"column": "k.table_schema", "schemas": scope.sql("k.table_schema")})), assembly
        )
    return assembly.tables()


def _keys(rows: Rows, assembly: Assembly) -> None:
    for catalog, schema, table, kind, key, column, *other in rows:
        if kind == "PRIMARY KEY":
            assembly.primary_key((catalog, schema, table), column)
        elif other[3] is not None:
            assembly.reference((catalog, schema, table), key, column, _place(other[:3]), other[3])


def _catalogs(ask: Callable[[str], Rows], scope: Scope, own: str) -> list[str]:
    if not scope.catalogs:
        return [own]
    return [name for (name, *_) in ask("SHOW CATALOGS") if scope.takes_catalog(name, own)]


def _place(parts: Sequence[Any]) -> tuple[str, str, str]:
    catalog, schema, table = parts
    return catalog, schema, table


def quoted(name: str) -> str:
    """A quoted name."""
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


ARROW = {
    "boolean": "bool",
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
    "date": "date32[day]",
    "timestamp": "timestamp[us, tz=UTC]",
    "timestamp_ntz": "timestamp[us]",
}
"""The server's types → Arrow's, as in results. Nested types are known only from a result."""


def arrow_type(native: str) -> str | None:
    """The Arrow type of a column; None if only a result shows it."""
    decimal = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", native)
    if decimal:
        return f"decimal128({decimal[1]}, {decimal[2]})"
    return ARROW.get(re.sub(r"^(varchar|char)\(\d+\)$", "string", native.lower()))
