"""A session with SQL Server through mssql-python. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import mssql_python
import pyarrow as pa
from mssql_python import Connection, Cursor, ddbc_bindings

from moorings import errors
from moorings.dialects.arrow.columns import narrow, narrow_schema, rows_batch
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Plan, Scope, Table, joined
from moorings.dialects.mssql import introspection
from moorings.dialects.mssql.config import Config
from moorings.dialects.mssql.faults import CLOSED
from moorings.dialects.mssql.login import is_azure, parameters
from moorings.dialects.mssql.statements import check_marks, check_reads, check_some
from moorings.dialects.network import dialing

ANYONES = "master"
"""A database that every login may use."""
RESET_CONNECTION = 116
"""SQL_ATTR_RESET_CONNECTION: the next packet makes the server reset the session, as connection pools do."""
BATCH_BYTES = 16 * 1024 * 1024
MAX_DECLARED_LENGTH = 8000
"""Bytes, or characters, of the longest type whose length is declared."""
LONG_BYTES = 64 * 1024
"""The assumed size of a value without a declared length, for the number of rows in a batch."""


def connect(config: Config, context: SessionContext) -> Session:
    """Log in; after a failure, find out whether the database is to blame: the driver reports only a failed login.

    That needs a second login, which counts towards the server's account lock, so probes skip it.
    """
    mssql_python.pooling(enabled=False)
    try:
        return MSSQLSession(_login(config, context, config.database), config, context.application_name)
    except mssql_python.Error as error:
        if context.light or "Login failed for user" not in str(error):
            raise
        fault = _database_fault(config, context)
        if fault is None:
            raise
    raise fault


def _login(config: Config, context: SessionContext, database: str | None) -> Connection:
    seconds = max(1, math.ceil(context.connect_timeout_seconds))
    name = context.application_name
    given = parameters(config, database, _address(config, context))
    return _Connection(name, timeout=seconds, autocommit=True, native_uuid=False, **given)


def _address(config: Config, context: SessionContext) -> str | None:
    """A checked address of the server; None for Azure, whose logins are bound to the name."""
    host, port = config.host or "", config.port or 0
    addresses = context.network.check(host, port, config.database, "host", "port")
    if is_azure(host):
        return None
    if len(addresses) == 1:
        return addresses[0]
    with dialing.dial(addresses, port, context.connect_timeout_seconds) as wire:
        return wire.getpeername()[0]


def _database_fault(config: Config, context: SessionContext) -> errors.WarehouseError | None:
    """The fault of the database, as seen from another database; None if the login fails there too."""
    try:
        connection = _login(config, context, ANYONES)
    except mssql_python.Error:
        return None
    session = MSSQLSession(connection, config, context.application_name)
    try:
        name = _literal(config.database or "")
        found, usable = session.ask(f"SELECT DB_ID({name}), HAS_DBACCESS({name})")[0]
    finally:
        session.close()
    if found is None:
        return errors.DatabaseNotFound("database")
    return None if usable else CLOSED


class _Connection(Connection):
    """A connection with our application name: the driver accepts none, and sends its own."""

    def __init__(self, application_name: str, **how: Any) -> None:
        self._application_name = application_name
        super().__init__(**how)

    def _construct_connection_string(self, connection_str: str = "", **kwargs: Any) -> tuple[str, dict[str, str]]:
        built, parts = super()._construct_connection_string(connection_str, **kwargs)
        # the driver's own setting comes first; later ones are inside values, which its brackets would end
        return built.replace("APP=MSSQL-Python", f"APP={{{self._application_name}}}", 1), parts


class _Cursor(Cursor):
    """A cursor that keeps the server's error numbers, which the driver's exceptions lack.

    The handle is freed under a lock, so that a cancel never uses a freed handle.
    """

    lock: threading.RLock
    diagnosed: Sequence[tuple[str, str]] = ()

    def __init__(self, connection: Connection, lock: threading.RLock, timeout: int) -> None:
        self.lock = lock
        super().__init__(connection, timeout)

    def _reset_cursor(self) -> None:
        with self.lock:
            self.diagnosed = self.diagnose()
            super()._reset_cursor()

    def diagnose(self) -> Sequence[tuple[str, str]]:
        """State, number and text of the last error."""
        return ddbc_bindings.DDBCSQLGetAllDiagRecords(self.hstmt) if self.hstmt else ()


@contextlib.contextmanager
def _numbered(cursor: _Cursor) -> Generator[None]:
    """A block that adds SQLSTATEs and the server's numbers to the driver's errors, for the dialect's `fault_key`."""
    try:
        yield
    except (mssql_python.Error, RuntimeError) as error:
        heads = [head for head, _ in cursor.diagnosed or cursor.diagnose()]
        error.states = re.findall(r"\[(\w{5})\]", " ".join(heads))  # type: ignore[attr-defined]
        error.numbers = [int(number) for number in re.findall(r"\((\d+)\)", " ".join(heads))]  # type: ignore[attr-defined]
        raise


