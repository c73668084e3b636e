"""A session of the MySQL family through asyncmy. Imports the driver: only `connect` imports this."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa
from asyncmy.cursors import SSCursor
from asyncmy.errors import MySQLError

from moorings import clock, errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Plan, Scope, Table, joined
from moorings.dialects.mysql import introspection, types
from moorings.dialects.mysql import read_only as mysql_read_only
from moorings.dialects.mysql.config import FamilyConfig
from moorings.dialects.mysql.wire import Wire, checked_addresses, disconnect, login
from moorings.dialects.read_only import leading_word

T = TypeVar("T")

COM_RESET_CONNECTION = 0x1F
PASSES = 16
"""The driver parses 256 KiB at once; a batch ends after this many passes, or at the statement's limit."""
MAX_ROWS = 4_096
"""With more rows of Python objects the processor's cache is too small: 16,384 rows take a third longer."""
NO_LIMIT = 24 * 60 * 60 * 1000
EXPLAINED = ("SELECT", "WITH", "VALUES", "TABLE", "INSERT", "REPLACE", "UPDATE", "DELETE")
SEVERAL_RESULTS = "The statement returns several results. Call a procedure with one result, or select from its tables."
SCHEMA_FAULTS: dict[object, type[errors.WarehouseError]] = {
    1044: errors.SchemaForbidden,
    1049: errors.SchemaNotFound,
    1142: errors.SchemaForbidden,
}


