"""A session of Redshift. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from redshift_connector.core import Cursor

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.config.tls import TlsConfig
from moorings.dialects.introspection import Scope, Table
from moorings.dialects.read_only import require_query
from moorings.dialects.redshift import introspection
from moorings.dialects.redshift import types as redshift_types
from moorings.dialects.redshift.wire import Wire


class RedshiftSession(Session):
    """One login, in autocommit mode: statements here begin and end transactions."""

    def __init__(self, config: TlsConfig, context: SessionContext) -> None:
        self._config = config
        self._context = context
        self._wire = Wire(config, context)
        self._wrote = False
        self.encrypted, self.transport = self._wire.encrypted, self._wire.transport
        try:
            self.id = str(self._wire.ask("SELECT pg_backend_pid()")[0][0])
            self._wire.ask(f"SET timezone TO '{config.session_zone}'")
            if config.default_schema is not None:
                quoted = config.default_schema.replace('"', '""')
                self._wire.ask(f'SET search_path TO "{quoted}", public')
        except BaseException:
            self.close()
            raise

    def ping(self) -> None:
        """Run SELECT 1."""
        self._wire.ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema and the right to use it."""
        schema = self._config.default_schema
        if schema is None:
            current = self._wire.ask("SELECT current_schema()")[0][0]
            return f"The default schema is {current}." if current else "There is no default schema."
        found = self._wire.ask("SELECT nspname, has_schema_privilege(nspname, 'USAGE') FROM pg_namespace")
        usable = {row[0]: row[1] for row in found}
        if schema not in usable:
            raise errors.SchemaNotFound("default_schema")
        if not usable[schema]:
            raise errors.SchemaForbidden("default_schema")
        return f"The default schema is {schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables, views and external tables that the login may see."""
        return introspection.tables(self._wire.ask, scope)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows."""
        if statement.read_only:  # UNLOAD writes to S3, and CALL may write: a read-only transaction refuses neither
            require_query(statement.sql, nested=True)
        self._begin(statement)
        note = f"/* {self._context.application_name} {statement.note} */ " if statement.note else ""
        cursor = self._wire.start(note + statement.sql, statement.parameters)
        described: list[Any] = cursor.ps["row_desc"] if cursor.ps else []
        oids = [column["type_oid"] for column in described]
        types = [redshift_types.column_type(column["type_oid"], column["type_modifier"]) for column in described]
        names = [column["label"].decode() for column in described]
        schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, types, strict=True)])
        return pa.RecordBatchReader.from_batches(schema, self._batches(cursor, schema, oids, statement.batch_rows))

    def _begin(self, statement: Statement) -> None:
        """Set the limits and modes of the statement, in its own transaction if it may only read.

        The SELECT takes the transaction's snapshot, after which nothing makes it READ WRITE, and the driver sends one
        statement at a time, so nothing can write after a hidden COMMIT. A statement that may write runs without a
        transaction: VACUUM and others cannot run in one.
        """
        self._rollback()
        if statement.read_only:
            self._wire.ask("BEGIN READ ONLY")
        else:
            self._wrote = True
        milliseconds = max(1, math.ceil(statement.timeout_seconds * 1000))
        local = "true" if statement.read_only else "false"
        self._wire.ask(f"SELECT set_config('statement_timeout', '{milliseconds}', {local})")

    def _batches(
        self, cursor: Cursor, schema: pa.Schema, oids: Sequence[int], max_rows: int
    ) -> Iterator[pa.RecordBatch]:
        while rows := self._wire.pull(cursor, max_rows):
            yield redshift_types.batch(rows, schema, oids)

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask the server to stop the statement, over a second login at the same address."""
        with contextlib.closing(Wire(self._config, self._context, self._wire.address)) as wire:
            wire.ask(f"SELECT pg_cancel_backend({int(self.id)})")

    def _rollback(self) -> None:
        if self._wire.in_transaction:
            self._wire.ask("ROLLBACK")

    def reset(self) -> bool:
        """Roll back; a session with unread rows, or one that wrote, is closed: Redshift cannot reset it."""
        if self._wire.pending or self._wrote:
            return False
        self._rollback()
        return True

    def close(self) -> None:
        """Close the connection; an unread result ends with it."""
        self._wire.close()