class MSSQLSession(Session):
    """One login, in autocommit mode: statements here begin and end transactions."""

    def __init__(self, connection: Connection, config: Config, application_name: str) -> None:
        self._connection = connection
        self._schema = config.default_schema or ""
        self._application_name = application_name
        self._lock = threading.RLock()
        self._cursor: _Cursor | None = None
        self._unread = False
        self.encrypted = config.encrypts
        try:
            self.id = str(self.ask("SELECT @@SPID")[0][0])
        except Exception:
            self.close()
            raise

    def ping(self) -> None:
        """Run SELECT 1."""
        self.ask("SELECT 1")

    def check_schemas(self) -> str:
        """Check the default schema, and that the user may use an object in it."""
        name = _literal(self._schema)
        found, usable, own = self.ask(
            f"SELECT SCHEMA_ID({name}), CASE WHEN HAS_PERMS_BY_NAME(QUOTENAME({name}), 'SCHEMA', 'ANY') = 1"  # noqa: S608  # quoted
            f" OR EXISTS (SELECT 1 FROM sys.objects WHERE schema_id = SCHEMA_ID({name})) THEN 1 ELSE 0 END,"
            " SCHEMA_NAME()"
        )[0]
        if found is None:
            raise errors.SchemaNotFound("default_schema")
        if not usable:
            raise errors.SchemaForbidden("default_schema")
        if own == self._schema:
            return f"The default schema is {own}."
        return f"The schema {self._schema} is there. Names without a schema are looked for in {own}, the user's own."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this database, and of others of this server that are included."""
        return introspection.tables(self.ask, scope)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement of ours."""
        cursor = self._run(sql)
        with _numbered(cursor):
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        self._unread = False
        return rows

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one batch and stream its first result."""
        if statement.read_only:
            check_reads(statement.sql)
        else:
            check_some(statement.sql)
        check_marks(statement.sql, len(statement.parameters))
        self._begin(read_only=statement.read_only)
        note = f"/* {self._application_name} {statement.note} */ " if statement.note else ""
        cursor = self._run(note + statement.sql, statement.parameters, math.ceil(statement.timeout_seconds))
        with _numbered(cursor):
            while cursor.description is None and cursor.nextset():
                pass  # counts of rows, before the first result
            if cursor.description is None:
                self._unread = False
                return pa.RecordBatchReader.from_batches(pa.schema([]), iter(()))
            schema = narrow_schema(cursor.arrow_batch(0).schema)
        rows = _rows_at_once(cursor.description, statement.batch_rows)
        return pa.RecordBatchReader.from_batches(schema, self._batches(cursor, schema, rows))

    def _begin(self, *, read_only: bool) -> None:
        end = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; SET XACT_ABORT ON"
        self.ask(f"{end}; BEGIN TRANSACTION" if read_only else end)

    def _run(self, sql: str, values: Sequence[Any] = (), timeout_seconds: int = 0) -> _Cursor:
        with self._lock:
            if self._cursor is not None:
                self._cursor.close()
            self._cursor = cursor = _Cursor(self._connection, self._lock, timeout_seconds)
        self._unread = True
        with _numbered(cursor):
            if values:
                cursor.execute(sql, tuple(values))
            else:
                cursor.execute(sql)
        return cursor

    def _batches(self, cursor: _Cursor, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        with _numbered(cursor):
            if _is_long(cursor.description or ()):
                yield from _by_row(cursor, schema, rows)
            else:
                while (batch := cursor.arrow_batch(rows)).num_rows:
                    yield narrow(batch, schema)
            while cursor.nextset():
                pass  # the rest of the batch runs as far as it is read, and may fail
        self._unread = False

    def plan(self, statement: Statement) -> Plan:
        """The estimated plan as text; raises ParametersRefused for a statement with parameters, which has no plan."""
        if statement.parameters:
            raise errors.ParametersRefused(
                message="SQL Server gives no plan for a statement with parameters. Write the values into the statement."
            )
        check_some(statement.sql)
        self.ask("SET SHOWPLAN_TEXT ON")
        try:
            return Plan(joined(self._all_rows(replace(statement, read_only=False))))
        finally:
            self.ask("SET SHOWPLAN_TEXT OFF")

    def _all_rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        cursor, rows = self._run(statement.sql), list[tuple[Any, ...]]()
        with _numbered(cursor):
            while True:
                rows += [tuple(row) for row in cursor.fetchall()] if cursor.description else []
                if not cursor.nextset():
                    break
        self._unread = False
        return rows

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send an attention message during the running statement."""
        with self._lock:
            if self._cursor is not None and self._cursor.hstmt is not None:
                self._cursor.hstmt._cancel()  # noqa: SLF001  # the driver's readers cancel so; it has no other name

    def reset(self) -> bool:
        """Let the server reset the session; one with unread rows is closed, not drained."""
        if self._unread:
            return False
        self._connection._conn.set_attr(RESET_CONNECTION, 1)  # noqa: SLF001  # the driver does so in its own pool
        self.ask("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
        return True

    def close(self) -> None:
        """Log out; does not wait for unread rows."""
        with contextlib.suppress(Exception):
            if self._unread:
                self.cancel()
        with contextlib.suppress(Exception), self._lock:
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None
        with contextlib.suppress(Exception):
            self._connection.close()


def _is_long(description: Sequence[Sequence[Any]]) -> bool:
    """Whether a column's values may have any length, as with nvarchar(max)."""
    return any(not 0 < column[3] <= MAX_DECLARED_LENGTH for column in description)


def _by_row(cursor: _Cursor, schema: pa.Schema, most: int) -> Iterator[pa.RecordBatch]:
    """Batches of rows that are fetched one by one.

    If the driver fetches several rows with long values at once, it holds Python's lock while it waits for the server:
    nothing else would run in this process until the next row arrives, not even a cancel.
    """
    while rows := list(itertools.islice(iter(cursor.fetchone, None), most)):
        yield rows_batch([tuple(row) for row in rows], schema)


def _rows_at_once(description: Sequence[Sequence[Any]], most: int) -> int:
    """The most rows of a batch: the driver allocates the declared length for each."""
    width = sum(4 * column[3] if 0 < column[3] <= MAX_DECLARED_LENGTH else LONG_BYTES for column in description)
    return max(1, min(most, BATCH_BYTES // max(1, width)))


def _literal(value: str) -> str:
    return "N'" + value.replace("'", "''") + "'"
