"""Reads the structure of a ClickHouse server from its system tables: three statements for any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moorings.dialects.clickhouse.statements import literal
from moorings.dialects.clickhouse.types import arrow_type, nullable
from moorings.dialects.introspection import Assembly, Column, Scope, Table

OWN = ("system", "information_schema", "INFORMATION_SCHEMA")

DATABASES = "SELECT name FROM system.databases"
TABLES = """
SELECT database, name, engine, comment, total_rows, total_bytes, primary_key
FROM system.tables WHERE database IN ({databases}) AND NOT is_temporary AND NOT startsWith(name, '.inner')
"""
COLUMNS = """
SELECT database, table, name, position, type, comment
FROM system.columns WHERE database IN ({databases}) ORDER BY position
"""
KINDS = {"View": "view", "MaterializedView": "materialized view", "LiveView": "view", "WindowView": "view"}
ELSEWHERE = (
    *("AzureBlobStorage", "AzureQueue", "DeltaLake", "File", "HDFS", "Hive", "Hudi", "Iceberg", "JDBC", "Kafka"),
    *("MongoDB", "MySQL", "NATS", "ODBC", "PostgreSQL", "RabbitMQ", "Redis", "S3", "S3Queue", "SQLite", "URL"),
)
"""Engines whose rows are outside ClickHouse."""

Rows = Iterable[Sequence[Any]]


def tables(ask: Callable[[str], Rows], scope: Scope, zone: str) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows. A schema is a database here."""
    named = [name for (name,) in ask(DATABASES) if name not in OWN and scope.takes(name)]
    if not named:
        return []
    databases = ", ".join(map(literal, named))
    assembly, keys = Assembly(), dict[tuple[None, str, str], list[str]]()
    for database, name, engine, comment, rows, size, key in ask(TABLES.format(databases=databases)):
        kind = KINDS.get(engine, "external table" if engine in ELSEWHERE else "table")
        assembly.table(Table(None, database, name, kind, comment or None, rows, size))
        keys[None, database, name] = [part.strip().strip("`") for part in key.split(",") if part.strip()]
    columns = dict[tuple[None, str, str], set[str]]()
    for database, table, name, position, native, comment in ask(COLUMNS.format(databases=databases)):
        place = (None, database, table)
        arrow = arrow_type(native, zone)
        arrow_name = str(arrow) if arrow is not None else None
        assembly.column(place, Column(name, position, native, arrow_name, nullable(native), comment or None))
        columns.setdefault(place, set()).add(name)
    for place, parts in keys.items():
        if columns.get(place, set()).issuperset(parts):  # else it consists of expressions
            for part in parts:
                assembly.primary_key(place, part)
    return assembly.tables()
