"""Queries: run a statement through a connection, stream its rows, cancel it from anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.db.connecting import AWAY
from moorings.dialects.base import Statement
from moorings.dialects.introspection import Plan
from moorings.engine.service import Engine, Lease, Target
from moorings.errors import AccessLost, QueryCancelled, QueryIdInUse, QueryNotFound, WarehouseError
from moorings.queries import owners
from moorings.queries.models import RunningQuery
from moorings.queries.rights import Claim, Watch, holds
from moorings.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.2
"""How often a process looks whether another one was asked to cancel a query of its own, and whether rights changed."""
CANCEL_SECONDS = 2.0
"""How long a cancel waits for the warehouse to have heard of it, before it goes on by itself."""
STALE_MILLISECONDS = 65 * 60 * 1000
"""No statement runs for longer than the longest timeout, an hour: an older row was left behind by a dead process."""
BATCH_ROWS = 16_384
"""How many rows a chunk has at most, where the driver lets us choose."""


class Encoder(Protocol):
    """Turns a result into bytes, in the session's thread, one call after the other."""

    @property
    def exact(self) -> bool:
        """Whether it writes values that readers of Arrow cannot hold."""
        ...

    def start(self, schema: pa.Schema) -> bytes:
        """What comes before the first row."""
        ...

    def batch(self, batch: pa.RecordBatch) -> bytes:
        """Some rows."""
        ...

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """What comes after the last row."""
        ...


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What a caller asks for. Absent limits take the connection's and the operator's."""

    sql: str
    parameters: Sequence[Any] = ()
    row_limit: int | None = None
    timeout_seconds: int | None = None
    query_id: str | None = None
    """The caller's own choice of an id (a UUID), so that it can cancel before the first byte has come."""


class Query:
    """One running query: its rows, encoded. Used by one task at a time, but for `cancel`."""

    def __init__(self, query_id: str, lease: Lease, timeout_seconds: int, row_limit: int) -> None:
        self.id = query_id
        self.timeout_seconds = timeout_seconds
        self._lease = lease
        self._row_limit = row_limit
        self._row_count = 0
        self._ended = False

    async def start(self, request: QueryRequest, encoder: Encoder, *, read_only: bool) -> bytes:
        """Run the statement and encode its first rows; raises WarehouseError before there is a byte to send."""
        statement = Statement(
            request.sql,
            request.parameters,
            read_only=read_only,
            timeout_seconds=self.timeout_seconds,
            batch_rows=min(self._row_limit + 1, BATCH_ROWS),
            exact=encoder.exact,
            query_id=self.id,
        )
        schema = await self._lease.open(statement)
        return await self._lease.pull(lambda batch: encoder.start(schema) + self._encode(encoder, batch))

    async def next(self, encoder: Encoder) -> bytes | None:
        """The next bytes, None after the last; raises WarehouseError."""
        if self._ended:
            return None
        return await self._lease.pull(lambda batch: self._encode(encoder, batch))

    @property
    def stopped(self) -> asyncio.Future[WarehouseError]:
        """Done, with the reason, once the statement was cancelled or ran out of time."""
        return self._lease.stopped

    async def cancel(self, reason: QueryCancelled | None = None) -> None:
        """Stop the statement in the warehouse; whoever waits for its rows gets the reason."""
        await self._lease.cancel(reason)

    def _encode(self, encoder: Encoder, batch: pa.RecordBatch | None) -> bytes:
        if batch is None:
            return self._end(encoder, truncated=False)
        room = self._row_limit - self._row_count
        visible = batch if batch.num_rows <= room else batch.slice(0, room)
        self._row_count += visible.num_rows
        rows = encoder.batch(visible) if visible.num_rows else b""
        return rows if visible is batch else rows + self._end(encoder, truncated=True)

    def _end(self, encoder: Encoder, *, truncated: bool) -> bytes:
        self._ended = True
        return encoder.end(truncated=truncated, row_count=self._row_count)


