"""A session with Snowflake. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa
import snowflake.connector
from snowflake.connector.connection import SnowflakeConnection
from snowflake.connector.constants import QueryStatus
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import DatabaseError, ProgrammingError

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Plan, Scope, Table
from moorings.dialects.network import https
from moorings.dialects.network.relay import USER, Relay
from moorings.dialects.oauth import Client
from moorings.dialects.snowflake import introspection
from moorings.dialects.snowflake.config import TLS_PORT, Config, uses_client_credentials
from moorings.dialects.snowflake.faults import MISSING, MISSING_SCHEMA, NO_COMPUTE, fault_key
from moorings.dialects.snowflake.types import batch, result_schema
from moorings.dialects.statements import without_comments_before, without_end

NO_METADATA = "SNOWFLAKE_DISABLE_PLATFORM_DETECTION"
"""Without it, each login asks the metadata services of all clouds, and DNS, which cloud this machine runs in."""
PREFETCH_THREADS, PREFETCH_MEGABYTES = 1, 64
LOGOUT_SECONDS = 2
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 1.0
MAX_UNKNOWN = 20
"""How many consecutive polls may find the statement unknown: the account registers a new one with some delay."""
TELLS = re.compile(r"\s*(SHOW|DESC|DESCRIBE|EXPLAIN|LIST|LS)\b", re.IGNORECASE)
"""Statements that only return information, but are no queries.

