"""SQLite, as a toy: the whole of a dialect in one file, to show that nothing else has to know of it.

Driver: sqlite3 (of Python itself). Login: none. Limits: files only below the directory that the operator allows;
columns take their types from the first rows. Source: https://docs.python.org/3/library/sqlite3.html.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from moorings import errors
from moorings.dialects.base import Abilities, Session, Statement, Surroundings
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.needs import Login, Need, always
from moorings.dialects.duckdb.files import allowed_path
from moorings.dialects.introspection import Assembly, Column, Scope, Table

if TYPE_CHECKING:
    import sqlite3

    import pyarrow as pa


class Config(ConnectionConfig, frozen=True):
    """What a SQLite connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")
    LOGINS: ClassVar[tuple[Login, ...]] = (Login(None, ()),)

    dialect: Literal["toy"] = "toy"
    patience: int = Field(5, ge=1, le=60, description="Seconds to wait for a file that is locked.")


FAULTS: Mapping[str, errors.WarehouseError] = {
    "unable to open database file": errors.DatabaseNotFound("database"),
    "interrupted": errors.QueryCancelled(),
    "attempt to write a readonly database": errors.ReadOnly(),
    "binding": errors.ParametersRefused(),
    "statement": errors.StatementRefused(),
}


class Toy(BaseDialect):
    """SQLite."""

    name = "toy"
    title = "Toy"
    abilities = Abilities(connects=True, own=True)
    Config = Config
    FAULTS = FAULTS
    PARAMETERS = "?"

    def fault_key(self, error: BaseException) -> str:
        """What SQLite says, or a word for it."""
        text = str(error)
        return text if text in FAULTS else "binding" if "binding" in text else "statement"

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Open the file."""
        import sqlite3

        path = allowed_path(config.database or "", surroundings.duckdb_directory)
        mode = "ro" if config.read_only else "rw"
        opened = sqlite3.connect(
            f"file:{path}?mode={mode}",
            uri=True,
            timeout=config.patience,
            check_same_thread=False,
            isolation_level=None,
        )
        return ToySession(opened, read_only=config.read_only)


TABLES = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
COLUMNS = """
SELECT m.name, c.name, c.cid + 1, c.type, NOT c."notnull", c.pk
FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY m.name, c.pk
"""


class ToySession(Session):
    """One open file."""

    EXPLAIN = "EXPLAIN QUERY PLAN"

    def __init__(self, connection: sqlite3.Connection, *, read_only: bool) -> None:
        self._connection = connection
        self._read_only = read_only

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
        import pyarrow as pa

        from moorings.dialects.arrow.columns import rows_reader

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
