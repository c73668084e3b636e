"""A session with Databricks SQL. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
from databricks import sql as driver
from databricks.sql.backend.types import CommandState
from databricks.sql.client import Connection, Cursor

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.config.hosts import in_url
from moorings.dialects.databricks import introspection
from moorings.dialects.databricks.config import MACHINE, Config
from moorings.dialects.databricks.faults import error_class
from moorings.dialects.databricks.introspection import quoted
from moorings.dialects.databricks.transport import through
from moorings.dialects.introspection import Scope, Table
from moorings.dialects.network import https
from moorings.dialects.oauth import Client
from moorings.dialects.statements import without_comments_before, without_end

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 1.0
REPLY_BYTES = 8 * 1024 * 1024
"""The most bytes of a result that the server may send at once."""
STATEMENT_SECONDS = 120.0
"""How long a request of a statement may take; requests of a login have the limit of logins."""
PENDING = (CommandState.PENDING, CommandState.RUNNING)
NOT_COPIED = "This is not a Databricks token: it has characters that tokens do not have. Copy the token again."
TELLS = re.compile(r"\s*(SHOW|DESC|DESCRIBE|EXPLAIN|LIST)\b", re.IGNORECASE)
"""Statements that only return information, but are no queries.

Statements with comments before these words do not match: the server might see the end of a comment elsewhere.
"""
WRITES = re.compile(
    r"(ALTER|ANALYZE|BEGIN|CACHE|CALL|CLEAR|COMMENT|COMMIT|COPY|CREATE|DECLARE|DELETE|DROP|EXECUTE|GRANT|INSERT|LOAD|MERGE"
    r"|MSCK|OPTIMIZE|PUT|REFRESH|REORG|REPAIR|RESET|REVOKE|ROLLBACK|SET|START|SYNC|TRUNCATE|UNCACHE|UNDROP|UPDATE|USE"
    r"|VACUUM|XA)\b",
    re.IGNORECASE,
)
"""First words of statements that are known not to be queries; they only choose the text of the error."""


class DatabricksSession(Session):
    """One login. Statements run asynchronously, so that each has a handle for cancelling it."""

    def __init__(self, config: Config, context: SessionContext) -> None:
        self._config = config
        self._application_name = context.application_name
        self._timeout_seconds = config.query_timeout_seconds
        self._nudged = threading.Event()
        self._wrote = False
        self._authority = _authority(config)
        try:
            with through(context.network):
                self._connection = _login(_arguments(config, context, self._authority))
            self._cursor = self._connection.cursor(buffer_size_bytes=REPLY_BYTES)
            ((self._catalog, self._schema),) = self._ask("SELECT current_catalog(), current_schema()")
        except BaseException:
            self.close()
            raise
        self._take_time(STATEMENT_SECONDS)
        self.id = self._connection.get_session_id_hex()
        self.encrypted = True

    def _take_time(self, seconds: float) -> None:
        """The driver has one time limit for logging in and for everything after it."""
        self._connection.session.backend._transport.setTimeout(seconds * 1000)  # noqa: SLF001  # settable nowhere else

    def ping(self) -> None:
        """Run SELECT 1."""
        self._ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema, and the right to see it."""
        schema = self._config.default_schema or self._schema
        try:
            self._ask(f"DESCRIBE SCHEMA {quoted(self._catalog)}.{quoted(schema)}")
        except driver.exc.DatabaseError as error:
            if "INSUFFICIENT_PERMISSIONS" not in str(error) or self._config.default_schema is None:
                raise
            raise errors.SchemaForbidden("default_schema") from None
        return f"The default schema is {schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this catalog, and of the others that the settings include."""
        return introspection.tables(self._ask, scope, self._catalog)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement, and stream its rows."""
        sql = without_end(statement.sql)
        if not without_comments_before(sql, "--"):
            raise errors.StatementRefused(message="The text has no statement. Send exactly one.")
        if statement.read_only:
            self._see_that_it_reads(sql)
        self._wrote = self._wrote or not statement.read_only
        self._keep_time(statement.timeout_seconds)
        self._cursor.arraysize = statement.batch_rows
        note = f"/* {self._application_name} {statement.note} */ " if statement.note else ""
        self._run(note + sql, statement.parameters)
        return _reader(self._cursor, statement.batch_rows)

    def _see_that_it_reads(self, sql: str) -> None:
        """Let the server parse the statement, without running it, at a place where its grammar allows only a query.

        Only syntax errors count here: running the query reports other errors.
        """
        if TELLS.match(sql):
            return
        try:
            self._run(f"DESCRIBE QUERY (\n{sql}\n)")
        except driver.exc.DatabaseError as error:
            if error_class(error) != "PARSE_SYNTAX_ERROR":
                return
            if WRITES.match(without_comments_before(sql, "--")):
                raise errors.ReadOnly from None
            raise

    def _keep_time(self, seconds: float) -> None:
        limit_seconds = max(1, math.ceil(seconds))
        if limit_seconds != self._timeout_seconds:
            self._run(f"SET STATEMENT_TIMEOUT = {limit_seconds}")
            self._timeout_seconds = limit_seconds

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        cursor = self._cursor
        cursor.execute_async(sql, list(parameters) or None)
        pause = FIRST_PAUSE_SECONDS
        while (state := cursor.get_query_state()) in PENDING:
            pause = FIRST_PAUSE_SECONDS if self._nudged.wait(pause) else min(2 * pause, MAX_PAUSE_SECONDS)
            self._nudged.clear()
        if state is CommandState.CANCELLED:
            raise errors.QueryCancelled
        cursor.get_async_execution_result()

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        self._run(sql)
        found = self._cursor.fetchall_arrow()
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask the server to cancel the statement, between two polls of its thread."""
        self._cursor.cancel()
        self._nudged.set()

    def reset(self) -> bool:
        """Keep a live session if only queries ran in it, which leave no state; Databricks cannot reset sessions."""
        if not self._wrote:
            self.ping()
        return not self._wrote

    def close(self) -> None:
        """Log out; the server ends statements that still run in the session."""
        with contextlib.suppress(Exception):
            self._take_time(2)
            self._connection.close()
        if self._authority is not None:
            self._authority.close()


