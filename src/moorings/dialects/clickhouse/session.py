"""A session with ClickHouse through clickhouse-connect. Imports the driver: only `connect` imports this.

HTTP has no server session: each statement is a request with its own settings, so nothing must be reset.
"""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from clickhouse_connect import common
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_connect.driver.query import QueryResult
from urllib3 import Timeout
from urllib3.response import HTTPResponse

from moorings import errors
from moorings.dialects.arrow.columns import plain, plain_schema
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.clickhouse import introspection
from moorings.dialects.clickhouse.body import Body
from moorings.dialects.clickhouse.statements import TOKEN, bound, literal, require_query
from moorings.dialects.clickhouse.types import RECAST, arrow_type, convert, durations, is_clear, recast, recast_type
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.tls import tls_context
from moorings.dialects.introspection import Plan, Scope, Table, joined
from moorings.dialects.network.pools import CheckedPools
from moorings.dialects.statements import trimmed

READ_SLACK_SECONDS = 30
"""How long we wait for a silent statement beyond its time limit: first the server, then we stop it."""
FORMAT = {"X-ClickHouse-Format": "ArrowStream"}
"""A header requests it: after the statement's text, a final comment or semicolon would hide it."""
SYNTAX_ERROR, UNKNOWN_DATABASE, OUT_OF_RANGE = 62, 81, 321
ALWAYS = {
    "cancel_http_readonly_queries_on_client_close": 1,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
}

Natives = Sequence[str | None]
Columns = Sequence[tuple[str, str]]

common.set_setting("send_os_user", False)
common.set_setting("send_integration_tags", False)
common.set_setting("max_connection_age", 0)  # our pool does this; the driver would keep each session's sockets


