"""A session with SAP HANA through hdbcli. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Generator, Sequence
from typing import Any

import pyarrow as pa
from hdbcli import dbapi

from moorings import errors
from moorings.dialects.arrow.columns import decimal_type, rows_reader
from moorings.dialects.base import Session, Statement
from moorings.dialects.introspection import Plan, Scope, Table, joined
from moorings.dialects.read_only import first_word, require_reading
from moorings.dialects.sap_hana import introspection
from moorings.dialects.sap_hana.config import Config

MAX_ROWS = 8_192
"""The most rows of a batch: wide rows should not fill the memory."""
DECIMAL = 5
TYPES: dict[int, pa.DataType] = {
    1: pa.uint8(),
    2: pa.int16(),
    3: pa.int32(),
    4: pa.int64(),
    6: pa.float32(),
    7: pa.float64(),
    12: pa.binary(),
    13: pa.binary(),
    14: pa.date32(),
    15: pa.time32("s"),
    16: pa.timestamp("us"),
    27: pa.binary(),
    28: pa.bool_(),
    74: pa.binary(),
    75: pa.binary(),
}
"""The driver's number of a type → Arrow's; apart from DECIMAL, all others are text."""
LEAVES_NOTHING = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT")
"""First words of statements that may write without changing their session."""


class HanaSession(Session):
    """One login. Statements that only read run in their own transactions, others are committed at once.

    All statements with parameters share one cursor, which outlives the connection. When such a prepared cursor is
    freed, the driver notifies the server and waits for the answer while it holds Python's lock: with a silent server,
    nothing would run in this process until the time limit of statements. Measured with hdbcli 2.30.
    """

    def __init__(self, config: Config, options: dict[str, Any], application_name: str) -> None:
        self._schema = config.default_schema
        self._application_name = application_name
        self._cursor: dbapi.Cursor | None = None
        self._preparing: dbapi.Cursor | None = None
        self._changed = False
        self._lock = threading.Lock()
        self._running = False
        """Whether a statement runs that can be cancelled."""
        self.encrypted = config.ssl_mode != "disable"
        self._connection = dbapi.connect(autocommit=False, **options)
        try:
            self._connection.setclientinfo("APPLICATION", application_name)
            ((number,),) = self._rows("SELECT CURRENT_CONNECTION FROM DUMMY")
            self._use_default()
        except BaseException:
            self.close()
            raise
        self.id = str(number)

    def _use_default(self) -> None:
        if self._schema is not None:
            quoted = self._schema.replace('"', '""')
            # check_schemas reports the reason; queries fail because the name is unknown
            with contextlib.suppress(dbapi.Error):
                self._run(f'SET SCHEMA "{quoted}"')

    def ping(self) -> None:
        """Run SELECT 1."""
        self._rows("SELECT 1 FROM DUMMY")

    def check_schemas(self) -> str:
        """Check the default schema, and any privilege on it or in it."""
        if self._schema is None:
            ((name,),) = self._rows("SELECT CURRENT_SCHEMA FROM DUMMY")
            return f"The default schema is {name}."
        found = self._rows("SELECT HAS_PRIVILEGES FROM SYS.SCHEMAS WHERE SCHEMA_NAME = ?", [self._schema])
        if not found:
            raise errors.SchemaNotFound("default_schema")
        if found[0][0] != "TRUE":
            raise errors.SchemaForbidden("default_schema")
        return f"The default schema is {self._schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables and views of this database that the login may see."""
        return introspection.tables(self._rows, scope)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows."""
        if statement.read_only:
            require_reading(statement.sql)
        else:
            self._changed |= first_word(statement.sql) not in LEAVES_NOTHING
        self._begin(statement)
        cursor = self._prepared(statement)
        schema = pa.schema([pa.field(column[0], _type(*column[1:6])) for column in cursor.description or ()])
        size = min(statement.batch_rows, MAX_ROWS)
        return rows_reader(schema, lambda: self._fetch(cursor, size) if len(schema) else [])

    def _fetch(self, cursor: dbapi.Cursor, rows: int) -> list[Sequence[Any]]:
        with self._cancellable():
            return cursor.fetchmany(rows)

    def _begin(self, statement: Statement) -> None:
        """Set the limits and modes of the statement."""
        self._end()
        self._connection.setclientinfo("APPLICATION", f"{self._application_name} {statement.query_id}".strip())
        self._connection.setclientinfo("TRACEPARENT", statement.traceparent)
        self._connection.setautocommit(not statement.read_only)
        if statement.read_only:
            self._run("SET TRANSACTION READ ONLY")

    def _prepared(self, statement: Statement) -> dbapi.Cursor:
        """Execute with the limits that the server enforces; in a separate cursor if there are no parameters."""
        cursor = self._connection.cursor() if not statement.parameters else self._prepared_cursor()
        cursor.setquerytimeout(max(1, math.ceil(statement.timeout_seconds)))
        cursor.setfetchsize(min(statement.batch_rows, MAX_ROWS))
        if not statement.parameters:
            self._cursor = cursor
            with self._cancellable():
                cursor.execute(statement.sql)
            return cursor
        cursor.prepare(statement.sql)
        if len(cursor.parameter_description()) != len(statement.parameters):
            raise errors.ParametersRefused
        with self._cancellable():
            cursor.executeprepared(list(statement.parameters))
        return cursor

    @contextlib.contextmanager
    def _cancellable(self) -> Generator[None]:
        """A block that `cancel` may end; after it no cancel is running.

        If a cancel meets a rollback that waits for a silent server, each waits for the other in the driver forever,
        even after the connection has closed.
        """
        self._running = True
        try:
            yield
        finally:
            with self._lock:
                self._running = False

    def _prepared_cursor(self) -> dbapi.Cursor:
        if self._preparing is None:
            self._preparing = self._connection.cursor()
        return self._preparing

    def plan(self, statement: Statement) -> Plan:
        """The plan of the statement, which HANA writes into its plan table and Moorings removes from it."""
        self._end()
        self._run(f"EXPLAIN PLAN SET STATEMENT_NAME = 'moorings {self.id}' FOR {statement.sql}")
        rows = self._rows(introspection.PLAN, [f"moorings {self.id}"])
        self._end()
        return Plan(joined(rows))

    def _run(self, sql: str) -> None:
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Sequence[Any]]:
        if parameters:
            cursor = self._prepared_cursor()
            cursor.execute(sql, list(parameters))
            return cursor.fetchall()
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)  # not even an empty list: with one, the driver would prepare the statement
            return cursor.fetchall()

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send ALTER SYSTEM CANCEL SESSION, over a connection that the driver opens for it."""
        with self._lock:
            if self._running:
                self._connection.cancel()

    def _end(self) -> None:
        """Discard the rest of a result, and the transaction."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        self._connection.rollback()

    def reset(self) -> bool:
        """Roll back; a session whose settings or temporary tables may have changed is closed."""
        self._end()
        return not self._changed

    def close(self) -> None:
        """Log out; unread rows are left on the server."""
        with contextlib.suppress(Exception):
            self._connection.close()


def _type(code: int, _display: int, _internal: int, precision: int, scale: int) -> pa.DataType:
    """The Arrow type of a column, from the driver's description."""
    if code == DECIMAL and 0 <= scale <= precision:
        return decimal_type(precision, scale)
    return TYPES.get(code, pa.string())
