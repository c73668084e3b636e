"""A metadata database that has rows in every table, whichever tables there are."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, Table
from sqlalchemy.types import TypeDecorator

from moorings.cli.database import rows

MANY = "catalog_tables"
"""The table that gets more rows than one batch."""
NUMBER = 450


def fill(path: Path) -> dict[str, int]:
    """Add rows to every table of an SQLite database that `prepare` made; returns the numbers of rows by table."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    for table in rows.tables():
        for number in range(NUMBER if table.name == MANY else 3):
            _insert(connection, table, number)
    connection.commit()
    counted = {
        each.name: connection.execute(f"SELECT count(*) FROM {each.name}").fetchone()[0] for each in rows.tables()
    }
    connection.close()
    assert all(counted.values()), counted
    return counted


def _insert(connection: sqlite3.Connection, table: Table, number: int) -> None:
    """Insert the first of the rows that the table's constraints allow; none when one of its kind is there already."""
    columns = list(table.columns)
    for values in itertools.product(*(list(_candidates(connection, column, number)) for column in columns)):
        marks = ", ".join("?" * len(columns))
        names = ", ".join(f'"{column.name}"' for column in columns)
        try:
            connection.execute(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", values)
        except sqlite3.IntegrityError:
            continue
        return


def _candidates(connection: sqlite3.Connection, column: Column[Any], number: int) -> Iterator[Any]:
    checks = [str(each.sqltext) for each in column.table.constraints if isinstance(each, CheckConstraint)]
    naming = [check for check in checks if re.search(rf"\b{column.name}\b", check)]
    literals = [each for check in naming for each in re.findall(r"'([^']+)'", check)]
    if column.foreign_keys:
        parent, name = next(iter(column.foreign_keys)).column.table.name, next(iter(column.foreign_keys)).column.name
        yield from (
            row[0] for row in connection.execute(f"SELECT {name} FROM {parent} WHERE {name} NOTNULL GROUP BY 1 LIMIT 3")
        )
    elif not literals:
        yield _value(column, number)
    yield from dict.fromkeys(literals[number % len(literals) :] + literals if literals else ())
    if naming and isinstance(_kind(column), Integer):
        yield 0
    if naming and column.nullable:
        yield None


def _value(column: Column[Any], number: int) -> Any:
    kind = _kind(column)
    if column.name == "dialect":  # environments have that of their base
        return "postgres"
    if isinstance(kind, LargeBinary):
        return bytes([number % 256, 0, 255]) * 5
    if isinstance(kind, Integer) or column.type.python_type is int:
        return number + 1
    return f'{{"{column.name}" : [ {number:04}, "\\u00e9 é" ]}}'  # JSON that our own writer would space in another way


def _kind(column: Column[Any]) -> Any:
    return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
