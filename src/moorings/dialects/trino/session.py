"""A session with Trino through its Python client. Imports the driver: only `connect` imports this.

The server has no sessions: each statement has its own settings in headers, so nothing must be reset.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from trino.client import ClientSession, TrinoQuery, TrinoRequest
from trino.exceptions import TrinoQueryError

from moorings import errors
from moorings.dialects.arrow.beyond import noted
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.hosts import in_url
from moorings.dialects.config.tls import tls_context
from moorings.dialects.introspection import Scope, Table
from moorings.dialects.read_only import require_query
from moorings.dialects.trino import introspection
from moorings.dialects.trino.statements import executed, identifier
from moorings.dialects.trino.types import arrow_type, column
from moorings.dialects.trino.wire import Wire

POLL_SECONDS = 30.0
"""How long one answer may take: the server answers a page that is not ready within a second."""
STARTED = "X-Trino-Started-Transaction-Id"
NONE = "NONE"
"""The transaction header of a statement without a transaction."""


class TrinoSession(Session):
    """One login: an HTTP session whose requests carry it."""

    def __init__(self, config: ConnectionConfig, context: SessionContext) -> None:
        self._config = config
        self._context = context
        self._query: TrinoQuery | None = None
        self._transaction: TrinoRequest | None = None
        tls = tls_context(config, context.network)
        self.encrypted = tls is not None
        login = (config.username or "", config.secrets().get("password", "")) if tls else None
        self._wire = Wire(context.network, (config.host or "", config.port or 443), tls, login)
        try:
            self._check_catalog()
        except BaseException:
            self._wire.close()
            raise

    def _check_catalog(self) -> None:
        """Log in, and check that the catalog exists; `LIKE ''` lists none of its schemas."""
        try:
            self._rows(f"SHOW SCHEMAS FROM {identifier(self._config.database or '')} LIKE ''")
        except TrinoQueryError as error:
            if error.error_name != "PERMISSION_DENIED":
                raise
            raise errors.DatabaseForbidden("database") from error

    def ping(self) -> None:
        """Run SELECT 1."""
        self._rows("SELECT 1")

    def check_schemas(self) -> str:
        """Check the default schema and the right to list it."""
        schema = self._config.default_schema
        if schema is None:
            return "There is no default schema."
        faults = {"SCHEMA_NOT_FOUND": errors.SchemaNotFound, "PERMISSION_DENIED": errors.SchemaForbidden}
        try:
            self._rows(f"SHOW TABLES FROM {identifier(self._config.database or '')}.{identifier(schema)} LIKE ''")
        except TrinoQueryError as error:
            if error.error_name not in faults:
                raise
            raise faults[error.error_name]("default_schema") from error
        return f"The default schema is {schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of the connection's catalog, and of others that the settings include."""
        return introspection.tables(self._rows, scope, self._config.database or "")

    def _rows(self, sql: str) -> list[list[Any]]:
        query = TrinoQuery(
            self._request(Statement(sql, timeout_seconds=POLL_SECONDS)), sql, legacy_primitive_types=True
        )
        return list(query.execute())

    def _request(self, statement: Statement) -> TrinoRequest:
        """The request that sends a statement, with its settings.

        A DBA sees the source, which contains the query's id, in Trino's web interface and in `system.runtime.queries`.
        """
        name = self._context.application_name
        session = ClientSession(
            user=self._config.username or "",
            catalog=self._config.database,
            schema=self._config.default_schema,
            source=f"{name} {statement.query_id}".strip(),
            client_tags=[name, *([f"traceparent={statement.traceparent}"] if statement.traceparent else [])],
            properties={"query_max_execution_time": f"{math.ceil(statement.timeout_seconds)}s"},
            transaction_id=NONE,
            timezone=self._config.session_zone,
        )
        host = self._config.host or ""
        return TrinoRequest(
            in_url(host),
            self._config.port or 443,
            session,
            self._wire,
            "https" if self.encrypted else "http",
            max_attempts=1,
            request_timeout=(self._context.connect_timeout_seconds, POLL_SECONDS),
        )

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its pages."""
        self._leave()
        request = self._request(statement)
        if statement.read_only:  # a procedure acts outside the transaction
            require_query(statement.sql)
            self._begin(request)
        self._query = query = TrinoQuery(request, executed(statement), legacy_primitive_types=True)
        try:
            result = query.execute()
        except TrinoQueryError:
            self._query = None  # it is over, and cannot be cancelled
            raise
        types = [str(each["type"]) for each in query.columns or ()]
        names = [str(each["name"]) for each in query.columns or ()]
        schema = pa.schema(
            [noted(pa.field(name, arrow_type(each)), b"trino") for name, each in zip(names, types, strict=True)]
        )
        return pa.RecordBatchReader.from_batches(
            schema, self._batches(query, result.rows, schema, types, statement.batch_rows)
        )

    def _begin(self, request: TrinoRequest) -> None:
        """Open a transaction in which Trino refuses to write; the statement runs in it and cannot end it first."""
        query = TrinoQuery(request, "START TRANSACTION READ ONLY", legacy_primitive_types=True)
        started = _Started(self._wire)
        with started:
            list(query.execute())
        request.transaction_id = started.transaction
        self._transaction = request

    def _batches(
        self, query: TrinoQuery, first: list[Any], schema: pa.Schema, types: Sequence[str], most: int
    ) -> Iterator[pa.RecordBatch]:
        for page in self._pages(query, first) if types else ():
            for start in range(0, len(page), most):
                columns = zip(*page[start : start + most], strict=True)
                arrays = [column(values, native) for values, native in zip(columns, types, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        self._query = None
        self._end()

    def _pages(self, query: TrinoQuery, first: list[Any]) -> Iterator[list[Any]]:
        """Pages of rows as the server sends them, about a megabyte each, without empty pages."""
        page = first
        while True:
            if page:
                yield page
            if query.cancelled:
                raise errors.QueryCancelled
            if query.finished:
                return
            page = query.fetch()

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send DELETE for the statement, in a separate request."""
        if self._query is not None:
            self._query.cancel()

    def _end(self) -> None:
        """End the transaction, unless the statement or an error has ended it."""
        request, self._transaction = self._transaction, None
        if request is not None:
            with contextlib.suppress(TrinoQueryError):
                list(TrinoQuery(request, "ROLLBACK", legacy_primitive_types=True).execute())

    def _leave(self) -> None:
        """Cancel an unread result, and end its transaction."""
        query, self._query = self._query, None
        if query is not None and not query.finished:
            with contextlib.suppress(Exception):  # it may just have ended
                query.cancel()
        self._end()

    def reset(self) -> bool:
        """Cancel an unread result; there is no other state."""
        self._leave()
        return True

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(Exception):  # it is already closed
            self._leave()
        self._wire.close()


class _Started:
    """Listens for the transaction that a statement starts.

    The id is in the answer's headers, which the driver drops.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.transaction = NONE

    def __enter__(self) -> None:
        self._wire.hooks["response"].append(self._hear)

    def __exit__(self, *_: object) -> None:
        self._wire.hooks["response"].remove(self._hear)

    def _hear(self, response: Any, *_: object, **__: object) -> None:
        self.transaction = response.headers.get(STARTED, self.transaction)