Statements with comments before these words do not match: the server might see the end of a comment elsewhere.
"""
MOVES_FILES = re.compile(r"(PUT|GET)\b", re.IGNORECASE)
"""Statements that the driver runs itself, in the file system of the service."""
WRITES = re.compile(
    r"(ALTER|BEGIN|CALL|COMMENT|COMMIT|COPY|CREATE|DECLARE|DELETE|DROP|EXECUTE|GET|GRANT|INSERT|MERGE|PUT|REMOVE|REVOKE"
    r"|RM|ROLLBACK|SET|START|TRUNCATE|UNDROP|UNSET|UPDATE|USE)\b",
    re.IGNORECASE,
)
"""First words of statements that are known not to be queries; they only choose the text of the error."""


class SnowflakeSession(Session):
    """One login. Statements run asynchronously in the account, so that each has an id for aborting it."""

    def __init__(self, config: Config, context: SessionContext) -> None:
        self._config = config
        self._application_name = context.application_name
        self._running: str | None = None
        self._nudged = threading.Event()
        self._wrote = False
        os.putenv(NO_METADATA, "true")  # for the driver, whose C code reads it
        place = (config.server, config.port or TLS_PORT)
        self._relay = Relay(context.network, context.connect_timeout_seconds, ("host", "port"), place)
        try:
            with _authority(config) as path, self._relay.explaining():
                arguments = _arguments(config, context, path or context.network.ca_bundle)
                self._connection, self._has_schema = _login(arguments | _proxied(self._relay))
        except BaseException:
            self._relay.close()
            raise
        self._relay.only = None  # results are in files of the account's cloud
        self.id = str(self._connection.session_id)
        self.encrypted = True

    def ping(self) -> None:
        """Check that the session still exists."""
        if not self._connection.is_valid():
            raise errors.SessionLost

    def check_schemas(self) -> str:
        """Report the default schema, or the login's error about it."""
        if not self._has_schema:
            raise errors.SchemaNotFound("default_schema", message=MISSING)
        schema = self._ask("SELECT CURRENT_SCHEMA() AS name")[0]["name"]
        return f"The default schema is {schema}." if schema else "There is no default schema."

    def try_query(self) -> str:
        """Run a query, and check that queries of tables have a warehouse."""
        warehouse = self._ask("SELECT CURRENT_WAREHOUSE() AS name")[0]["name"]
        if warehouse is None:
            raise errors.DatabaseForbidden("warehouse", message=NO_COMPUTE)
        return f"A query ran. Those that read tables run on {warehouse}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this database, and of the others that the settings include."""
        return introspection.tables(self._ask, scope)

    def plan(self, statement: Statement) -> Plan:
        """Snowflake's own plan; the estimate is the bytes of its partitions."""
        rows = self._ask(f"EXPLAIN USING TEXT {statement.sql}", statement.parameters)
        text = "\n".join(str(next(iter(row.values()))) for row in rows)
        match = re.search(r"bytesAssigned=(\d+)", text)
        return Plan(text, int(match[1]) if match else None)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement, and stream its result chunk by chunk."""
        sql = without_end(statement.sql)
        bare = without_comments_before(sql, "--", "//")
        if not bare:
            raise errors.StatementRefused(message="The text has no statement. Send exactly one.")
        if MOVES_FILES.match(bare):
            raise errors.StatementRefused(
                message="PUT and GET are refused: they read and write files where Moorings runs."
            )
        if statement.read_only:
            self._see_that_it_reads(sql, statement.parameters)
        self._wrote = self._wrote or not statement.read_only
        with self._relay.explaining():
            cursor = self._run(sql, statement.parameters, timeout_seconds=statement.timeout_seconds, tag=statement.note)
            return _reader(cursor, statement.batch_rows, self._relay)

    def _see_that_it_reads(self, sql: str, parameters: Sequence[Any]) -> None:
        """Let the server compile the statement, without running it, in a place where only a query is valid.

        Snowflake accepts one statement at a time, and queries do not write: it refuses procedures that write in place
        of a table. Other statements fail to compile there, even if comments or casing hide their first word.
        """
        bare = without_comments_before(sql, "--", "//")
        if TELLS.match(sql) and "->>" not in sql:  # which would add a second statement
            return
        try:
            self._connection.cursor().describe(f"SELECT 1 WHERE EXISTS (\n{sql}\n)", tuple(parameters) or None)
        except ProgrammingError:
            if WRITES.match(bare):
                raise errors.ReadOnly from None
            raise

    def _run(
        self, sql: str, parameters: Sequence[Any] = (), *, timeout_seconds: float = 0, tag: str = ""
    ) -> SnowflakeCursor:
        settings: dict[str, Any] = {"QUERY_TAG": f"{self._application_name} {tag}".strip(), "MULTI_STATEMENT_COUNT": 1}
        if timeout_seconds:
            settings["STATEMENT_TIMEOUT_IN_SECONDS"] = max(1, math.ceil(timeout_seconds))
        cursor = self._connection.cursor()
        submitted = cursor.execute_async(sql, tuple(parameters) or None, _statement_params=settings)
        self._running = query_id = submitted["queryId"] or ""
        self._await(query_id)
        cursor.query_result(query_id)
        return cursor

    def _await(self, query_id: str) -> None:
        """Wait until the statement has ended: for an earlier request of its result, the driver would return no rows."""
        pause, unknown = FIRST_PAUSE_SECONDS, 0
        while self._connection.is_still_running(status := self._connection.get_query_status(query_id)):
            unknown = unknown + 1 if status is QueryStatus.NO_DATA else 0
            if unknown > MAX_UNKNOWN:
                raise errors.SessionLost
            pause = FIRST_PAUSE_SECONDS if self._nudged.wait(pause) else min(2 * pause, MAX_PAUSE_SECONDS)
            self._nudged.clear()

    def _ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        cursor = self._run(sql, parameters)
        names = [column.name.lower() for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Abort the statement by its id, over another connection of the driver."""
        if self._running:
            self._connection.cursor().abort_query(self._running)
            self._nudged.set()

    def reset(self) -> bool:
        """Keep a live session if only queries ran in it, which leave no state; Snowflake cannot reset sessions."""
        self._running = None
        return not self._wrote and self._connection.is_valid()

    def close(self) -> None:
        """Log out; the account then ends statements that still run in the session."""
        with contextlib.suppress(Exception):
            self._connection.close(retry=False)
        self._relay.close()