def _reader(cursor: Cursor, max_rows: int) -> pa.RecordBatchReader:
    first = cursor.fetchmany_arrow(max_rows)
    schema = pa.schema([pa.field(field.name, _plain(field.type)) for field in first.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        table = first
        while table.num_rows:
            for part in table.to_batches():
                columns = [column.cast(field.type) for column, field in zip(part.columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
            table = cursor.fetchmany_arrow(max_rows)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Instants in UTC for any time zone of the session, which changes only their spelling."""
    return pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(kind) and kind.tz is not None else kind


# ---- how to connect -----------------------------------------------------------------------------------------------


def _login(arguments: dict[str, Any]) -> Connection:
    """A connection; without the default schema if it does not exist, which `check_schemas` reports."""
    try:
        return driver.connect(**arguments)
    except driver.exc.DatabaseError as error:
        if error_class(error) != "SCHEMA_NOT_FOUND":
            raise
    return driver.connect(**arguments | {"schema": None})


def _arguments(config: Config, context: SessionContext, authority: IO[str] | None) -> dict[str, Any]:
    """The driver's arguments: no telemetry, results through the warehouse, bounded retries."""
    seconds = context.connect_timeout_seconds
    return {
        "server_hostname": in_url(config.host or ""),
        "_port": config.port,
        "http_path": config.warehouse,
        "catalog": config.database,
        "schema": config.default_schema,
        "session_configuration": {
            "STATEMENT_TIMEOUT": config.query_timeout_seconds,
            "TIMEZONE": config.session_zone,
            "ANSI_MODE": "true",
        },
        "user_agent_entry": context.application_name,
        "enable_telemetry": False,
        "force_enable_telemetry": False,
        "use_cloud_fetch": False,
        "_tls_no_verify": config.trust_server_certificate,
        "_tls_trusted_ca_file": authority.name if authority else context.network.ca_bundle,
        "_socket_timeout": seconds,
        "_retry_stop_after_attempts_count": 3,
        "_retry_stop_after_attempts_duration": max(1.0, seconds),
        "_retry_delay_min": 0.2,
        "_retry_delay_max": 5.0,
        **_credentials(config, context),
    }


def _credentials(config: Config, context: SessionContext) -> dict[str, Any]:
    secret = config.secrets().get("password", "")
    if config.authentication_type != MACHINE:
        if not (secret.isascii() and secret.isprintable()):
            raise errors.LoginRefused("password", message=NOT_COPIED)
        return {"access_token": secret}
    client = Client(
        url=f"https://{in_url(config.host or '')}:{config.port or 443}/oidc/v1/token",
        id=config.username or "",
        secret=secret,
        blamed=("username", "password"),
        address=("host", "port"),
        network=context.network,
        timeout_seconds=context.connect_timeout_seconds,
        context=https.context(context.network, config.ssl_root_cert, trust=config.trust_server_certificate),
        scope="all-apis",
    )
    client.token()  # refused here, so that our error is raised; the driver would report a failed request
    return {"credentials_provider": _Provider(client)}


class _Provider:
    """Supplies a token to the driver before each of its requests."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def auth_type(self) -> str:
        return MACHINE

    def __call__(self, *args: Any, **kwargs: Any) -> Callable[[], dict[str, str]]:
        return lambda: {"Authorization": f"Bearer {self._client.token()}"}


def _authority(config: Config) -> IO[str] | None:
    """The certificates to verify with, as a file: the driver reads it again whenever it dials."""
    if config.ssl_root_cert is None:
        return None
    file = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115  # closed with the session
    file.write(config.ssl_root_cert)
    file.flush()
    return file
