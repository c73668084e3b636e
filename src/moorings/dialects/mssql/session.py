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
"""A database that every login may enter."""
RESET_CONNECTION = 116
"""SQL_ATTR_RESET_CONNECTION: the next packet asks the server to make the session as new, as pools do."""
BATCH_BYTES = 16 * 1024 * 1024
MAX_DECLARED_LENGTH = 8000
"""Bytes, or characters, of the longest type whose length is declared."""
LONG_BYTES = 64 * 1024
"""What a value without a declared length is taken for when the rows of a batch are counted."""


def connect(config: Config, context: SessionContext) -> Session:
    """Log in; where that fails, find out whether the database is to blame: the driver tells only of the login.

    That takes a second login, which counts towards the server's lock on an account: a probe does without.
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
    """What is wrong with the database, seen from another one; None when the login fails there too."""
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
    """A connection under our application's name: the driver takes none, and writes its own."""

    def __init__(self, application_name: str, **how: Any) -> None:
        self._application_name = application_name
        super().__init__(**how)

    def _construct_connection_string(self, connection_str: str = "", **kwargs: Any) -> tuple[str, dict[str, str]]:
        built, parts = super()._construct_connection_string(connection_str, **kwargs)
        # the driver's own setting comes first; further ones are inside of values, which its brackets would end
        return built.replace("APP=MSSQL-Python", f"APP={{{self._application_name}}}", 1), parts


class _Cursor(Cursor):
    """A cursor that keeps the server's numbers of an error, which the driver's exceptions do not tell.

    The handle is freed under a lock, so that a cancel never meets one that is gone.
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
        """State and number, and text, of what went wrong last."""
        return ddbc_bindings.DDBCSQLGetAllDiagRecords(self.hstmt) if self.hstmt else ()


@contextlib.contextmanager
def _numbered(cursor: _Cursor) -> Generator[None]:
    """A block whose driver errors get what the dialect's `fault_key` reads: SQLSTATEs and the server's numbers."""
    try:
        yield
    except (mssql_python.Error, RuntimeError) as error:
        heads = [head for head, _ in cursor.diagnosed or cursor.diagnose()]
        error.states = re.findall(r"\[(\w{5})\]", " ".join(heads))  # type: ignore[attr-defined]
        error.numbers = [int(number) for number in re.findall(r"\((\d+)\)", " ".join(heads))]  # type: ignore[attr-defined]
        raise


class MSSQLSession(Session):
    """One login, in autocommit mode: transactions are begun and ended here, by statements."""

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
        """Ask for 1."""
        self.ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema, and for anything in it that the user may use."""
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
                pass  # what follows in the batch runs as far as it is read, and may fail
        self._unread = False

    def plan(self, statement: Statement) -> Plan:
        """The estimated plan as text; raises ParametersRefused for a statement with parameters, which has none."""
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
        """Send an attention, beside the statement that runs."""
        with self._lock:
            if self._cursor is not None and self._cursor.hstmt is not None:
                self._cursor.hstmt._cancel()  # noqa: SLF001  # the driver's readers cancel so; it has no other name

    def reset(self) -> bool:
        """Let the server make the session as new; one with unread rows is given up, not drained."""
        if self._unread:
            return False
        self._connection._conn.set_attr(RESET_CONNECTION, 1)  # noqa: SLF001  # the driver does so in its own pool
        self.ask("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
        return True

    def close(self) -> None:
        """Log out; rows that nobody read are not waited for."""
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
    """Whether a column's values may be of any length, as those of nvarchar(max) are."""
    return any(not 0 < column[3] <= MAX_DECLARED_LENGTH for column in description)


def _by_row(cursor: _Cursor, schema: pa.Schema, most: int) -> Iterator[pa.RecordBatch]:
    """Batches of rows that are fetched one by one.

    For long values the driver waits for the server without letting go of Python's lock when it fetches several rows at
    once: nothing else would run in this process until the next row is there, not even a cancel.
    """
    while rows := list(itertools.islice(iter(cursor.fetchone, None), most)):
        yield rows_batch([tuple(row) for row in rows], schema)


def _rows_at_once(description: Sequence[Sequence[Any]], most: int) -> int:
    """How many rows a batch may have: the driver makes room for each at its declared length."""
    width = sum(4 * column[3] if 0 < column[3] <= MAX_DECLARED_LENGTH else LONG_BYTES for column in description)
    return max(1, min(most, BATCH_BYTES // max(1, width)))


def _literal(value: str) -> str:
    return "N'" + value.replace("'", "''") + "'"
