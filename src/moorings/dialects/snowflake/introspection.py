"""Reads the structure of a Snowflake account: four statements per database, for any number of tables.

INFORMATION_SCHEMA has no key columns; SHOW has them, but lists at most 10,000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Scope, Table
from moorings.dialects.snowflake.types import arrow_type, native_type

KINDS = {"VIEW": "view", "MATERIALIZED VIEW": "materialized view", "EXTERNAL TABLE": "external table"}
VISIBLE = "table_schema <> 'INFORMATION_SCHEMA' AND {schemas}"
TABLES = f"""
SELECT table_catalog, table_schema, table_name, table_type, comment, row_count, bytes
FROM {{catalog}}.INFORMATION_SCHEMA.TABLES WHERE {VISIBLE}
"""  # noqa: S608  # of constants
COLUMNS = f"""
SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, data_type, numeric_precision,
    numeric_scale, character_maximum_length, is_nullable, comment
FROM {{catalog}}.INFORMATION_SCHEMA.COLUMNS WHERE {VISIBLE}
"""  # noqa: S608  # of constants

Row = dict[str, Any]
Ask = Callable[[str], Sequence[Row]]


def tables(ask: Ask, scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows, by columns' names in lower case."""
    assembly = Assembly()
    for catalog in _catalogs(ask, scope):
        filled = {"catalog": quoted(catalog), "schemas": scope.sql("table_schema")}
        for row in ask(TABLES.format(**filled)):
            assembly.table(_table(row))
        for row in ask(COLUMNS.format(**filled)):
            assembly.column(_place(row, "table_catalog", "table_schema", "table_name"), _column(row))
        _keys(ask, assembly, filled["catalog"])
    return assembly.tables()


def quoted(name: str) -> str:
    """A quoted name."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _catalogs(ask: Ask, scope: Scope) -> list[str]:
    own = ask("SELECT CURRENT_DATABASE() AS name")[0]["name"]
    if not scope.catalogs:
        return [own]
    return [row["name"] for row in ask("SHOW TERSE DATABASES") if scope.takes_catalog(row["name"], own)]


def _place(row: Row, *names: str) -> tuple[str, str, str]:
    catalog, schema, table = (row[name] for name in names)
    return catalog, schema, table


def _table(row: Row) -> Table:
    place = _place(row, "table_catalog", "table_schema", "table_name")
    kind = KINDS.get(row["table_type"], "table")
    return Table(*place, kind, row["comment"] or None, _whole(row["row_count"]), _whole(row["bytes"]))


def _column(row: Row) -> Column:
    name, precision, scale = row["data_type"], _whole(row["numeric_precision"]), _whole(row["numeric_scale"])
    return Column(
        row["column_name"],
        int(row["ordinal_position"]),
        native_type(name, precision, scale, _whole(row["character_maximum_length"])),
        arrow_type(name, precision, scale),
        row["is_nullable"] == "YES",
        row["comment"] or None,
    )


def _whole(value: Any) -> int | None:
    """Counts come as decimals: Snowflake's numbers are wide."""
    return None if value is None else int(value)


def _keys(ask: Ask, assembly: Assembly, catalog: str) -> None:
    own, other = (
        ("fk_database_name", "fk_schema_name", "fk_table_name"),
        ("pk_database_name", "pk_schema_name", "pk_table_name"),
    )
    for row in sorted(ask(f"SHOW PRIMARY KEYS IN DATABASE {catalog}"), key=_sequence):
        assembly.primary_key(_place(row, "database_name", "schema_name", "table_name"), row["column_name"])
    for row in sorted(ask(f"SHOW IMPORTED KEYS IN DATABASE {catalog}"), key=_sequence):
        columns = row["fk_column_name"], _place(row, *other), row["pk_column_name"]
        assembly.reference(_place(row, *own), row["fk_name"], *columns)


def _sequence(row: Row) -> int:
    return int(row["key_sequence"])