class ClickHouseSession(Session):
    """One login: a client whose requests carry it."""

    def __init__(self, config: ConnectionConfig, context: SessionContext) -> None:
        self._config = config
        self._database = config.default_schema or config.database
        self._connect_seconds = context.connect_timeout_seconds
        self._query_id: str | None = None
        self._response: HTTPResponse | None = None
        tls = tls_context(config, context.network)
        self.encrypted = tls is not None
        self._wire = CheckedPools(
            context.network,
            *("host", "port"),
            ssl_context=tls,
            cert_reqs=tls.verify_mode if tls else None,
        )
        try:
            self._client = self._login(context.application_name)
            self._zone = self._look_around()
            self._wait(config.query_timeout_seconds)
        except BaseException:
            self._wire.disconnect()
            raise

    def _login(self, application_name: str) -> HttpClient:
        return HttpClient(
            interface="https" if self.encrypted else "http",
            host=self._config.host or "",
            port=self._config.port or 8443,
            username=self._config.username or "",
            password=self._config.secrets().get("password", ""),
            database=None,
            compress=False,
            query_retries=0,
            connect_timeout=max(1, math.ceil(self._connect_seconds)),
            send_receive_timeout=max(1, math.ceil(self._connect_seconds)),
            client_name=application_name,
            pool_mgr=self._wire,
            autogenerate_session_id=False,
            show_clickhouse_errors="scrub",
        )

    def _look_around(self) -> str:
        """Check the database, if one is named; returns the session's time zone.

        One request, because logins should be quick.
        """
        if self._config.database is None:
            return self._rows("SELECT timezone()")[0][0]
        zone, seen = self._seen(self._config.database)
        if not seen:
            raise errors.DatabaseForbidden("database")
        return zone

    def _seen(self, database: str) -> tuple[str, bool]:
        """The time zone, and whether the login sees this database; the server raises when there is none."""
        sql = f"SELECT timezone(), (SELECT count() FROM system.databases WHERE name = {literal(database)})"  # noqa: S608
        ((zone, found),) = self._ask(sql, database=database).result_rows
        return str(zone), bool(found)

    def ping(self) -> None:
        """Run SELECT 1."""
        self._rows("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema, which is a database here, and the right to see it."""
        schema = self._config.default_schema or self._config.database
        if schema is None:
            return "The default schema is the user's own."
        try:
            _, seen = self._seen(schema)
        except DatabaseError as error:
            if error.code != UNKNOWN_DATABASE:
                raise
            raise errors.SchemaNotFound("default_schema") from error
        if not seen:
            raise errors.SchemaForbidden("default_schema")
        return f"The default schema is {schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of every database that the login may see and the settings include."""
        return introspection.tables(self._rows, scope, self._zone)

    def _rows(self, sql: str) -> Sequence[Sequence[Any]]:
        self._query_id = str(uuid.uuid4())
        return self._ask(sql, query_id=self._query_id).result_rows

    def _ask(self, sql: str, statement: Statement | None = None, **place: str) -> QueryResult:
        """The server's response to a statement of ours; with the parameters of `statement`, if it is about one."""
        requested = {"session_timezone": self._config.session_zone}
        if statement is None or statement.read_only:
            requested["readonly"] = "1"
        if statement is not None and self._database:
            place["database"] = self._database
        with self._with(statement):
            return self._client.query(sql, settings=self._allowed(requested) | place)

    @contextlib.contextmanager
    def _with(self, statement: Statement | None) -> Generator[None]:
        """Requests in the block have a statement's parameters.

        The driver itself would write values into the text if it misses the placeholder, and would quote arrays wrongly.
        """
        values = bound(statement.sql, statement.parameters) if statement else {}
        self._client.params.update(values)
        try:
            yield
        finally:
            for name in values:
                del self._client.params[name]

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows."""
        if not trimmed(statement.sql, TOKEN):
            raise errors.StatementRefused(message="The text has no statement. Send exactly one.")
        if statement.read_only:
            require_query(statement.sql)
        self._query_id = statement.query_id or str(uuid.uuid4())
        try:
            return self._run(statement, statement.sql)
        except DatabaseError as error:
            if error.code != OUT_OF_RANGE:
                raise
            columns = [(name, durations(native)) for name, native in self._columns(statement) or ()]
            recast_statement = self._recast(statement, columns)
            if recast_statement is None:
                raise
            return self._run(statement, *recast_statement)

    def _run(self, statement: Statement, sql: str, natives: Natives | None = None) -> pa.RecordBatchReader:
        """Send a statement; `natives` are the types of a result whose columns are requested in other forms."""
        self._leave_unread()
        self._wait(statement.timeout_seconds)
        # The server's own spans go below this one, if it records any.
        headers = FORMAT | ({"traceparent": statement.traceparent} if statement.traceparent else {})
        with self._with(statement):
            response = self._client.raw_stream(sql, settings=self._settings(statement), transport_settings=headers)
        self._response = response
        body = Body(response, statement.limits.buffer)
        if body.empty():
            self._response = None
            return pa.RecordBatchReader.from_batches(pa.schema([]), [])
        if response.headers.get("X-ClickHouse-Format") != "ArrowStream":
            self._leave_unread()
            raise errors.StatementRefused(message="Moorings chooses the format. Remove FORMAT from the statement.")
        return self._converted(statement, body, natives)

    def _recast(self, statement: Statement, columns: Columns) -> tuple[str, Natives] | None:
        """The statement wrapped in one that requests its columns in forms that Arrow has.

        None if no column needs it.
        """
        forms = {name: recast(f"`{_escaped(name)}`", native) for name, native in columns}
        changed = [f"{found} AS `{_escaped(name)}`" for name, found in forms.items() if found]
        if not changed:
            return None
        if len(forms) < len(columns):
            raise errors.StatementRefused(
                message=(
                    "Several columns of the result have the same name, and one has a type that Arrow "
                    "lacks. Give each an alias."
                )
            )
        self._query_id = str(uuid.uuid4())  # the first one may not be over yet
        inner = trimmed(statement.sql, TOKEN)
        sql = f"SELECT * REPLACE ({', '.join(changed)}) FROM (\n{inner}\n)"  # noqa: S608  # quoted names
        return sql, [recast_type(native) for _, native in columns]

    def _wait(self, seconds: float) -> None:
        self._client.timeout = Timeout(connect=self._connect_seconds, read=seconds + READ_SLACK_SECONDS)

    def _settings(self, statement: Statement) -> dict[str, Any]:
        """The server settings for the statement.

        The server checks all settings of a request before it applies any. So `readonly=1`, which forbids changes of
        settings, does not forbid the others in the same request.
        """
        seconds = math.ceil(statement.timeout_seconds)
        # a shorter limit of the user's profile stays
        own_limit = self._client.server_settings.get("max_execution_time")
        if own_limit is not None and 0 < float(own_limit.value) < seconds:
            seconds = math.ceil(float(own_limit.value))
        requested = {
            **ALWAYS,
            "max_execution_time": seconds,
            "http_send_timeout": seconds,  # else the server would disconnect a reader that pauses
            "max_block_size": statement.batch_rows,
            "session_timezone": self._config.session_zone,
        }
        if statement.note:
            requested["log_comment"] = statement.note
        settings = self._allowed(requested | ({"readonly": 1} if statement.read_only else {}))
        place = {"query_id": self._query_id} | ({"database": self._database} if self._database else {})
        return settings | place

    def _allowed(self, requested: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that this server knows and this user may change.

        A user with a read-only profile already has `readonly`. For every other user it is sent in any case: a failed
        statement is better than one that may write.
        """
        known = self._client.server_settings
        unlocked = known["readonly"].value == "0"
        return {
            name: value
            for name, value in requested.items()
            if (unlocked if name == "readonly" else name in known and not known[name].readonly)
        }

    def _converted(self, statement: Statement, body: Body, known: Natives | None) -> pa.RecordBatchReader:
        sent = body.arrow()
        bare = plain_schema(sent)
        natives = known or self._described(statement, sent)
        if known is None and any(native and RECAST.search(native) for native in natives):
            recast_statement = self._recast(statement, list(zip(bare.names, map(str, natives), strict=True)))
            if recast_statement is not None:
                return self._run(statement, *recast_statement)
        fields = [
            pa.field(field.name, (native and arrow_type(native, self._zone)) or field.type)
            for field, native in zip(bare, natives, strict=True)
        ]
        schema = pa.schema(fields)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in body.batches(sent):
                columns = [
                    convert(column, native, field.type) if native and arrow_type(native, self._zone) else column
                    for column, native, field in zip(batch.columns, natives, schema, strict=True)
                ]
                yield plain(pa.RecordBatch.from_arrays(columns, names=schema.names), schema)
            self._response = None

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _described(self, statement: Statement, schema: pa.Schema) -> Natives:
        """The server's own types of the result's columns, requested only if Arrow's types leave something open.

        The server evaluates scalar subqueries for the answer. None for types that are not needed or cannot be known:
        only a SELECT can be described.
        """
        clear: Natives = ["String" if pa.types.is_string(field.type) else None for field in schema]
        if all(is_clear(field.type) for field in schema):
            return clear
        found = self._columns(statement)
        return [native for _, native in found] if found and len(found) == len(schema) else clear

    def _columns(self, statement: Statement) -> Columns | None:
        """Name and type of each column of a result, from the server; None if it cannot describe the statement."""
        try:
            found = self._ask(f"DESCRIBE TABLE (\n{trimmed(statement.sql, TOKEN)}\n)", statement).result_rows
        except DatabaseError as error:
            if error.code != SYNTAX_ERROR:
                raise
            return None
        return [(str(row[0]), str(row[1])) for row in found]

    def plan(self, statement: Statement) -> Plan:
        """The server's plan, with its estimate of the rows read from each table if it has one."""
        plan = super().plan(statement)
        try:
            found = self._ask(f"EXPLAIN ESTIMATE {trimmed(statement.sql, TOKEN)}", statement)
        except DatabaseError:  # only SELECT has one
            return plan
        estimates = joined([found.column_names, *found.result_rows])
        return Plan(f"{plan.text}\n\n{estimates}") if found.result_rows else plan

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send KILL QUERY in a separate request."""
        if self._query_id is not None:
            self._client.command(f"KILL QUERY WHERE query_id = {literal(self._query_id)} ASYNC")

    def _leave_unread(self) -> None:
        """Stop a result that was not read to its end: after closing alone, a statement that writes would continue."""
        response, self._response = self._response, None
        if response is not None:
            with contextlib.suppress(Exception):  # it may just have ended
                self.cancel()
            response.close()

    def reset(self) -> bool:
        """Stop an unread result; there is no other state."""
        self._leave_unread()
        return True

    def close(self) -> None:
        """Hang up."""
        self._leave_unread()
        self._wire.disconnect()


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")