def _reader(cursor: SnowflakeCursor, max_rows: int, relay: Relay) -> pa.RecordBatchReader:
    tables = iter(cursor.fetch_arrow_batches())
    first = next(tables, None)
    found = first if first is not None else cursor.fetch_arrow_all(force_return_table=True)
    schema = result_schema(cursor.description or (), found.schema if found is not None else pa.schema([]))

    def batches() -> Iterator[pa.RecordBatch]:
        table = first
        while table is not None:
            for part in table.to_batches(max_chunksize=max_rows):
                yield batch(part, schema)
            with relay.explaining(anew=False):
                table = next(tables, None)

    return pa.RecordBatchReader.from_batches(schema, batches())


# ---- how to connect -----------------------------------------------------------------------------------------------


def _login(arguments: dict[str, Any]) -> tuple[SnowflakeConnection, bool]:
    """A connection, and whether its default schema exists: a session without one is still useful."""
    try:
        return snowflake.connector.connect(**arguments), True
    except DatabaseError as error:
        if fault_key(error) != MISSING_SCHEMA:
            raise
    return snowflake.connector.connect(**arguments | {"schema": None}), False


def _arguments(config: Config, context: SessionContext, authority: str | None) -> dict[str, Any]:
    """The driver's arguments: no files, no telemetry, little prefetching, bounded retries."""
    seconds = max(1, math.ceil(context.connect_timeout_seconds))
    return {
        "account": config.account,
        "host": config.server,
        "port": config.port,
        "user": config.username,
        "database": config.database,
        "schema": config.default_schema,
        "warehouse": config.warehouse,
        "validate_default_parameters": True,
        "application": context.application_name,
        "paramstyle": "qmark",
        "arrow_number_to_decimal": True,
        "force_microsecond_precision": True,
        "login_timeout": seconds,
        "connect_timeout": seconds,
        "retry_max_attempts": 3,
        "retry_backoff_base_ms": 100,
        "retry_backoff_cap_ms": 500,
        "client_prefetch_threads": PREFETCH_THREADS,
        "client_memory_limit": PREFETCH_MEGABYTES,
        "client_store_temporary_credential": False,
        "crl_enable_disk_caching": False,
        "auto_cleanup": False,
        "server_session_keep_alive": False,
        "enable_server_session_keep_alive_auto_detection": False,
        "logout_max_attempts": 1,
        "logout_total_timeout_seconds": LOGOUT_SECONDS,
        "tls_skip_verify": config.trust_server_certificate,
        "custom_root_store_path": authority,
        "session_parameters": {
            "CLIENT_TELEMETRY_ENABLED": False,
            "TIMEZONE": config.session_zone,
            "QUERY_TAG": context.application_name,
            "STATEMENT_TIMEOUT_IN_SECONDS": config.query_timeout_seconds,
        },
        **_credentials(config, context),
    }


def _proxied(relay: Relay) -> dict[str, Any]:
    """Makes the driver, which dials by itself, connect only through our relay."""
    return {
        "proxy_host": "127.0.0.1",
        "proxy_port": relay.port,
        "proxy_user": USER,
        "proxy_password": relay.password,
        "no_proxy": "",
        "use_proxy_env": False,
    }


def _credentials(config: Config, context: SessionContext) -> dict[str, Any]:
    if config.authentication_type == "snowflake-keypair" and (key := config.opened_key):
        return {"authenticator": "SNOWFLAKE_JWT", "private_key": key}
    if uses_client_credentials(config):
        return {"authenticator": "OAUTH", "token": _client(config, context).token()}
    return {"password": config.secrets().get("password")}


def _client(config: Config, context: SessionContext) -> Client:
    return Client(
        url=config.external_oauth_token_url or "",
        id=config.oauth_client_id or "",
        secret=config.secrets()["oauth_client_secret"],
        blamed=("oauth_client_id", "oauth_client_secret", "external_oauth_token_url"),
        address=("external_oauth_token_url",),
        network=context.network,
        timeout_seconds=context.connect_timeout_seconds,
        context=https.context(context.network, config.ssl_root_cert),
        audience=config.external_oauth_audience,
    )


@contextlib.contextmanager
def _authority(config: Config) -> Generator[str | None]:
    """The path of the certificates to verify with; the driver reads the file while it connects."""
    if config.ssl_root_cert is None:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(config.ssl_root_cert)
        file.flush()
        yield file.name
