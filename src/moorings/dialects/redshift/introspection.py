"""Reads the structure of a Redshift cluster from its views of all catalogs: five statements, any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moorings.dialects.introspection import Assembly, Column, Scope, Table
from moorings.dialects.redshift.faults import server_fields

OWN = "schema_name NOT LIKE 'pg!_%' ESCAPE '!' AND schema_name NOT IN ('information_schema', 'catalog_history')"
"""Schemas whose names begin with pg_ are Redshift's."""

TABLES = """
SELECT database_name, schema_name, table_name, table_type, remarks
FROM svv_all_tables WHERE {own} AND {catalogs} AND {schemas}
"""

COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, ordinal_position, data_type, is_nullable, remarks,
    character_maximum_length, numeric_precision, numeric_scale
FROM svv_all_columns WHERE {own} AND {catalogs} AND {schemas}
"""

SIZES = 'SELECT "schema", "table", tbl_rows::bigint, size::bigint FROM svv_table_info'

KEYS = """
SELECT n.nspname AS schema_name, c.relname, k.contype, k.conname, a.attname, fn.nspname, f.relname, fa.attname
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN generate_series(1, 32) AS place(number) ON k.conkey[place.number] IS NOT NULL
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[place.number]
LEFT JOIN pg_class f ON f.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
LEFT JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = k.confkey[place.number]
WHERE k.contype IN ('p', 'f') AND {schemas}
ORDER BY k.oid, place.number
"""

KINDS = {"BASE TABLE": "table", "SHARED TABLE": "table", "SHARED VIEW": "view", "LATE BINDING VIEW": "view"}
"""Redshift's kinds of tables → ours, if they differ by more than case."""

ARROW = {
    "boolean": "bool",
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "oid": "int64",
    "real": "float",
    "double precision": "double",
    "date": "date32[day]",
    "time without time zone": "time64[us]",
    "timestamp without time zone": "timestamp[us]",
    "timestamp with time zone": "timestamp[us, tz=UTC]",
    "bytea": "binary",
    "varbyte": "binary",
    "binary varying": "binary",
    **dict.fromkeys(("character", "character varying", "text", "name", "super", "time with time zone"), "string"),
    **dict.fromkeys(("geometry", "geography", "hllsketch", "interval"), "string"),
}
"""Redshift's types → Arrow's, as in results. Only a result shows others, such as those of external tables."""

MEGABYTE = 1024 * 1024
FORBIDDEN = "42501"
Ask = Callable[[str], Sequence[Sequence[Any]]]


def tables(ask: Ask, scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows."""
    assembly = Assembly()
    database = ask("SELECT current_database()")[0][0]  # in the server's spelling
    catalogs = "1 = 1" if scope.catalogs else "database_name = current_database()"
    filled = {"own": OWN, "catalogs": catalogs, "schemas": scope.sql("schema_name")}
    sizes = _sizes(ask)
    unknown = (None, None)
    for catalog, schema, name, kind, comment in ask(TABLES.format(**filled)):
        if scope.takes_catalog(catalog, database):
            rows, size = sizes.get((schema, name), unknown) if catalog == database else unknown
            ours = KINDS.get(kind) or kind.lower()
            assembly.table(Table(catalog, schema, name, ours, comment or None, rows, size))
    for catalog, schema, table, name, position, *facts in ask(COLUMNS.format(**filled)):
        assembly.column((catalog, schema, table), _column(name, position, *facts))
    for schema, table, kind, key, column, *other in ask(KEYS.format(schemas=scope.sql("n.nspname"))):
        if kind == "p":
            assembly.primary_key((database, schema, table), column)
        else:
            assembly.reference((database, schema, table), key, column, (database, other[0], other[1]), other[2])
    return assembly.tables()


def _sizes(ask: Ask) -> dict[tuple[str, str], tuple[int, int]]:
    """Rows and bytes by schema and table; none for logins that may not see them, as most."""
    try:
        return {(schema, table): (rows, size * MEGABYTE) for schema, table, rows, size in ask(SIZES)}
    except Exception as error:
        if server_fields(error).get("C") != FORBIDDEN:
            raise
        return {}


def _column(
    name: str,
    position: int,
    native: str,
    nullable: str,
    comment: str | None,
    length: int | None,
    precision: int | None,
    scale: int | None,
) -> Column:
    declared = native
    if native == "numeric" and precision:
        declared = f"numeric({precision},{scale})"
    elif length and native.startswith("character"):
        declared = f"{native}({length})"
    return Column(
        name, position, declared, arrow_type(native, precision, scale), nullable.upper() != "NO", comment or None
    )


def arrow_type(native: str, precision: int | None, scale: int | None) -> str | None:
    """The Arrow type of a column, as it is written; None if only a result shows it."""
    if native != "numeric":
        return ARROW.get(native)
    return f"decimal128({precision}, {scale})" if precision else "string"
