"""Reads the structure of BigQuery's projects: six statements per hundred datasets, for any number of tables.

INFORMATION_SCHEMA is queried per dataset, not per region: that needs grants only on the datasets, and only a dataset's
INFORMATION_SCHEMA has keys. Source: https://cloud.google.com/bigquery/docs/information-schema-intro.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

from moorings.dialects.bigquery.types import arrow_type
from moorings.dialects.introspection import Assembly, Column, Place, Table

DATASETS_AT_ONCE = 100

TABLES = """
SELECT t.table_catalog, t.table_schema, t.table_name, t.table_type, o.option_value
FROM {dataset}.INFORMATION_SCHEMA.TABLES AS t LEFT JOIN {dataset}.INFORMATION_SCHEMA.TABLE_OPTIONS AS o
ON o.table_name = t.table_name AND o.option_name = 'description'
"""
COLUMNS = """
SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, data_type, is_nullable
FROM {dataset}.INFORMATION_SCHEMA.COLUMNS WHERE ordinal_position IS NOT NULL
"""
COMMENTS = """
SELECT table_catalog, table_schema, table_name, column_name, description
FROM {dataset}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS WHERE field_path = column_name AND description IS NOT NULL
"""
SIZES = "SELECT project_id, dataset_id, table_id, row_count, size_bytes FROM {dataset}.__TABLES__"
KEYS = """
SELECT k.table_catalog, k.table_schema, k.table_name, c.constraint_type, k.constraint_name, k.column_name,
    k.ordinal_position, k.position_in_unique_constraint
FROM {dataset}.INFORMATION_SCHEMA.KEY_COLUMN_USAGE AS k JOIN {dataset}.INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c
ON c.constraint_name = k.constraint_name
"""
REFERRED = """
SELECT DISTINCT c.table_catalog, c.table_schema, c.constraint_name, u.table_catalog, u.table_schema, u.table_name
FROM {dataset}.INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE AS u
JOIN {dataset}.INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c ON c.constraint_name = u.constraint_name
WHERE c.constraint_type = 'FOREIGN KEY'
"""
KINDS = {"VIEW": "view", "MATERIALIZED VIEW": "materialized view", "EXTERNAL": "external table"}

Rows = Sequence[Sequence[Any]]


class Ask(Protocol):
    """Runs a statement; returns its rows, or none if it is refused and not `needed`."""

    def __call__(self, sql: str, *, needed: bool = False) -> Rows:
        """Run it."""
        ...


def tables(ask: Ask, datasets: Sequence[tuple[str, str]]) -> list[Table]:
    """The tables of datasets, each a project and a name, with the comments, sizes and keys that the login may see."""
    assembly = Assembly()
    for first in range(0, len(datasets), DATASETS_AT_ONCE):
        _gather(assembly, ask, datasets[first : first + DATASETS_AT_ONCE])
    return assembly.tables()


def _gather(assembly: Assembly, ask: Ask, datasets: Sequence[tuple[str, str]]) -> None:
    sizes = {tuple(place): counts for *place, rows, size in ask(_of(datasets, SIZES)) if (counts := (rows, size))}
    for catalog, schema, name, kind, comment in ask(_of(datasets, TABLES), needed=True):
        counts = (None, None) if "VIEW" in kind else sizes.get((catalog, schema, name), (None, None))
        assembly.table(Table(catalog, schema, name, KINDS.get(kind, "table"), _unquoted(comment), *counts))
    comments = {tuple(place): comment for *place, comment in ask(_of(datasets, COMMENTS))}
    for catalog, schema, table, name, position, native, nullable in ask(_of(datasets, COLUMNS), needed=True):
        comment = comments.get((catalog, schema, table, name))
        column = Column(name, position, native, arrow_type(native), nullable == "YES", comment)
        assembly.column((catalog, schema, table), column)
    _keys(assembly, ask(_of(datasets, KEYS)), ask(_of(datasets, REFERRED)))


def _of(datasets: Sequence[tuple[str, str]], select: str) -> str:
    """One statement for all datasets."""
    return "\nUNION ALL\n".join(select.format(dataset=f"`{project}`.`{name}`") for project, name in datasets)


def _keys(assembly: Assembly, keys: Rows, referred: Rows) -> None:
    """Primary keys, and foreign ones, whose columns are numbered by those of the primary key that they refer to."""
    others: dict[tuple[str, str, str], Place] = {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in referred}
    primary: dict[tuple[Place, int], str] = {}
    for catalog, schema, table, kind, _, column, position, _ in keys:
        if kind == "PRIMARY KEY":
            primary[(catalog, schema, table), position] = column
    for place, position in sorted(primary, key=_last):
        assembly.primary_key(place, primary[place, position])
    for catalog, schema, table, kind, name, column, _, there in sorted(keys, key=_position):
        other = others.get((catalog, schema, name))
        if kind == "FOREIGN KEY" and other is not None and (other, there) in primary:
            assembly.reference((catalog, schema, table), name, column, other, primary[other, there])


def _last(place_and_position: tuple[Place, int]) -> int:
    return place_and_position[1]


def _position(key: Sequence[Any]) -> int:
    return key[6]


def _unquoted(literal: str | None) -> str | None:
    """The text of an option, which arrives as an SQL literal."""
    if literal is None:
        return None
    with contextlib.suppress(ValueError, SyntaxError):
        return str(ast.literal_eval(literal))
    return literal.strip("\"'")
