"""A session with Exasol through pyexasol. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import math
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from exasol.telemetry import client as telemetry
from pyexasol import ExaError

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.config.tls import tls_context
from moorings.dialects.exasol import introspection
from moorings.dialects.exasol.config import Config
from moorings.dialects.exasol.types import arrow_type, column
from moorings.dialects.exasol.wire import Wire
from moorings.dialects.introspection import Plan, Scope, Table
from moorings.dialects.read_only import BRACKETS, first_word, require_reading
from moorings.dialects.statements import without_end

SILENCE_SECONDS = 60
"""While a statement runs, the server sends a message each second. After this silence the network counts as dead."""
FETCH_BYTES = 2 * 1024 * 1024
FORMATS = (
    "ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY-MM-DD'",
    "ALTER SESSION SET NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9'",
)
"""How dates and times are written in results, whatever the database's settings."""
LEAVES_NOTHING = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP")
"""First words of statements that may write without changing their session."""
NOTHING_SEEN = "The user sees nothing in the default schema. Grant SELECT on it, or put something there."
NO_EXPLAIN = "Exasol has no EXPLAIN. A query plan is not available."


class ExasolSession(Session):
    """One login. Statements that only read run without autocommit, and are rolled back."""

    def __init__(self, config: Config, context: SessionContext) -> None:
        self._config = config
        self._schema = config.default_schema
        self._context = context
        self._handle: int | None = None
        self._open = False
        self._changed = False
        self._connection = _login(config, context)
        self.id = self._connection.session_id()
        self.encrypted = True
        try:
            for setting in (*FORMATS, f"ALTER SESSION SET TIME_ZONE = '{config.session_zone.upper()}'"):
                self._run(setting)
            self._use_default()
        except BaseException:
            self.close()
            raise

    def _use_default(self) -> None:
        if self._schema is not None:
            quoted = self._schema.replace('"', '""')
            # check_schemas reports the reason; queries fail because the name is unknown
            with contextlib.suppress(ExaError):
                self._run(f'OPEN SCHEMA "{quoted}"')

    def ping(self) -> None:
        """Run SELECT 1."""
        self._run("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema, and for anything in it that the user sees."""
        if self._schema is None:
            return "There is no default schema."
        found = self._rows(introspection.SCHEMA, [self._schema])
        if not found:
            raise errors.SchemaNotFound("default_schema")
        owned, seen = found[0]
        if not owned and not seen:
            raise errors.SchemaForbidden("default_schema", message=NOTHING_SEEN)
        return f"The default schema is {self._schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables and views that the login may see."""
        return introspection.tables(self._rows, scope)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows."""
        if statement.read_only:
            require_reading(statement.sql, quoted=BRACKETS)
        else:
            self._changed |= first_word(statement.sql, quoted=BRACKETS) not in LEAVES_NOTHING
        self._end()
        self._open = True
        note = f"/* {self._context.application_name} {statement.note} */ " if statement.note else ""
        limits = {
            "autocommit": not statement.read_only,
            "queryTimeout": max(1, math.ceil(statement.timeout_seconds)),
        }
        result = self._result(note + statement.sql, statement.parameters, limits)
        self._handle = result.get("resultSetHandle")
        described = result.get("columns", ())
        schema = pa.schema([pa.field(each["name"], arrow_type(each["dataType"])) for each in described])
        return pa.RecordBatchReader.from_batches(schema, self._batches(result, schema, statement.batch_rows))

    def _batches(self, result: dict[str, Any], schema: pa.Schema, max_rows: int) -> Iterator[pa.RecordBatch]:
        zone = self._config.session_zone
        for columns in self._chunks(result):
            for start in range(0, len(columns[0]) if columns else 0, max_rows):
                parts = [values[start : start + max_rows] for values in columns]
                arrays = [column(values, field.type, zone) for values, field in zip(parts, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _chunks(self, result: dict[str, Any]) -> Iterator[list[list[Any]]]:
        """The columns of a result, so many bytes of them at a time."""
        rows, total = result.get("numRowsInMessage", 0), result.get("numRows", 0)
        if rows:
            yield result["data"]
        while rows < total and self._handle is not None:
            request = {"resultSetHandle": self._handle, "startPosition": rows, "numBytes": FETCH_BYTES}
            chunk = self._connection.req({"command": "fetch", **request})["responseData"]
            rows += chunk["numRows"]
            yield chunk["data"]
        self._close_result()

    def plan(self, statement: Statement) -> Plan:
        """Exasol has no plans; raises StatementRefused."""
        raise errors.StatementRefused(message=NO_EXPLAIN)

    def _result(self, sql: str, parameters: Sequence[Any], attributes: dict[str, Any]) -> dict[str, Any]:
        """Run a statement; returns its result set, or {} if it has none."""
        text = without_end(sql)
        if parameters:
            answer = self._execute_prepared(text, parameters, attributes)
        else:
            answer = self._connection.req({"command": "execute", "attributes": attributes, "sqlText": text})
        return answer["responseData"]["results"][0].get("resultSet", {})

    def _execute_prepared(self, sql: str, parameters: Sequence[Any], attributes: dict[str, Any]) -> dict[str, Any]:
        """Run a statement with values; values that the driver cannot write in JSON are sent as text."""
        prepare = {"command": "createPreparedStatement", "attributes": attributes, "sqlText": sql}
        prepared = self._connection.req(prepare)["responseData"]
        handle, expected = prepared["statementHandle"], prepared.get("parameterData", {"columns": []})["columns"]
        try:
            if len(expected) != len(parameters):
                raise errors.ParametersRefused
            values = [
                [each if isinstance(each, (bool, int, float, str, type(None))) else str(each)] for each in parameters
            ]
            described = {"numColumns": len(expected), "numRows": 1, "columns": expected, "data": values}
            execute = {"command": "executePreparedStatement", "statementHandle": handle}
            return self._connection.req({**execute, **described})
        finally:
            with contextlib.suppress(ExaError):
                self._connection.req({"command": "closePreparedStatement", "statementHandle": handle})

    def _run(self, sql: str) -> None:
        self._result(sql, (), {})

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement of ours, with JSON values."""
        self._end()
        result = self._result(sql, parameters, {"autocommit": True})
        self._handle = result.get("resultSetHandle")
        return [row for columns in self._chunks(result) for row in zip(*columns, strict=True)]

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send KILL STATEMENT over a separate connection.

        The driver's abort would write into the TLS connection that the session's thread reads from, and OpenSSL allows
        one thread at a time.
        """
        connection = _login(self._config, self._context)
        try:
            connection.req({"command": "execute", "sqlText": f"KILL STATEMENT IN SESSION {int(self.id)}"})
        finally:
            connection.close()

    def _close_result(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._connection.req({"command": "closeResultSet", "resultSetHandles": [handle]})

    def _end(self) -> None:
        """Discard the rest of a result, and the transaction."""
        self._close_result()
        if self._open:
            self._run("ROLLBACK")
            self._open = False

    def reset(self) -> bool:
        """Roll back; a session whose settings may have changed is closed."""
        self._end()
        return not self._changed

    def close(self) -> None:
        """Log out; unread rows are left on the server."""
        with contextlib.suppress(Exception):
            self._connection.close()


def _login(config: Config, context: SessionContext) -> Wire:
    """Connect without telemetry, and without sending the name of the operating system's user."""
    telemetry.disable()
    ssl_context = tls_context(config, context.network)
    host, _, fingerprint = (config.host or "").partition("/")
    if fingerprint and ssl_context is not None:  # which replaces authorities and names
        ssl_context.check_hostname, ssl_context.verify_mode = False, ssl.CERT_NONE
    where = f"{host}/{fingerprint}" if fingerprint else host
    try:
        return Wire(
            context.network,
            dsn=f"{where}:{config.port}",
            user=config.username,
            password=config.secrets().get("password", ""),
            connection_timeout=context.connect_timeout_seconds,
            socket_timeout=SILENCE_SECONDS,
            encryption=True,
            resolve_hostnames=True,
            websocket_sslopt={"context": ssl_context},
            client_name=context.application_name,
            client_os_username=context.application_name,
        )
    except ExaError as error:
        with contextlib.suppress(Exception):  # the driver leaves the socket open
            error.connection.close(disconnect=False)
        raise
