"""Sessions with DuckDB. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.duckdb import files as duckdb_files
from moorings.dialects.duckdb import introspection
from moorings.dialects.duckdb.statements import check_attached, check_files
from moorings.dialects.introspection import Description, Plan, Scope, Table, joined

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = ":memory:"


def local_session(config: ConnectionConfig, context: SessionContext) -> Session:
    """Open memory, or a local file; raises NotAllowedHere, DatabaseNotFound or DatabaseForbidden."""
    if config.database == MEMORY:
        return DuckSession(MEMORY, limited(MEMORY, context), config)
    return file_session(config, context)


def file_session(config: ConnectionConfig, context: SessionContext) -> Session:
    """Open a local file; a missing one is created if the connection may write, but not by a test.

    Raises NotAllowedHere, DatabaseNotFound or DatabaseForbidden.
    """
    path = duckdb_files.allowed_file(config.database or "", context.duckdb_directory)
    if not duckdb_files.is_there(path):
        duckdb_files.check_makeable(path, read_only=config.read_only)
        if context.trial:
            return DuckSession(MEMORY, limited(MEMORY, context), config)
    mode = {"access_mode": "READ_ONLY" if config.read_only else "READ_WRITE"}
    return DuckSession(str(path), {**mode, **limited(str(path), context)}, config)


def limited(database: str, context: SessionContext) -> Mapping[str, str]:
    """The resource limits of an instance as DuckDB's options, set before its configuration is locked."""
    limits = context.duckdb
    options = {"memory_limit": limits.memory, "threads": str(limits.threads)}
    if limits.spill_directory is None:
        return options
    # Instances of one folder would overwrite each other's files; the sessions of one file share an instance.
    of = uuid.uuid4().hex if database == MEMORY else hashlib.sha256(database.encode()).hexdigest()[:32]
    folder = f"{limits.spill_directory}/{os.getpid()}-{of}"
    return {**options, "temp_directory": folder, "max_temp_directory_size": f"{limits.spill_bytes // 1024}KiB"}


WIDE_ROWS = 512
"""Rows of a batch whose values may have any size. DuckDB itself processes 2,048 rows at a time, in each of its threads.

With twice as many, 6,000 values of 60 kB sometimes needed more than the 350 MB that one request may need.
"""
FIXED = re.compile(
    r"BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?"
    r"|TIME(STAMP)? WITH TIME ZONE|INTERVAL|UUID"
)
"""The types whose values have one size."""
HARDENED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # else SQL could use this process's variables as tables
}


class DuckSession(Session):
    """A connection to an instance of DuckDB, which the driver shares among sessions with the same file.

    Temporary tables, variables and the schema live in a connection, so a fresh one is how a session is reset.
    """

    def __init__(
        self, database: str, options: Mapping[str, str], config: ConnectionConfig, *, harden: bool = True
    ) -> None:
        self._database = database
        self._hardened = harden
        self._schema = config.default_schema
        self._reader: pa.RecordBatchReader | None = None
        self._instance = duckdb.connect(database, config={**(HARDENED if harden else {}), **options})
        try:
            _settle(self._instance, config.session_zone, lock=harden)
            self._connection = self._fresh()
        except BaseException:
            self._instance.close()
            raise

    def _fresh(self) -> duckdb.DuckDBPyConnection:
        connection = self._instance.cursor()
        if self._schema and _schemas(connection, self._schema):
            quoted = self._schema.replace("'", "''")
            connection.execute(f"SET schema = '{quoted}'")
        return connection

    def ping(self) -> None:
        """Run SELECT 1."""
        self._connection.execute("SELECT 1").fetchall()

    def check_schemas(self) -> str:
        """Look for the default schema."""
        if self._schema is None:
            return "The default schema is main."
        if not _schemas(self._connection, self._schema):
            raise errors.SchemaNotFound("default_schema")
        return f"The default schema is {self._schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this database, and of others that are attached and included."""
        own = self._rows("SELECT current_database()")[0][0]
        return introspection.tables(self._rows, scope, own)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement; a read-only one in a transaction that refuses writes, besides a read-only file."""
        from moorings.dialects.duckdb import types  # with Arrow, which takes 50 MB: tests and probes do without it

        connection = self._connection
        self._require_one(statement.sql, read_only=statement.read_only)
        if statement.read_only:
            connection.execute("BEGIN TRANSACTION READ ONLY")
        relation = connection.sql(statement.sql, params=list(statement.parameters) or None)
        most = statement.batch_rows if _is_narrow(relation) else min(statement.batch_rows, WIDE_ROWS)
        reader = self._reader = types.presented(relation, most)
        return reader

    def plan(self, statement: Statement) -> Plan:
        """The plan of the statement, made in a transaction that is rolled back.

        A read-only transaction refuses to explain a write.
        """
        self._require_one(f"{self.EXPLAIN} {statement.sql}", read_only=True)
        self._connection.execute("BEGIN TRANSACTION")
        rows = self._connection.execute(f"{self.EXPLAIN} {statement.sql}", list(statement.parameters)).fetchall()
        self._connection.execute("ROLLBACK")
        return Plan(joined(row[1:] for row in rows))

    def describe(self, statement: Statement) -> Description:
        """The columns that DESCRIBE names, as Arrow shows them; other statements than queries have none."""
        self._require_one(statement.sql, read_only=statement.read_only)
        from moorings.dialects.duckdb import types

        return types.described(self._connection, statement.sql)

    def _require_one(self, sql: str, *, read_only: bool) -> None:
        found = self._connection.extract_statements(sql)
        if len(found) != 1:
            raise errors.StatementRefused(message="Send exactly one statement at a time.")
        kind = found[0].type.name
        if self._hardened or read_only:
            check_files(kind, sql)
        if self._hardened:
            check_attached(kind, sql)

    def cancel(self) -> None:
        """Interrupt the running statement."""
        self._connection.interrupt()

    def reset(self) -> bool:
        """Continue with a fresh connection; an in-memory database is discarded instead, since its tables would stay."""
        if self._database == MEMORY:
            return False
        self._disconnect()
        self._connection = self._fresh()
        return True

    def close(self) -> None:
        """Close the connection, and with the last one the file."""
        self._disconnect()
        self._instance.close()

    def _disconnect(self) -> None:
        """A result that is still referenced would keep the file open, and block the next session that opens it."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._connection.close()


def _is_narrow(relation: duckdb.DuckDBPyRelation) -> bool:
    """Whether all values of a result are of fixed, small size."""
    return all(FIXED.fullmatch(str(kind)) for kind in relation.types)


def _settle(instance: duckdb.DuckDBPyConnection, zone: str, *, lock: bool) -> None:
    """Set the time zone, and let no statement change a setting later; a file's first session does it for all."""
    import duckdb

    try:
        instance.execute(f"SET GLOBAL TimeZone = '{zone}'")
        if lock:
            instance.execute("SET GLOBAL lock_configuration = true")
    except duckdb.InvalidInputException:
        (found,) = instance.execute("SELECT current_setting('TimeZone')").fetchall()
        if found != (zone,):
            raise errors.DatabaseForbidden(
                "database",
                "query_timezone",
                "system_timezone",
                message="This file is open in another connection with another time zone. Set both to the same value.",
            ) from None


def _schemas(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = ? AND catalog_name = current_database()", [name]
    ).fetchall()