class MySQLSession(Session):
    """One login. Its event loop runs only while the session's thread is in a call."""

    def __init__(self, config: FamilyConfig, context: SessionContext) -> None:
        self._config = config
        self._context = context
        self._loop = asyncio.SelectorEventLoop()
        self._cursor: SSCursor | None = None
        self._unread = False
        self._xid: str | None = None
        self._own_settings: tuple[int, str] | None = None
        try:
            addresses = checked_addresses(config, context)
            self._wire = self._loop.run_until_complete(login(config, context, addresses, config.database))
        except BaseException:
            self._loop.close()
            raise
        self.id = str(self._wire.thread_id())
        self.encrypted, self.transport = self._wire.encrypted, self._wire.transport
        self._mariadb = "MariaDB" in self._wire.get_server_info()
        self._use_default()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(self._heard(work))

    async def _heard(self, work: Coroutine[Any, Any, T]) -> T:
        """Receive only the bytes that the work waits for.

        In its first and last turn, the loop would receive everything that has arrived, and the driver sets no limit:
        with a server that sends faster than rows are used, the whole result would collect in memory.
        """
        transport = self._wire._transport  # noqa: SLF001  # the driver has no flow control
        self._wire.take_anew()
        if transport is None:
            return await work
        transport.resume_reading()
        try:
            return await work
        except RuntimeError:  # the server asks for something that was never offered, such as a file of this machine
            self._wire.close()
            raise
        finally:
            transport.pause_reading()

    def _use_default(self) -> None:
        if self._config.database is None and self._config.default_schema is not None:
            # check_schemas reports the reason; queries fail because no database is selected
            with contextlib.suppress(MySQLError):
                self._await(self._wire.select_db(self._config.default_schema))

    def ping(self) -> None:
        """Run SELECT 1."""
        self._ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema, which is a database here, and the right to use it."""
        schema = self._config.default_schema or self._config.database
        if schema is None:
            return "There is no default schema."
        quoted = schema.replace("`", "``")
        try:
            self._ask(f"SHOW TABLES FROM `{quoted}`")
        except MySQLError as error:
            fault = SCHEMA_FAULTS.get(error.args[0])
            if fault is None:
                raise
        else:
            return f"The default schema is {schema}."
        raise fault("default_schema")

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of every database that the login may see and the settings include."""
        return introspection.tables(self._ask, scope)

    def _ask(self, sql: str) -> list[tuple[bytes | None, ...]]:
        return self._await(_rows(self._wire, sql))

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its rows."""
        self._begin(statement)
        if statement.read_only:
            self._require_reading(statement.sql)
        self._unread = True
        cursor = self._await(self._execute(statement))
        result = cursor._result  # noqa: SLF001  # the columns in full are said nowhere else
        fields = result.fields if result is not None and cursor.description else ()
        schema = pa.schema([pa.field(field.name, types.column_type(field)) for field in fields])
        bits = [types.Bits(field, statement.sql) if field.type_code == types.BIT else None for field in fields]
        most = min(statement.batch_rows, MAX_ROWS)
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema, bits, most, statement.limits.batch))

    def plan(self, statement: Statement) -> Plan:
        """The plan of the statement.

        A read-only transaction refuses to explain a write. So on a connection that may write, only statements whose
        first word just explains are allowed: ANALYZE would run the statement.
        """
        if statement.read_only:
            return super().plan(statement)
        if leading_word(statement.sql) not in EXPLAINED:
            raise errors.StatementRefused(message=f"A dry run allows these statements only: {', '.join(EXPLAINED)}.")
        reader = self.query(replace(statement, sql=f"{self.EXPLAIN} {statement.sql}"))
        rows = reader.read_all()
        return Plan(joined(zip(*(column.to_pylist() for column in rows.columns), strict=True)))

    def _begin(self, statement: Statement) -> None:
        """Set the limits and modes of the statement, and enclose it in a transaction that it cannot end.

        In a plain read-only transaction, a procedure or a compound statement could commit first and then write. In an
        XA transaction the server refuses every commit, rollback and DDL until XA END with its id, which is secret.
        Servers without XA (Galera) get a plain one.
        """
        self._end_transaction()
        own_limit, zone = self._own()
        milliseconds = min(math.ceil(statement.timeout_seconds * 1000), own_limit)
        limit = f"max_statement_time={milliseconds / 1000}" if self._mariadb else f"max_execution_time={milliseconds}"
        charsets = ", ".join(f"character_set_{use}=utf8mb4" for use in ("client", "results", "connection"))
        settings = f"{charsets}, autocommit=1, time_zone='{zone}', {limit}"
        if statement.read_only:  # else the server's own default stays, which may be read-only
            settings += f", {'tx_read_only' if self._mariadb else 'transaction_read_only'}=1"
        self._ask(f"SET SESSION {settings}")
        if not statement.read_only:
            return
        self._xid = secrets.token_hex(16)
        try:
            self._ask(f"XA START '{self._xid}'")
        except MySQLError:
            self._xid = None
            self._ask("START TRANSACTION READ ONLY")

    def _own(self) -> tuple[int, str]:
        """The login's own time limit in milliseconds, and the session's zone as this server knows it.

        That is its name, or today's offset if the server has no tables of time zones.
        """
        if self._own_settings is None:
            zone = self._config.session_zone
            variable, unit = ("max_statement_time", 1000) if self._mariadb else ("max_execution_time", 1)
            ((limit,),) = self._ask(f"SELECT @@{variable}")
            known = zone != "UTC" and self._ask(f"SELECT CONVERT_TZ('2000-01-01', '+00:00', '{zone}')") != [(None,)]
            own_limit = int(float(limit or 0) * unit) or NO_LIMIT
            self._own_settings = own_limit, zone if known else clock.offset(zone)
        return self._own_settings

    def _require_reading(self, sql: str) -> None:
        """Refuse statements with effects outside a transaction: on files, and on the server itself."""
        mode = self._ask("SELECT @@SESSION.sql_mode")[0][0] if mysql_read_only.depends_on_mode(sql) else None
        mysql_read_only.require_reading(sql, (mode or b"").decode())

    async def _execute(self, statement: Statement) -> SSCursor:
        note = f"/* {self._context.application_name} {statement.note} */ " if statement.note else ""
        self._cursor = cursor = self._wire.cursor(SSCursor)
        await cursor.execute(note + _bound(cursor, statement))
        return cursor

    def _batches(
        self, schema: pa.Schema, bits: Sequence[types.Bits | None], max_rows: int, max_bytes: int
    ) -> Iterator[pa.RecordBatch]:
        while len(schema) and (rows := self._await(self._read(max_rows, max_bytes))):
            yield types.batch(rows, schema, bits)
        self._await(self._finish())
        self._unread = False

    async def _read(self, max_rows: int, max_bytes: int) -> list[Any]:
        """Enough rows for a batch, counted in passes of the parser, so that wide rows do not fill the memory.

        Rows of one pass are no larger than the driver's buffer; only a row that it had to wait for can have any size.
        """
        cursor, rows, size = self._cursor, list[Any](), 0
        if cursor is None:
            return rows
        for _ in range(PASSES):
            row = await cursor.read_next()
            if row is None:
                await self._finish()
                break
            rows.append(row)
            size += sum(len(value) for value in row if value is not None)
            if cursor._result is not None:  # noqa: SLF001  # what was parsed already, which bounds bytes, not rows
                rows.extend(cursor._result._take_pending_rows(max_rows - len(rows)))  # noqa: SLF001
            if len(rows) >= max_rows or size >= max_bytes:
                break
        return rows

    async def _finish(self) -> None:
        """Check that a statement had one result: a procedure may have several, and ends with a count of rows."""
        cursor = self._cursor
        while cursor is not None and await cursor.nextset():
            if cursor.description:
                raise errors.StatementRefused(message=SEVERAL_RESULTS)
        if cursor is not None:
            await cursor.close()
            self._cursor = None

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Send KILL QUERY over a separate connection."""
        asyncio.run(_kill(self._config, self._context, self._wire.address, self.id))

    def _end_transaction(self) -> None:
        if self._xid is not None:
            xid, self._xid = self._xid, None
            self._ask(f"XA END '{xid}'")
            self._ask(f"XA ROLLBACK '{xid}'")

    def reset(self) -> bool:
        """End the transaction and let the server reset the session; one with unread rows is closed, not drained."""
        if self._unread and not self._drained():
            return False
        self._end_transaction()
        self._await(_reset(self._wire))
        self._ask("SET NAMES utf8mb4")
        if self._config.database is not None:
            self._await(self._wire.select_db(self._config.database))
            return True
        self._use_default()
        return self._config.default_schema is not None or self._ask("SELECT DATABASE()") == [(None,)]

    def _drained(self) -> bool:
        """Whether nothing is left to read: a refused statement has no rows."""
        result = self._cursor._result if self._cursor else None  # noqa: SLF001  # said nowhere else
        return result is None or not result.unbuffered_active

    def close(self) -> None:
        """Log out; does not wait for unread rows."""
        with contextlib.suppress(Exception):
            if self._unread and not self._drained():
                self.cancel()
        with contextlib.suppress(Exception):
            self._await(disconnect(self._wire))
        self._loop.close()


def _bound(cursor: SSCursor, statement: Statement) -> str:
    """The statement with its parameters in it, quoted as the server's mode asks."""
    if not statement.parameters:
        return statement.sql
    with contextlib.suppress(TypeError, ValueError):  # too few, too many, or a % that is no placeholder
        return cursor.mogrify(statement.sql, tuple(statement.parameters))
    raise errors.ParametersRefused


async def _kill(config: FamilyConfig, context: SessionContext, address: str, session_id: str) -> None:
    """Send KILL QUERY to the address of the session: the host name may have several servers."""
    wire = await login(config, context, [address], None)
    try:
        await _rows(wire, f"KILL QUERY {int(session_id)}")
    finally:
        await disconnect(wire)


async def _reset(wire: Wire) -> None:
    await wire._execute_command(COM_RESET_CONNECTION, b"")  # noqa: SLF001  # the driver has no other way to send it
    await wire.read_packet()


async def _rows(wire: Wire, sql: str) -> list[tuple[bytes | None, ...]]:
    async with wire.cursor() as cursor:
        await cursor.execute(sql)
        return list(await cursor.fetchall() or ())
