"""What the calls of Flight SQL do: coroutines on the service's event loop, without pyarrow.flight's classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa
import structlog

from moorings.access import admission
from moorings.access.policy import Permission, Scope
from moorings.catalog import listing
from moorings.connections import naming
from moorings.connections import service as connections
from moorings.connections.models import Connection
from moorings.dialects.introspection import Description
from moorings.engine.service import Target
from moorings.environments import service as environments
from moorings.errors import (
    CommandNotSupported,
    ConnectionRequired,
    InvalidTicket,
    MooringsError,
    QueryNotFound,
    TicketUsed,
)
from moorings.flight import catalogs, schemas, sql_info
from moorings.flight.calls import Call
from moorings.flight.commands import (
    Catalogs,
    Command,
    ForeignKeys,
    Metadata,
    PreparedQuery,
    PreparedUpdate,
    PrimaryKeys,
    Query,
    Schemas,
    SqlInfo,
    Tables,
    TableTypes,
    Update,
    XdbcTypes,
    parse,
)
from moorings.flight.services import FlightServices
from moorings.flight.streams import Handover, Piece, PieceEncoder, Source
from moorings.flight.tickets import Prepared, Route, Ticket, Tickets, Value
from moorings.queries.query import QueryRequest
from moorings.queries.rights import Claim
from moorings.queries.streaming import Stalled, pump

log = structlog.get_logger(__name__)

T = TypeVar("T")


EITHER = (Scope.READ, Scope.QUERY)
"""The scopes of which every call needs one; those about catalogs need READ, and statements QUERY, as over HTTP."""


class Service:
    """The calls of clients, on the event loop."""

    def __init__(self, services: FlightServices) -> None:
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._tickets = Tickets(services.keyset)
        self._opener = environments.Opener(services.db, services.keyset, services.engine)
        self._streams: set[asyncio.Task[None]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of this runs on."""
        return self._loop

    async def close(self) -> None:
        """Stop all streams."""
        for task in self._streams:
            task.cancel()
        if self._streams:
            await asyncio.wait(self._streams)

    async def run(self, call: Call, work: Callable[[Call], Awaitable[T]]) -> T:
        """Do the work of a call with a valid key, and note the call's end."""
        call.begin()
        failure: BaseException | None = None
        try:
            if call.admitted is None:
                call.admitted = await self._admitted(call)
            return await work(call)
        except BaseException as failed:
            failure = failed
            raise
        finally:
            if failure is not None or not call.goes_on:
                call.end(self._services.note, failure)

    async def _admitted(self, call: Call) -> admission.Admitted:
        services = self._services
        admitted = await admission.authenticated(
            services.db, services.limits, services.key_uses, call.headers.token, call.address
        )
        admitted.actor.require_scope(EITHER)
        return admitted

    async def login(self, call: Call) -> str:
        """Check the key of a handshake; returns it, as the client's bearer token."""
        del self
        return call.headers.token

    # ---- statements -------------------------------------------------------------------------------------------

    async def info(self, call: Call, content: bytes) -> tuple[pa.Schema | None, bytes]:
        """The schema of a command's result (None for a statement, which has not run) and the ticket for it."""
        command = self._parsed(call, content)
        key = call.actor.key_id
        if isinstance(command, Query | PreparedQuery):
            statement = await self._statement(call, command)
            return None, self._tickets.issue(key, statement.route, statement)
        if isinstance(command, Update | PreparedUpdate):
            raise CommandNotSupported.of("GetFlightInfo for a statement that changes something")
        route = Route(await self._base_id(call), call.headers.environment)
        return schema_of(command), self._tickets.issue(key, route, None, content)

    async def schema(self, call: Call, content: bytes) -> pa.Schema:
        """The schema of a command's result; a statement is described, and does not run."""
        command = self._parsed(call, content)
        if isinstance(command, Query | PreparedQuery):
            statement = await self._statement(call, command)
            return (await self._described(call, statement)).columns or pa.schema([])
        if isinstance(command, Update | PreparedUpdate):
            return pa.schema([])
        return schema_of(command)

    async def prepare(self, call: Call, sql: str) -> tuple[bytes, Description]:
        """The handle of a prepared statement, and what the warehouse says of it. The statement does not run."""
        statement = await self._statement(call, Query(sql))
        return self._tickets.handle(call.actor.key_id, statement), await self._described(call, statement)

    async def bind(self, call: Call, handle: bytes, parameters: Sequence[Value]) -> bytes:
        """The handle of a prepared statement with values for its parameters."""
        call.goes_on = False
        prepared = self._tickets.prepared(call.actor.key_id, handle)
        return self._tickets.handle(call.actor.key_id, replace(prepared, parameters=parameters))

    async def close_prepared(self, call: Call, handle: bytes) -> None:
        """Check the handle; the server holds nothing of it."""
        self._tickets.prepared(call.actor.key_id, handle)

    async def open(self, call: Call, content: bytes) -> Source:
        """Begin the result of a ticket: the statement starts now."""
        await self._services.limits.count_request(call.actor.key_id)
        ticket = self._tickets.open(call.actor.key_id, content)
        call.issued_by = "" if ticket.replica == self._tickets.replica else ticket.replica
        self._tickets.use(ticket)
        handover = Handover()
        if ticket.statement is None:
            command = self._parsed(call, ticket.command)
            work = self._answer(call, command, ticket.route, handover)
        else:
            call.command = call.command or "Statement"
            work = self._query(call, ticket.statement, ticket.id, handover)
        return self._source(call, handover, work)

    async def putting(self, call: Call, content: bytes) -> PreparedQuery | Update | PreparedUpdate:
        """The command of a DoPut, before the rest of it is read: an unknown key does not get that far."""
        command = self._parsed(call, content)
        if not isinstance(command, PreparedQuery | PreparedUpdate | Update):
            raise CommandNotSupported.of(f"DoPut for {call.command}")
        call.goes_on = True
        return command

    async def update(self, call: Call, command: Update | PreparedUpdate, parameters: Sequence[Value] | None) -> Source:
        """Run a statement that changes something; its result has no rows that anybody needs."""
        await self._services.limits.count_request(call.actor.key_id)
        statement = await self._statement(call, command)
        if parameters is not None:
            statement = replace(statement, parameters=parameters)
        handover = Handover()
        return self._source(call, handover, self._query(call, statement, None, handover))

    def _source(self, call: Call, handover: Handover, work: Any) -> Source:
        call.goes_on = True
        task = asyncio.create_task(self._streamed(call, handover, work))
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        return Source(self._loop, handover, task)

    async def _streamed(self, call: Call, handover: Handover, work: Awaitable[None]) -> None:
        failure: BaseException | None = None
        try:
            await work
        except asyncio.CancelledError as left:
            failure = left
            if call.query_id:
                log.info("query_abandoned", query=call.query_id)
        except MooringsError as failed:
            failure = failed
        except Exception as failed:  # noqa: BLE001  # the last handler: any exception becomes a status
            failure = failed
        finally:
            handover.finish(failure)
            call.end(self._services.note, failure)

    async def _query(self, call: Call, statement: Prepared, query_id: str | None, handover: Handover) -> None:
        services = self._services
        base = await self._base(call, statement.route.connection_id, Permission.QUERY, Scope.QUERY)
        target = await self._target(call, base, statement.route.environment)
        claim = Claim(call.actor.key_id, base.id, statement.route.environment, target.connection_id)
        request = QueryRequest(
            statement.sql,
            statement.parameters,
            limited=False,
            numeric_as=target.config.numeric_as,
            query_id=query_id,
        )
        if services.settings.log_sql:
            call.sql = statement.sql
        call.query_id = query_id or ""
        encoder = PieceEncoder()
        async with AsyncExitStack() as resources:
            running = services.queries.running(call.actor, target, request, claim, call.version)
            query = await resources.enter_async_context(running)
            call.query_id = query.id
            query.begin(request, encoder, read_only=target.config.read_only)
            first = await query.first(encoder)
            stalled = services.settings.stalled_seconds
            await pump(query, encoder, first, handover.put, stalled)

    async def _described(self, call: Call, statement: Prepared) -> Description:
        services = self._services
        await services.limits.count_request(call.actor.key_id)
        base = await self._base(call, statement.route.connection_id, Permission.QUERY, Scope.QUERY)
        target = await self._target(call, base, statement.route.environment)
        claim = Claim(call.actor.key_id, base.id, statement.route.environment, target.connection_id)
        if services.settings.log_sql:
            call.sql = statement.sql
        return await services.queries.describe(call.actor, target, QueryRequest(statement.sql), claim, call.version)

    async def _statement(self, call: Call, command: Query | PreparedQuery | Update | PreparedUpdate) -> Prepared:
        """The statement of a command, for a connection that the caller may query."""
        if isinstance(command, PreparedQuery | PreparedUpdate):
            statement = self._tickets.prepared(call.actor.key_id, command.handle)
            call.connection_id = statement.route.connection_id or ""
            return statement
        base = await self._base(call, None, Permission.QUERY, Scope.QUERY)
        return Prepared(command.sql, (), Route(base.id, call.headers.environment))

    # ---- cancel -----------------------------------------------------------------------------------------------

    async def cancel(self, call: Call, tickets: Sequence[bytes]) -> bool:
        """Cancel the statements of tickets, whether or not they run yet; False if one has ended before."""
        call.actor.require_scope((Scope.QUERY,))
        cancelled = [await self._cancel(call, self._tickets.open(call.actor.key_id, each)) for each in tickets]
        return all(cancelled)

    async def _cancel(self, call: Call, ticket: Ticket) -> bool:
        call.query_id = ticket.id
        try:
            self._tickets.use(ticket)  # it cannot start any more, here
        except TicketUsed:
            started = True
        else:
            started = ticket.replica != self._tickets.replica
        if not started:
            return True
        try:
            await self._services.queries.cancel(call.actor, ticket.id)
        except QueryNotFound:
            return False
        return True

    # ---- catalogs ---------------------------------------------------------------------------------------------

    async def _answer(self, call: Call, command: Command, route: Route, handover: Handover) -> None:
        if isinstance(command, Query | PreparedQuery | Update | PreparedUpdate):
            raise InvalidTicket
        schema = schema_of(command)
        await self._put(handover, Piece(schema))
        async for batch in self._batches(call, command, schema, route):
            await self._put(handover, Piece.of(batch))

    async def _put(self, handover: Handover, piece: Piece) -> None:
        try:
            async with asyncio.timeout(self._services.settings.stalled_seconds):
                await handover.put(piece)
        except TimeoutError:
            raise Stalled from None

    async def _batches(
        self, call: Call, command: Metadata, schema: pa.Schema, route: Route
    ) -> AsyncIterator[pa.RecordBatch]:
        match command:
            case SqlInfo():
                yield sql_info.batch(command.codes)
            case TableTypes():
                yield catalogs.batch(schema, [(kind,) for kind in catalogs.KINDS])
            case XdbcTypes():
                yield catalogs.batch(schema, [])
            case Catalogs() if route.connection_id is None:
                yield catalogs.batch(schema, await self._names(call))
            case _:
                pages = await self._pages(call, command, route)
                async for batch in catalogs.batches(command, schema, pages):
                    yield batch

    async def _names(self, call: Call) -> list[tuple[str]]:
        """The names of the connections that the caller may query: a client can choose one as its catalog."""
        call.actor.require_scope((Scope.READ,))
        async with self._services.db.reading() as session:
            found = await naming.queryable(session, call.actor)
        return [(name,) for name in sorted({each.name for each in found})]

    async def _pages(self, call: Call, command: Metadata, route: Route) -> catalogs.Pages:
        """The tables of the connection that the caller is routed to."""
        services, environment = self._services, route.environment
        base = await self._base(call, route.connection_id, Permission.READ, Scope.READ)
        found = await environments.kept_route(services.db, call.version, call.actor, base, Permission.READ, environment)
        call.connection_id = found.connection.id
        async with services.db.reading() as session:
            known = await listing.facts(session, found.connection)
        if known is not None:
            table = command.table.table if isinstance(command, PrimaryKeys) else None
            return catalogs.stored(services.db, found.connection, table)
        base = await self._base(call, route.connection_id, Permission.QUERY, Scope.READ)
        return catalogs.fresh(services.engine, await self._target(call, base, environment))

    # ---- connections ------------------------------------------------------------------------------------------

    async def named(self, call: Call, name: str) -> Connection:
        """The connection with a name or id, if the caller may query it."""
        async with self._services.db.reading() as session:
            found = await naming.named(session, call.actor, name)
        return connections.require(call.actor, found, Permission.QUERY)

    async def _base(self, call: Call, connection_id: str | None, permission: Permission, scope: Scope) -> Connection:
        """The connection with an id, or the one that the headers name, for a key with the scope and the permission."""
        call.actor.require_scope((scope,))
        if connection_id is None:
            connection_id = await self._base_id(call)
        if connection_id is None:
            raise ConnectionRequired
        found = await connections.kept(self._services.db, call.version, connection_id)
        call.connection_id = connection_id
        return connections.require(call.actor, found, permission)

    async def _base_id(self, call: Call) -> str | None:
        """The id of the connection that the headers name; None if they name none."""
        name = call.headers.connection
        if name is None:
            return None

        async def load() -> str:
            async with self._services.db.reading() as session:
                return (await naming.named(session, call.actor, name)).id

        return await self._services.db.cached(("named", call.actor.key_id, name), call.version, load)

    async def _target(self, call: Call, base: Connection, environment: str | None) -> Target:
        target = await self._opener.target(call.version, call.actor, base, Permission.QUERY, environment)
        call.connection_id = target.connection_id
        return target

    @staticmethod
    def _parsed(call: Call, content: bytes) -> Command:
        command = parse(content)
        call.command = type(command).__name__
        return command


SCHEMAS: dict[type[Any], pa.Schema] = {
    SqlInfo: schemas.SQL_INFO,
    XdbcTypes: schemas.XDBC_TYPES,
    Catalogs: schemas.CATALOGS,
    Schemas: schemas.SCHEMAS,
    TableTypes: schemas.TABLE_TYPES,
    PrimaryKeys: schemas.PRIMARY_KEYS,
    ForeignKeys: schemas.FOREIGN_KEYS,
}


def schema_of(command: Metadata) -> pa.Schema:
    """The schema of the answer to a command about catalogs."""
    if isinstance(command, Tables):
        return schemas.TABLES_WITH_SCHEMA if command.with_schema else schemas.TABLES
    return SCHEMAS[type(command)]
