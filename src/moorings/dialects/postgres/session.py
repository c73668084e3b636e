"""A session of PostgreSQL through ADBC. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_manager.dbapi import Cursor
from adbc_driver_postgresql import dbapi

from moorings import errors
from moorings.dialects.arrow import columns as arrow_columns
from moorings.dialects.arrow.beyond import noted
from moorings.dialects.base import Session, Statement
from moorings.dialects.config.tls import TlsConfig
from moorings.dialects.introspection import Description, Plan, Scope, Table, joined
from moorings.dialects.postgres import casts as postgres_casts
from moorings.dialects.postgres import introspection, parameters
from moorings.dialects.postgres.casts import Select
from moorings.dialects.postgres.faults import CURSOR
from moorings.dialects.postgres.introspection import literal
from moorings.dialects.postgres.read_only import require_query
from moorings.dialects.read_only import QUERIES, leading_word

USE_COPY, BATCH_BYTES = "adbc.postgresql.use_copy", "adbc.postgresql.batch_size_hint_bytes"
NO_COPY_SQLSTATES = ("42601", "0A000")
"""COPY's errors for statements that it does not accept, such as SHOW and EXPLAIN."""
NO_TRANSACTION_SQLSTATES = ("25001", "2D000")
"""Errors of statements that cannot run in a transaction, such as VACUUM, and of procedures that end it."""
OWN_LIMIT = (
    "CASE WHEN current_setting('statement_timeout') <> '0'"
    " AND extract(epoch FROM current_setting('statement_timeout')::interval) * 1000 < {milliseconds}"
    " THEN current_setting('statement_timeout') ELSE '{milliseconds}' END"
)
PARAMETER_TYPES = """
SELECT (quote_ident(n.nspname) || '.' || quote_ident(t.typname))::text
FROM pg_prepared_statements p, unnest(p.parameter_types) WITH ORDINALITY AS wanted(number, place)
JOIN pg_type t ON t.oid = wanted.number JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE p.name = 'moorings' ORDER BY wanted.place
"""
"""The types of a statement's parameters by their full names: `bit` and `character` alone would mean one of each."""
ARRAYS = """
WITH RECURSIVE base AS (
    SELECT a.oid AS number, e.typname, e.typtype, e.typbasetype
    FROM pg_type a JOIN pg_type e ON e.oid = a.typelem WHERE a.typcategory = 'A' AND a.oid IN ({numbers})
    UNION ALL
    SELECT b.number, e.typname, e.typtype, e.typbasetype FROM base b JOIN pg_type e ON e.oid = b.typbasetype
    WHERE b.typtype = 'd'
) SELECT number::int8, typname::text FROM base WHERE typtype <> 'd'
"""
NO_CURSOR_SQLSTATES = ("42601", "42P11", "0A000")
"""DECLARE's errors for statements that cannot have a cursor, such as those that write."""
FIRST_ROWS = 256
"""Rows that a cursor fetches before their size is known."""
SPACE = " \t\r\n;"


