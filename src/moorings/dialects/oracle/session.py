"""A session with Oracle through oracledb's thin mode. Imports the driver: only `connect` imports this.

It uses the driver's asynchronous API: during login and logout, the synchronous one waits without limit for a silent
server, and nothing can stop it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import oracledb
import pyarrow as pa

from moorings import errors
from moorings.dialects.arrow.columns import narrow, narrow_schema
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Plan, Scope, Table, joined
from moorings.dialects.network import dialing
from moorings.dialects.oracle import introspection
from moorings.dialects.oracle.config import Config
from moorings.dialects.oracle.login import parameters
from moorings.dialects.oracle.packets import Packets
from moorings.dialects.oracle.read_only import check_reads, first_word

T = TypeVar("T")

FIELDS = ("host", "port")
SHORTEST_TIMEOUT_MS = 1
LOGOUT_SECONDS = 2.0
"""The time limit of a logout, after which the connection is closed without one."""


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that dials for the driver, and tracks the sockets opened in it.

    The driver resolves the first host itself and dials its addresses; after a redirect it dials the names that the
    listener sends. It leaves a server with another name without closing the socket.
    """

    def __init__(self, context: SessionContext, addresses: Sequence[str], port: int) -> None:
        super().__init__()
        self._opened: list[asyncio.BaseTransport] = []
        self._network, self._seconds = context.network, context.connect_timeout_seconds
        self._checked, self._port = addresses, port
        self.refusal: errors.WarehouseError | None = None
        """The reason why the last requested address was not dialled; None if it was."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        """Connect to an address that the rules allow, and track the socket."""
        wire, inner = self._dialled(host, port), protocol_factory()
        self._packets = Packets(inner)
        transport, _ = await super().create_connection(lambda: self._packets, sock=wire, **how)
        self._opened.append(transport)
        return transport, inner

    async def start_tls(self, transport: Any, protocol: Any, *how: Any, **further: Any) -> Any:
        """Go on in TLS, at the beginning or after an ACCEPT."""
        self._packets = Packets(protocol, long=self._packets.long)
        return await super().start_tls(transport, self._packets, *how, **further)

    def _dialled(self, host: str, port: int) -> socket.socket:
        self.refusal = None
        if port == self._port and host in self._checked:
            return dialing.dial([host], port, self._seconds)
        try:
            return self._network.connect(host, port, self._seconds, *FIELDS)
        except errors.WarehouseError as refusal:
            self.refusal = refusal
            raise ConnectionRefusedError from refusal  # the driver tries the next address

    def end(self) -> None:
        """Close all open sockets, let the loop process that, and close the loop; otherwise sockets stay open."""
        self.run_until_complete(self._hang_up())
        self.close()

    async def _hang_up(self) -> None:
        await self.shutdown_asyncgens()
        for transport in self._opened:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)


class OracleSession(Session):
    """One login. Its event loop runs only while the session's thread is in a call.

    The driver begins transactions; the session ends them.
    """

    def __init__(self, config: Config, context: SessionContext) -> None:
        self._schema = config.default_schema
        self._zone = config.session_zone
        self._unread = False
        self.encrypted = config.encrypts
        host, port = config.host or "", config.port or 0
        addresses = context.network.check(host, port, config.database, *FIELDS)
        self._loop = _Loop(context, addresses, port)
        self._connection: oracledb.AsyncConnection | None = None
        try:
            self._await(self._login(config, context))
        except BaseException as error:
            self._loop.end()
            if self._loop.refusal is not None:
                raise self._loop.refusal from error
            raise

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    @property
    def _wire(self) -> oracledb.AsyncConnection:
        if self._connection is None:
            raise errors.SessionLost
        return self._connection

    async def _login(self, config: Config, context: SessionContext) -> None:
        async with asyncio.timeout(context.connect_timeout_seconds):
            self._connection = await oracledb.connect_async(**parameters(config, context))
            self._connection.module = context.application_name
            self.id = str((await self._rows("SELECT SYS_CONTEXT('USERENV', 'SID') FROM dual"))[0][0])
            await self._settle()

    async def _settle(self) -> None:
        """Set the session's time zone and, if the user may use it, its schema. `check_schemas` reports why not."""
        await self._execute(f"ALTER SESSION SET TIME_ZONE = '{self._zone}'")
        if self._schema:
            with contextlib.suppress(oracledb.DatabaseError):
                await self._execute(f"ALTER SESSION SET CURRENT_SCHEMA = {quoted(self._schema)}")

    def ping(self) -> None:
        """Run SELECT 1."""
        self.ask("SELECT 1 FROM dual")

    def check_schemas(self) -> str:
        """Check the default schema, and that the user may use an object in it."""
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
        return introspection.tables(self.ask, scope)

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement of ours."""
        return self._await(self._rows(sql, values))

    async def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._wire.cursor() as cursor:
            await cursor.execute(sql, list(values))
            return list(await cursor.fetchall())

    async def _execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        with self._wire.cursor() as cursor:
            await cursor.execute(sql, list(values))

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows; a read-only one in a transaction that takes no writes."""
        if statement.read_only:
            check_reads(statement.sql)
        self._await(self._begin(statement))
        sql = statement.sql.strip().removesuffix(";") if first_word(statement.sql) in ("SELECT", "WITH") else ""
        if not sql:
            self._await(self._write(statement))
            return pa.RecordBatchReader.from_batches(pa.schema([]), iter(()))
        self._unread = True
        values = list(statement.parameters) or None
        frames = self._wire.fetch_df_batches(sql, values, statement.batch_rows, fetch_decimals=True)
        first = pa.record_batch(self._await(_next(frames)))
        schema = narrow_schema(first.schema)
        return pa.RecordBatchReader.from_batches(schema, self._batches(first, frames, schema))

    async def _begin(self, statement: Statement) -> None:
        await self._wire.rollback()
        self._wire.call_timeout = max(SHORTEST_TIMEOUT_MS, round(1000 * statement.timeout_seconds))
        self._wire.client_identifier = statement.query_id
        self._wire.clientinfo = statement.traceparent
        if statement.read_only:
            await self._execute("SET TRANSACTION READ ONLY")

    async def _write(self, statement: Statement) -> None:
        await self._execute(statement.sql, statement.parameters)
        await self._wire.commit()

    def _batches(
        self, first: pa.RecordBatch, frames: AsyncGenerator[Any], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        batch = first
        while batch is not None:
            if batch.num_rows:
                yield narrow(batch, schema)
            frame = self._await(_next(frames))
            batch = None if frame is None else pa.record_batch(frame)
        self._unread = False

    def plan(self, statement: Statement) -> Plan:
        """The plan in the form of DBMS_XPLAN; Oracle stores it in a table of this session."""
        return self._await(self._plan(statement.sql.strip().removesuffix(";")))

    async def _plan(self, sql: str) -> Plan:
        await self._wire.rollback()
        await self._execute(f"EXPLAIN PLAN FOR {sql}")
        plan = await self._rows("SELECT plan_table_output FROM TABLE(DBMS_XPLAN.DISPLAY())")
        await self._wire.rollback()
        return Plan(joined(plan))

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send a break during the running statement."""
        self._loop.call_soon_threadsafe(self._wire.cancel)

    def reset(self) -> bool:
        """Always close the session: Oracle cannot reset settings, packages and temporary tables."""
        return False

    def close(self) -> None:
        """Log out; unread rows are left on the server."""
        with contextlib.suppress(Exception):
            self._await(self._logout())
        self._loop.end()

    async def _logout(self) -> None:
        if self._unread:
            self._wire.cancel()
        async with asyncio.timeout(LOGOUT_SECONDS):
            await self._wire.close()


async def _next(frames: AsyncGenerator[Any]) -> Any:
    """The next data frame, None after the last one."""
    return await anext(frames, None)


def quoted(name: str) -> str:
    """A name as an identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
