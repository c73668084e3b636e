"""Reads the structure of a PostgreSQL database from its own catalogs: three statements, for any number of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from moorings import errors
from moorings.dialects.arrow.columns import declared_numeric
from moorings.dialects.introspection import Assembly, Column, Scope, Table

KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "external table"}

VISIBLE = """
    n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg!_toast%' ESCAPE '!'
    AND n.nspname NOT LIKE 'pg!_temp!_%' ESCAPE '!' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND has_schema_privilege(n.oid, 'USAGE')
"""

TABLES = """
SELECT current_database()::text, n.nspname::text, c.relname::text, c.relkind::text,
    obj_description(c.oid, 'pg_class')::text, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
    CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {visible} AND {schemas}
"""

COLUMNS = """
WITH RECURSIVE flat(oid, base, modifier) AS (
    SELECT oid, oid, -1 FROM pg_type
    UNION ALL
    SELECT flat.oid, t.typbasetype, t.typtypmod FROM flat JOIN pg_type t ON t.oid = flat.base WHERE t.typtype = 'd'
), bare AS (
    SELECT flat.oid, flat.base, flat.modifier FROM flat JOIN pg_type t ON t.oid = flat.base WHERE t.typtype <> 'd'
)
SELECT current_database()::text, n.nspname::text, c.relname::text, a.attname::text, a.attnum::integer,
    format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, col_description(c.oid, a.attnum)::text,
    base.typname::text, element.typname::text, element.typtype::text,
    CASE WHEN bare.base <> bare.oid THEN bare.modifier ELSE a.atttypmod END
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN bare ON bare.oid = a.atttypid
JOIN pg_type base ON base.oid = bare.base
LEFT JOIN bare inner_bare ON inner_bare.oid = base.typelem AND base.typcategory = 'A'
LEFT JOIN pg_type element ON element.oid = inner_bare.base
WHERE a.attnum > 0 AND NOT a.attisdropped AND {visible} AND {schemas}
"""

KEYS = """
SELECT current_database()::text, n.nspname::text, c.relname::text, k.contype::text, k.conname::text,
    a.attname::text, fn.nspname::text, f.relname::text, fa.attname::text
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS pair(own, other, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = pair.own
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
LEFT JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = pair.other
WHERE k.contype IN ('p', 'f') AND {visible} AND {schemas}
ORDER BY k.oid, pair.place
"""

Rows = Iterable[Sequence[Any]]


def tables(ask: Callable[[str], Rows], scope: Scope) -> list[Table]:
    """The visible tables; `ask` runs a statement and returns its rows."""
    assembly = Assembly()
    filled = {"visible": VISIBLE, "schemas": scope.sql("n.nspname")}
    for catalog, schema, name, kind, comment, rows, size in ask(TABLES.format(**filled)):
        assembly.table(Table(catalog, schema, name, KINDS[kind], comment, rows, size))
    for catalog, schema, table, name, position, native, nullable, comment, *kind in ask(COLUMNS.format(**filled)):
        column = Column(name, position, native, arrow_type(*kind), nullable, comment)
        assembly.column((catalog, schema, table), column)
    for catalog, schema, table, kind, key, column, *other in ask(KEYS.format(**filled)):
        if kind == "p":
            assembly.primary_key((catalog, schema, table), column)
        else:
            assembly.reference((catalog, schema, table), key, column, (catalog, other[0], other[1]), other[2])
    return assembly.tables()


ARROW = {
    "bool": "bool",
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "oid": "int64",
    "float4": "float",
    "float8": "double",
    "bytea": "binary",
    "date": "date32[day]",
    "time": "time64[us]",
    "timestamp": "timestamp[us]",
    "timestamptz": "timestamp[us, tz=UTC]",
    "interval": "month_day_nano_interval",
}
"""The server's types → Arrow's, as in results; all others arrive as text."""


def arrow_type(base: str, element: str | None, element_kind: str | None, modifier: int) -> str | None:
    """The Arrow type of a column, by its type without domains, and by its element's if it is an array.

    None for arrays of a domain: whether the driver knows the type depends on the time of its login.
    """
    if element is None:
        return _scalar(base, modifier)
    return None if element_kind == "d" else f"list<item: {_scalar(element, -1)}>"


def _scalar(name: str, modifier: int) -> str:
    if name != "numeric":
        return ARROW.get(name, "string")
    declared = declared_numeric(str(modifier).encode())
    if declared is None:
        return "string"
    precision, scale = declared
    return f"decimal{128 if precision <= 38 else 256}({precision}, {scale})"


def default_schema(ask: Callable[[str], Mapping[str, Any]], schema: str | None) -> str:
    """Check the default schema and the right to use it; returns a sentence. `ask` returns a statement's one row.

    Raises SchemaNotFound or SchemaForbidden.
    """
    if schema is None:
        current = ask("SELECT current_schema()::text AS name")["name"]
        return f"The default schema is {current}." if current else "There is no default schema."
    found = ask(
        "SELECT bool_or(has_schema_privilege(oid, 'USAGE')) AS usable FROM pg_namespace"  # noqa: S608  # quoted
        f" WHERE nspname = {literal(schema)}"
    )
    if found["usable"] is None:
        raise errors.SchemaNotFound("default_schema")
    if not found["usable"]:
        raise errors.SchemaForbidden("default_schema")
    return f"The default schema is {schema}."


def literal(value: str) -> str:
    """A text as an SQL literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