class Queries:
    """The queries of this process, and the way to cancel those of any other."""

    def __init__(self, db: Database, engine: Engine, settings: Settings) -> None:
        self._db = db
        self._engine = engine
        self._settings = settings
        self._owner = owners.this_process()
        self._running: dict[str, Query] = {}
        self._watches: set[Watch] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._poller: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Forget the queries of processes that are no more."""
        async with self._db.unit_of_work() as session:
            rows = await session.execute(select(RunningQuery.id, RunningQuery.owner, RunningQuery.started_at))
            oldest = clock.now() - STALE_MILLISECONDS
            stale = [row.id for row in rows if row.started_at < oldest or owners.is_dead(row.owner)]
            await session.execute(delete(RunningQuery).where(RunningQuery.id.in_(stale)))

    def count(self) -> int:
        """How many queries run in this process."""
        return len(self._running)

    async def close(self) -> None:
        """Let running queries go on for a while, then cancel them; forgets them all."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._settings.shutdown_seconds)
        for query in list(self._running.values()):
            self._spawn(query.cancel())
        if self._poller is not None:
            self._poller.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)
        if self._running:
            await self._forget(*self._running)

    # ---- run --------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self, actor: Actor, target: Target, request: QueryRequest, claim: Claim) -> AsyncGenerator[Query]:
        """A session for the block, listed as a running query while it lasts; leaving the block stops what still runs.

        Raises Saturated, the WarehouseError of the login, QueryIdInUse, or AccessLost while it waits for a session.
        """
        timeout = self._timeout(target, request)
        query_id = request.query_id or str(uuid.uuid4())
        async with contextlib.AsyncExitStack() as resources:
            watch = resources.enter_context(self._watching(claim))
            lease = await watch.unless_lost(resources.enter_async_context(self._engine.lease(target)))
            await self._register(actor, target, query_id, lease.session_id)
            query = watch.query = Query(query_id, lease, timeout, self._row_limit(request.row_limit))
            self._enter(query)
            try:
                watch.require()
                yield query
            finally:
                self._leave(query)
                # A task of its own: whoever runs the query may be cancelled right now, and again.
                await asyncio.shield(self._spawn(self._forget(query_id)))

    async def plan(self, target: Target, request: QueryRequest, claim: Claim) -> Plan:
        """What running a statement would take; it is not run. Raises Saturated or WarehouseError."""
        timeout = self._timeout(target, request)
        statement = Statement(
            request.sql, request.parameters, read_only=target.config.read_only, timeout_seconds=timeout
        )
        async with contextlib.AsyncExitStack() as resources:
            watch = resources.enter_context(self._watching(claim))
            lease = await watch.unless_lost(resources.enter_async_context(self._engine.lease(target)))
            return await watch.unless_lost(lease.plan(statement))

    @contextlib.contextmanager
    def _watching(self, claim: Claim) -> Generator[Watch]:
        watch = Watch(claim)
        self._watches.add(watch)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def _timeout(self, target: Target, request: QueryRequest) -> int:
        ceiling = target.config.query_timeout_seconds
        return min(request.timeout_seconds or ceiling, ceiling)

    def _enter(self, query: Query) -> None:
        self._running[query.id] = query
        self._idle.clear()

    def _leave(self, query: Query) -> None:
        del self._running[query.id]
        if not self._running:
            self._idle.set()

    def _row_limit(self, request: int | None) -> int:
        limit = request or self._settings.row_limit
        return min(limit, self._settings.row_limit_max or limit)

    async def _register(self, actor: Actor, target: Target, query_id: str, session_id: str) -> None:
        row = RunningQuery(
            id=query_id,
            organization_id=actor.organization_id,
            connection_id=target.connection_id,
            key_id=actor.key_id,
            user_id=actor.user_id,
            owner=self._owner,
            session_id=session_id,
            started_at=clock.now(),
        )
        try:
            async with self._db.unit_of_work() as session:
                session.add(row)
        except IntegrityError:
            raise QueryIdInUse from None

    async def _forget(self, *query_ids: str) -> None:
        try:
            async with self._db.unit_of_work() as session:
                await session.execute(delete(RunningQuery).where(RunningQuery.id.in_(query_ids)))
        except AWAY as refused:  # the rows have been sent; a row that stays is swept at the next start
            log.warning("running_query_not_forgotten", reason=type(refused).__name__)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---- cancel -----------------------------------------------------------------------------------------------------

    async def cancel(self, actor: Actor, query_id: str) -> None:
        """Stop a query, whichever process runs it. Raises QueryNotFound for one that the actor may not stop."""
        async with self._db.unit_of_work() as session:
            row = await session.get(RunningQuery, query_id)
            if row is None or not await _may_cancel(session, actor, row):
                raise QueryNotFound
            row.cancel_requested_at = clock.now()
        if query_id in self._running:
            await asyncio.wait({self._spawn(self._running[query_id].cancel())}, timeout=CANCEL_SECONDS)

    async def _poll(self) -> None:
        """Look for cancels that reached another process, and for lost rights; ends when nothing waits or runs here."""
        while self._watches:
            await asyncio.sleep(POLL_SECONDS)
            try:
                async with self._db.reading() as session:
                    cancelled = await self._cancels(session)
                    await self._check_rights(session)
            except AWAY as refused:
                log.warning("cancels_not_read", reason=type(refused).__name__)
                continue
            for query in [self._running[query_id] for query_id in cancelled if query_id in self._running]:
                self._spawn(query.cancel())

    async def _cancels(self, session: AsyncSession) -> Sequence[str]:
        mine = (RunningQuery.owner == self._owner, RunningQuery.cancel_requested_at.is_not(None))
        return (await session.scalars(select(RunningQuery.id).where(*mine))).all()

    async def _check_rights(self, session: AsyncSession) -> None:
        """Stop each query whose right is lost. A claim is checked once per version of the access tables."""
        version = (await self._db.version()).access
        found: dict[Claim, bool] = {}
        for watch in [each for each in self._watches if each.checked != version]:
            if watch.claim not in found:
                found[watch.claim] = await holds(session, watch.claim)
            watch.checked = version
            if not found[watch.claim]:
                self._revoke(watch)

    def _revoke(self, watch: Watch) -> None:
        watch.revoke()
        if watch.query is not None:
            log.info("query_lost_access", query=watch.query.id, key=watch.claim.key_id)
            self._spawn(watch.query.cancel(AccessLost()))


async def running_on(session: AsyncSession, connection_id: str) -> int:
    """How many queries run on a connection, in whichever process."""
    request = select(func.count()).select_from(RunningQuery).where(RunningQuery.connection_id == connection_id)
    return (await session.execute(request)).scalar_one()


async def _may_cancel(session: AsyncSession, actor: Actor, row: RunningQuery) -> bool:
    """Its own caller may, and who administers its connection."""
    if row.organization_id != actor.organization_id:
        return False
    if row.key_id == actor.key_id or (actor.user_id is not None and row.user_id == actor.user_id):
        return True
    return actor.may(Permission.CHANGE, await session.get_one(Connection, row.connection_id))