class PostgresSession(Session):
    """One login through ADBC, in autocommit mode: statements here begin and end transactions."""

    def __init__(self, uri: str, config: TlsConfig, application_name: str) -> None:
        self._schema = config.default_schema
        self._zone = config.session_zone
        self._application_name = application_name
        self._cursor: Cursor | None = None
        self._unread = False
        self._open = False
        self._transaction = True
        self._connection = dbapi.connect(uri, autocommit=True)
        try:
            self.id = str(self._ask("SELECT pg_backend_pid()::text AS pid")["pid"])
        except Exception:
            self.close()
            raise

    def ping(self) -> None:
        """Run SELECT 1."""
        self._ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema and the right to use it."""
        return introspection.default_schema(self._ask, self._schema)

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this database; a PostgreSQL session reaches no other."""
        return introspection.tables(self._rows, scope)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement, through COPY if possible: rows then stream while they are computed.

        The server first describes the types of the result, so that types that Arrow or the driver lack are cast in the
        only run.
        """
        self._unread = True
        try:
            return self._run_described(statement, transaction=True)  # behind a pooler, only this stays in one session
        except Error as error:
            if statement.read_only or error.sqlstate not in NO_TRANSACTION_SQLSTATES:
                raise
        self._rollback()
        return self._run_described(statement, transaction=False)

    def _run_described(self, statement: Statement, *, transaction: bool) -> pa.RecordBatchReader:
        self._transaction = transaction
        self._begin(statement)
        sql, schema = self._described(statement)
        if statement.read_only:
            require_query(statement.sql, columns=len(schema))
        if not len(schema) and leading_word(sql, nested=True) in QUERIES:
            return self._columnless(statement, sql)
        sql, select = self._cast(statement, sql, schema)
        found, batches = self._started(statement, sql, returns=bool(len(schema)))
        return self._watched(*postgres_casts.present(found, batches, schema.names, select))

    def _started(self, statement: Statement, sql: str, *, returns: bool) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        run = self._with_parameters if statement.parameters else self._without_parameters
        return run(statement, sql, returns)

    def _columnless(self, statement: Statement, sql: str) -> pa.RecordBatchReader:
        """The rows of a query that has no columns, which the driver would drop."""
        counted = f"SELECT 1 AS one FROM (\n{sql}\n) AS source"  # noqa: S608  # the caller's own
        _, batches = self._started(statement, counted, returns=True)
        empty = pa.schema([])
        return self._watched(empty, (batch.select([]) for batch in batches))

    def plan(self, statement: Statement) -> Plan:
        """The plan of the statement. EXPLAIN accepts no parameters, so it explains an EXECUTE."""
        if not statement.parameters:
            return super().plan(statement)
        require_query(statement.sql, columns=1)
        self._transaction = True
        self._begin(replace(statement, read_only=True))
        self._run(f"PREPARE moorings AS\n{_bare(statement.sql)}")
        values = (parameters.text(value, "numeric") for value in statement.parameters)
        listed = ", ".join("NULL" if value is None else literal(value) for value in values)
        rows = list(self._rows(f"{self.EXPLAIN} EXECUTE moorings({listed})"))
        self._rollback()
        return Plan(joined(rows))

    def describe(self, statement: Statement) -> Description:
        """The columns and parameters as the server names them when it prepares the statement."""
        self._transaction = True
        self._begin(replace(statement, read_only=True))
        sql, schema = self._described(statement)
        if statement.read_only:
            require_query(statement.sql, columns=len(schema))
        sql, select = self._cast(statement, sql, schema)
        shown = self._describe(sql) if select else schema
        shown, _ = postgres_casts.present(shown, iter(()), schema.names, select)
        parameters = self._fresh_cursor().adbc_prepare(sql)
        self._rollback()
        plain = arrow_columns.plain_schema(shown)
        return Description(pa.schema([noted(field, b"postgres") for field in plain]), parameters)

    def _begin(self, statement: Statement) -> None:
        """Open the transaction, and set its limits and modes; a shorter time limit of the login stays.

        The SELECT takes the transaction's snapshot, after which the server refuses to make it READ WRITE. The statement
        is sent by the extended protocol, which allows only one statement, so nothing can write after a hidden COMMIT.
        Statements that cannot run in a transaction run without one.
        """
        self._rollback()
        if self._transaction:
            self._run("BEGIN READ ONLY" if statement.read_only else "BEGIN")
            self._open = True
        scope = "true" if self._transaction else "false"
        milliseconds = str(max(1, math.ceil(statement.timeout_seconds * 1000)))
        settings = {
            "statement_timeout": OWN_LIMIT.format(milliseconds=milliseconds),
            "application_name": literal(_name(self._application_name, statement)),
            "TimeZone": literal(self._zone),
        }
        if self._schema is not None:
            quoted = self._schema.replace('"', '""')
            settings["search_path"] = literal(f'"{quoted}", public')
        calls = (f"set_config('{name}', {value}, {scope})" for name, value in settings.items())
        self._run(f"SELECT {', '.join(calls)}")

    def _described(self, statement: Statement) -> tuple[str, pa.Schema]:
        """The statement in a form that others can enclose, and the schema of its result; nothing runs."""
        plain, bare = statement.sql.rstrip(SPACE), _bare(statement.sql)
        if bare != plain:  # a supposed comment may have been the end of a text
            with contextlib.suppress(Error):
                return bare, self._describe(bare)
            self._begin(statement)
        return plain, self._describe(plain)

    def _cast(self, statement: Statement, sql: str, schema: pa.Schema) -> tuple[str, Select | None]:
        """The statement, wrapped in casts if it needs some and the server accepts that."""
        select = postgres_casts.select(schema, self._arrays(schema))
        for enclosed in select.around(sql) if select else ():
            try:
                self._describe(enclosed)
            except Error as error:
                if error.sqlstate is None:
                    raise
                self._begin(statement)
            else:
                return enclosed, select
        return sql, None

    def _arrays(self, schema: pa.Schema) -> Mapping[int, str]:
        """The casts of array types, among the types that the driver does not know."""
        unnamed = postgres_casts.unnamed(schema)
        if not unnamed:
            return {}
        found = self._rows(ARRAYS.format(numbers=", ".join(map(str, unnamed))))
        return {number: postgres_casts.array_cast(element) for number, element in found}

    def _without_parameters(
        self, statement: Statement, sql: str, returns: bool
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        if returns:
            try:
                reader = self._execute(f"{sql}\n")  # COPY adds parentheses, which a final comment would hide
            except Error as error:
                if error.sqlstate not in NO_COPY_SQLSTATES or "could not begin COPY" not in str(error):
                    raise
                self._begin(statement)
            else:
                return reader.schema, reader
        return self._whole(sql)

    def _with_parameters(
        self, statement: Statement, sql: str, returns: bool
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run a statement with parameters: through a cursor if possible, since COPY accepts none."""
        sql, values = self._bound(sql, statement.parameters)
        if returns and self._transaction:
            try:
                self._execute(f"{CURSOR}{sql}", values)
            except Error as error:
                if error.sqlstate not in NO_CURSOR_SQLSTATES:
                    raise
                self._begin(statement)
            else:
                first = self._execute(_fetch(FIRST_ROWS), copy=False)
                return first.schema, self._fetched(statement, first)
        return self._whole(sql, values)

    def _whole(self, sql: str, values: pa.RecordBatch | None = None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run a statement to its end, and commit its writes whether or not its rows are read."""
        reader = self._execute(sql, values, copy=False)
        batches = list(reader)
        self._commit()
        return reader.schema, iter(batches)

    def _bound(self, sql: str, values: Sequence[Any]) -> tuple[str, pa.RecordBatch]:
        """A statement whose placeholders accept text, and the values as text."""
        found = self._fresh_cursor().adbc_prepare(sql)
        names = [postgres_casts.type_name(field) for field in found] if found is not None else []
        if len(names) != len(values):
            raise errors.ParametersRefused(
                message=f"The statement takes {len(names)} parameters, and {len(values)} were given."
            )
        types = [parameters.common_type(name) for name in names]
        known = [each for each in types if each is not None]
        needed = known if len(known) == len(types) else self._prepared_types(sql)
        return parameters.typed(sql, needed), parameters.texts(values, names)

    def _prepared_types(self, sql: str) -> list[str]:
        """The types of a statement's parameters, as casts name them."""
        self._run(f"PREPARE moorings AS\n{sql}")
        found = self._rows(PARAMETER_TYPES)
        types = [name for (name,) in found]
        self._run("DEALLOCATE moorings")
        return types

    def _fetched(self, statement: Statement, first: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The rows of the cursor.

        Each fetch arrives as a whole, so the size of the last rows sets the number of the next ones.
        """
        reader = first
        while True:
            rows = size = 0
            for batch in reader:
                rows, size = rows + batch.num_rows, size + batch.nbytes
                yield batch
            if not rows:
                break
            fitting = max(1, statement.limits.batch * rows // max(1, size))
            reader = self._execute(_fetch(min(statement.batch_rows, fitting)), copy=False)

    def _watched(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
        """Batches in the promised types; records when the last one was read."""
        plain = arrow_columns.plain_schema(schema)
        target = pa.schema([noted(field, b"postgres") for field in plain])

        def reading() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                if batch.num_rows:
                    yield arrow_columns.plain(batch, target) if batch.num_columns else batch
            self._commit()
            self._unread = False

        return pa.RecordBatchReader.from_batches(target, reading())

    def _describe(self, sql: str) -> pa.Schema:
        """The schema of a statement's result, without running it."""
        return self._fresh_cursor().adbc_execute_schema(sql)

    def _execute(self, sql: str, values: pa.RecordBatch | None = None, *, copy: bool = True) -> pa.RecordBatchReader:
        cursor = self._fresh_cursor()
        options = {BATCH_BYTES: str(2 * 1024 * 1024)} | ({} if copy else {USE_COPY: "false"})
        cursor.adbc_statement.set_options(**options)
        cursor.execute(sql, values)
        return cursor.fetch_record_batch()

    def _fresh_cursor(self) -> Cursor:
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = self._connection.cursor()
        return self._cursor

    def _run(self, sql: str) -> Mapping[str, Sequence[Any]]:
        return self._execute(sql, copy=False).read_all().to_pydict()

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        found = self._execute(sql, copy=False).read_all()
        return zip(*(column.to_pylist() for column in found.columns), strict=True)

    def _ask(self, sql: str) -> Mapping[str, Any]:
        return {name: values[0] for name, values in self._run(sql).items()}

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask the server to stop the statement, over libpq's separate connection."""
        self._connection.adbc_cancel()

    def _stop(self) -> None:
        with contextlib.suppress(Exception):  # it may just have ended
            self._connection.adbc_cancel()
        with contextlib.suppress(Exception):  # the first call after a cancel reports it
            self._rollback()

    def _rollback(self) -> None:
        if self._open:
            self._run("ROLLBACK")
            self._open = False

    def _commit(self) -> None:
        """End the transaction; a read-only one is rolled back."""
        if self._open:
            self._run("COMMIT")
            self._open = False

    def reset(self) -> bool:
        """Roll back, and discard the session's state; an unread result is cancelled, not drained."""
        if self._unread:
            self._stop()
        self._unread = False
        self._rollback()
        try:
            self._run("DISCARD ALL")
        except Error:  # the statement opened a transaction, and did not end it
            self._run("ROLLBACK")
            self._run("DISCARD ALL")
        return True

    def close(self) -> None:
        """Log out; an unread result ends with the connection."""
        with contextlib.suppress(Exception):
            if self._unread:
                self._connection.adbc_cancel()
        with contextlib.suppress(Exception):
            if self._cursor is not None:
                self._cursor.close()
        with contextlib.suppress(Exception):
            self._connection.close()


def _fetch(rows: int) -> str:
    return f"FETCH {rows} FROM moorings"


def _bare(sql: str) -> str:
    """A statement without its last semicolon and comments after it."""
    plain = sql.rstrip(SPACE)
    head, semicolon, tail = plain.rpartition(";")
    comments = all(line.strip()[:2] in ("", "--") for line in tail.splitlines())
    return head.rstrip(SPACE) if semicolon and comments else plain


def _name(application: str, statement: Statement) -> str:
    """The session's application_name during the statement.

    Its 63 characters hold a query's id, or a trace and its span.
    """
    _, trace, span, _ = statement.traceparent.split("-") if statement.traceparent else ("", "", "", "")
    return f"{application} {trace}-{span}" if trace else f"{application} {statement.query_id}".strip()
