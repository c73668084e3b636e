"""A session with Oracle through oracledb's thin mode. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import oracledb
import pyarrow as pa

from moorings import errors
from moorings.dialects import oracle_structure
from moorings.dialects.arrow import narrow, narrow_schema
from moorings.dialects.base import Session, Statement, Surroundings
from moorings.dialects.oracle import Config, check_reads, first_word, parameters
from moorings.dialects.structure import Plan, Scope, Table, joined

SHORTEST_TIMEOUT_MS = 1


class OracleSession(Session):
    """One login. The driver begins transactions by itself; they are ended here."""

    def __init__(self, config: Config, surroundings: Surroundings) -> None:
        self._schema = config.default_schema
        self._zone = config.session_zone
        self._unread = False
        self._connection = oracledb.connect(**parameters(config, surroundings))
        self.encrypted = config.encrypts
        try:
            self._connection.module = surroundings.application_name
            self.id = ",".join(str(part) for part in self.ask("SELECT SYS_CONTEXT('USERENV', 'SID') FROM dual")[0])
            self._settle()
        except BaseException:
            self.close()
            raise

    def _settle(self) -> None:
        """The session's time zone and, where the user may use it, its schema: `check_schemas` tells why not."""
        self._execute(f"ALTER SESSION SET TIME_ZONE = '{self._zone}'")
        if self._schema:
            with contextlib.suppress(oracledb.DatabaseError):
                self._execute(f"ALTER SESSION SET CURRENT_SCHEMA = {quoted(self._schema)}")

    def ping(self) -> None:
        """Ask for 1."""
        self.ask("SELECT 1 FROM dual")

    def check_schemas(self) -> str:
        """Look for the default schema, and for anything in it that the user may use."""
        if self._schema is None:
            schema = self.ask("SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM dual")[0][0]
            return f"The default schema is {schema}."
        found, own, usable = self.ask(
            "SELECT (SELECT COUNT(*) FROM all_users WHERE username = :1),"
            " CASE WHEN :2 = SYS_CONTEXT('USERENV', 'SESSION_USER') THEN 1 ELSE 0 END,"
            " (SELECT COUNT(*) FROM all_objects WHERE owner = :3 AND ROWNUM = 1) FROM dual",
            [self._schema] * 3,
        )[0]
        if not found:
            raise errors.SchemaNotFound("default_schema")
        if not own and not usable:
            raise errors.SchemaForbidden("default_schema")
        return f"The default schema is {self._schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables and views that the login may see; a schema is a user here."""
        return oracle_structure.tables(self.ask, scope)

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement of ours."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, list(values))
            return list(cursor.fetchall())

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, list(values))

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows; a read-only one in a transaction that takes no writes."""
        if statement.read_only:
            check_reads(statement.sql)
        self._connection.rollback()
        self._connection.call_timeout = max(SHORTEST_TIMEOUT_MS, round(1000 * statement.timeout_seconds))
        self._connection.client_identifier = statement.query_id
        if statement.read_only:
            self._execute("SET TRANSACTION READ ONLY")
        sql = statement.sql.strip().removesuffix(";") if first_word(statement.sql) in ("SELECT", "WITH") else ""
        if not sql:
            self._execute(statement.sql, statement.parameters)
            self._connection.commit()
            return pa.RecordBatchReader.from_batches(pa.schema([]), iter(()))
        self._unread = True
        values = list(statement.parameters) or None
        frames = self._connection.fetch_df_batches(sql, values, statement.batch_rows, fetch_decimals=True)
        first = pa.record_batch(next(frames))
        schema = narrow_schema(first.schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(first, frames, schema))

    def _batches(self, first: pa.RecordBatch, frames: Iterator[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in itertools.chain([first], map(pa.record_batch, frames)):
            if batch.num_rows:
                yield narrow(batch, schema)
        self._unread = False

    def plan(self, statement: Statement) -> Plan:
        """The plan as DBMS_XPLAN shows it; Oracle notes it in a table of this session."""
        self._connection.rollback()
        self._execute(f"EXPLAIN PLAN FOR {statement.sql.strip().removesuffix(';')}")
        plan = self.ask("SELECT plan_table_output FROM TABLE(DBMS_XPLAN.DISPLAY())")
        self._connection.rollback()
        return Plan(joined(plan))

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send a break, beside the statement that runs."""
        self._connection.cancel()

    def reset(self) -> bool:
        """Give the session up: Oracle has no way to bring back settings, packages and temporary tables."""
        return False

    def close(self) -> None:
        """Log out; rows that nobody read stay where they are."""
        with contextlib.suppress(Exception):
            if self._unread:
                self._connection.cancel()
        with contextlib.suppress(Exception):
            self._connection.close()


def quoted(name: str) -> str:
    """A name as an identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
