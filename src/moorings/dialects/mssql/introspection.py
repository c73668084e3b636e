"""Reads the structure of a SQL Server from the views of `sys`: four statements per database, for any number of tables.

These views show only objects that the login may see, and need no further right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Place, Scope, Table

KINDS = {"U": "table", "V": "view", "ET": "external table"}
DATABASES = """
SELECT name FROM sys.databases WHERE database_id > 4 AND HAS_DBACCESS(name) = 1
"""
"""The first four are master, tempdb, model and msdb."""
VISIBLE = """
    o.is_ms_shipped = 0 AND o.type IN ('U', 'V', 'ET') AND s.name NOT IN ('sys', 'INFORMATION_SCHEMA')
"""
TABLES = """
SELECT s.name AS schema_name, o.name AS table_name, o.type AS kind, CAST(d.value AS nvarchar(4000)) AS comment,
    r.row_count AS row_count, z.size_bytes AS size_bytes
FROM {db}sys.objects o JOIN {db}sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN {db}sys.extended_properties d
    ON d.class = 1 AND d.major_id = o.object_id AND d.minor_id = 0 AND d.name = 'MS_Description'
LEFT JOIN (
    SELECT object_id, SUM(rows) AS row_count FROM {db}sys.partitions WHERE index_id IN (0, 1) GROUP BY object_id
) r ON r.object_id = o.object_id
LEFT JOIN (
    SELECT p.object_id, SUM(a.total_pages) * 8192 AS size_bytes FROM {db}sys.partitions p
    JOIN {db}sys.allocation_units a
        ON a.container_id = CASE WHEN a.type = 2 THEN p.partition_id ELSE p.hobt_id END
    GROUP BY p.object_id
) z ON z.object_id = o.object_id
WHERE {visible} AND {schemas}
"""
COLUMNS = """
SELECT s.name AS schema_name, o.name AS table_name, c.name AS column_name, c.column_id AS place, t.name AS type_name,
    b.name AS base_name, c.max_length AS max_length, c.precision AS digits, c.scale AS scale,
    c.is_nullable AS is_nullable, CAST(d.value AS nvarchar(4000)) AS comment
FROM {db}sys.columns c JOIN {db}sys.objects o ON o.object_id = c.object_id
JOIN {db}sys.schemas s ON s.schema_id = o.schema_id
JOIN {db}sys.types t ON t.user_type_id = c.user_type_id
LEFT JOIN {db}sys.types b ON b.user_type_id = t.system_type_id
LEFT JOIN {db}sys.extended_properties d
    ON d.class = 1 AND d.major_id = c.object_id AND d.minor_id = c.column_id AND d.name = 'MS_Description'
WHERE {visible} AND {schemas}
"""
PRIMARY_KEYS = """
SELECT s.name AS schema_name, o.name AS table_name, c.name AS column_name
FROM {db}sys.indexes i JOIN {db}sys.objects o ON o.object_id = i.object_id
JOIN {db}sys.schemas s ON s.schema_id = o.schema_id
JOIN {db}sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN {db}sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.is_primary_key = 1 AND {visible} AND {schemas}
ORDER BY o.object_id, k.key_ordinal
"""
FOREIGN_KEYS = """
SELECT s.name AS schema_name, o.name AS table_name, f.name AS key_name, c.name AS column_name,
    rs.name AS referred_schema, ro.name AS referred_table, rc.name AS referred_column
FROM {db}sys.foreign_keys f JOIN {db}sys.objects o ON o.object_id = f.parent_object_id
JOIN {db}sys.schemas s ON s.schema_id = o.schema_id
JOIN {db}sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
JOIN {db}sys.columns c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
JOIN {db}sys.objects ro ON ro.object_id = k.referenced_object_id
JOIN {db}sys.schemas rs ON rs.schema_id = ro.schema_id
JOIN {db}sys.columns rc ON rc.object_id = k.referenced_object_id AND rc.column_id = k.referenced_column_id
WHERE {visible} AND {schemas}
ORDER BY f.object_id, k.constraint_column_id
"""

Ask = Callable[[str], Iterable[Sequence[Any]]]


def tables(ask: Ask, scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows."""
    assembly = Assembly()
    for catalog in _catalogs(ask, scope):
        quoted = catalog.replace("]", "]]")
        filled = {"db": f"[{quoted}].", "visible": VISIBLE, "schemas": scope.sql("s.name")}
        _read(lambda sql, filled=filled: ask(sql.format(**filled)), catalog, assembly)
    return assembly.tables()


def _catalogs(ask: Ask, scope: Scope) -> Iterator[str]:
    ((own,),) = ask("SELECT DB_NAME() AS name")
    yield own
    if scope.catalogs:
        yield from (name for (name,) in ask(DATABASES) if name != own and scope.takes_catalog(name, own))


def _read(ask: Ask, catalog: str, assembly: Assembly) -> None:
    for schema, name, kind, comment, rows, size in ask(TABLES):
        counts = (None if rows is None else int(rows), None if size is None else int(size))
        assembly.table(Table(catalog, schema, name, KINDS[kind.strip()], comment, *counts))
    for schema, table, name, place, type_name, base, length, digits, scale, nullable, comment in ask(COLUMNS):
        native = native_type(type_name, base or type_name, length, digits, scale)
        arrow = arrow_type(base or type_name, digits, scale)
        column = Column(name, place, native, arrow, bool(nullable), comment)
        assembly.column((catalog, schema, table), column)
    for schema, table, column in ask(PRIMARY_KEYS):
        assembly.primary_key((catalog, schema, table), column)
    for schema, table, key, column, *other in ask(FOREIGN_KEYS):
        referred: Place = (catalog, other[0], other[1])
        assembly.reference((catalog, schema, table), key, column, referred, other[2])


LENGTHS = {"char": 1, "varchar": 1, "binary": 1, "varbinary": 1, "nchar": 2, "nvarchar": 2}
"""Types with a length → the bytes of one unit of length."""
SCALES = ("time", "datetime2", "datetimeoffset")


def native_type(name: str, base: str, length: int, digits: int, scale: int) -> str:
    """A type as in the definition of a column."""
    if name != base:
        return name
    if base in LENGTHS:
        return f"{base}(max)" if length < 0 else f"{base}({length // LENGTHS[base]})"
    if base in ("decimal", "numeric"):
        return f"{base}({digits},{scale})"
    return f"{base}({scale})" if base in SCALES else base


ARROW = {
    "bit": "bool",
    "tinyint": "uint8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "real": "float",
    "float": "double",
    "money": "decimal128(19, 4)",
    "smallmoney": "decimal128(10, 4)",
    "date": "date32[day]",
    "time": "time64[ns]",
    "datetime": "timestamp[us]",
    "smalldatetime": "timestamp[us]",
    "datetime2": "timestamp[us]",
    "datetimeoffset": "timestamp[us, tz=UTC]",
    "binary": "binary",
    "varbinary": "binary",
    "image": "binary",
    "timestamp": "binary",
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml", "uniqueidentifier"), "string"),
}


def arrow_type(base: str, digits: int, scale: int) -> str | None:
    """The Arrow type of a column, as in results; None if only a result shows it."""
    return f"decimal128({digits}, {scale})" if base in ("decimal", "numeric") else ARROW.get(base)
