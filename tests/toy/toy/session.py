"""Sessions with SQLite: the only file that imports the driver."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence

import pyarrow as pa

from moorings.dialects.arrow.columns import rows_reader
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.duckdb.files import allowed_path
from moorings.dialects.introspection import Assembly, Column, Scope, Table

from .config import Config

TABLES = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
COLUMNS = """
SELECT m.name, c.name, c.cid + 1, c.type, NOT c."notnull", c.pk
FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY m.name, c.pk
"""


class ToySession(Session):
    """One open file."""

    EXPLAIN = "EXPLAIN QUERY PLAN"

    def __init__(self, config: Config, context: SessionContext) -> None:
        path = allowed_path(config.database or "", context.duckdb_directory)
        mode = "ro" if config.read_only else "rw"
        self._connection = sqlite3.connect(
            f"file:{path}?mode={mode}",
            uri=True,
            timeout=config.patience,
            check_same_thread=False,
            isolation_level=None,
        )

    def ping(self) -> None:
        """Ask for 1."""
        self._connection.execute("SELECT 1").fetchall()

    def check_schemas(self) -> str:
        """There is one schema."""
        return "The default schema is main."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """Tables and views, in two statements."""
        assembly = Assembly()
        for name, kind in self._connection.execute(TABLES):
            assembly.table(Table(None, None, name, kind))
        for table, name, position, native, nullable, key in self._connection.execute(COLUMNS):
            assembly.column((None, None, table), Column(name, position, native or "ANY", None, bool(nullable)))
            if key:
                assembly.primary_key((None, None, table), name)
        return assembly.tables()

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement; its first rows decide the types."""
        self._connection.execute(f"PRAGMA query_only = {int(statement.read_only)}")
        cursor = self._connection.execute(statement.sql, statement.parameters)
        names = [column[0] for column in cursor.description or ()]
        first = cursor.fetchmany(statement.batch_rows)
        kinds = [pa.array(values).type for values in zip(*first, strict=True)] or [pa.null() for _ in names]
        schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, kinds, strict=True)])
        rows = itertools.chain([first], iter(lambda: cursor.fetchmany(statement.batch_rows), []))
        return rows_reader(schema, lambda: next(rows, []))

    def cancel(self) -> None:
        """Interrupt what runs."""
        self._connection.interrupt()

    def reset(self) -> bool:
        """Temporary tables would stay: a new session is as cheap."""
        return False

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
