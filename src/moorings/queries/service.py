"""Queries: run a statement through a connection, stream its rows, cancel it from anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.service import Actor
from moorings.db import Database
from moorings.db.connecting import AWAY
from moorings.dialects.base import Statement
from moorings.dialects.introspection import Description, Plan
from moorings.engine.service import Engine, Holder, Lease, Target
from moorings.errors import AccessLost, QueryCancelled, QueryIdInUse, QueryNotFound
from moorings.queries.measuring import measured
from moorings.queries.models import RunningQuery
from moorings.queries.query import Query, QueryRequest, RowLimit
from moorings.queries.registry import Registry, Running, may_cancel, owns
from moorings.queries.rights import Claim, Watch, holds
from moorings.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

POLL_SECONDS = 0.2
"""How often a process checks for changed rights, and for cancel requests that other processes received."""
REGISTER_SECONDS = 0.25
"""How long a query runs before its row is written; until then other processes insert a request to cancel it."""
CANCEL_SECONDS = 2.0
"""How long a cancel waits for the warehouse's confirmation, before it continues in the background."""


class Queries:
    """The queries of this process, and requests to cancel queries of other processes."""

    def __init__(self, db: Database, engine: Engine, settings: Settings) -> None:
        self._db = db
        self._engine = engine
        self._settings = settings
        self._registry = Registry(db)
        self._running: dict[str, Running] = {}
        self._registering: dict[str, asyncio.Task[None]] = {}
        """Query → the task that writes its row; only queries that have one."""
        self._watches: set[Watch] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._poller: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Delete the rows of queries whose processes have ended."""
        await self._registry.sweep()

    def count(self) -> int:
        """The number of queries that run in this process or wait for a session."""
        return len(self._running)

    async def close(self) -> None:
        """Wait a while for running queries, then cancel them; deletes all their rows."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._settings.shutdown_seconds)
        for running in list(self._running.values()):
            self._spawn(running.watch.stop())
        if self._poller is not None:
            self._poller.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)
        if self._registering:
            await self._registry.remove(list(self._registering))

    # ---- run --------------------------------------------------------------------------------------------------------

    def ready(self, actor: Actor, target: Target) -> bool:
        """Whether `running` would get a session without waiting."""
        return self._engine.ready(target, _holder(actor))

    @contextlib.asynccontextmanager
    async def running(
        self, actor: Actor, target: Target, request: QueryRequest, claim: Claim, checked: int
    ) -> AsyncGenerator[Query]:
        """A session for the block, listed as a running query until the block ends; the end stops a running statement.

        `checked` is the version of access at which the claim was checked. Raises Saturated, the WarehouseError of the
        login, QueryIdInUse, or, while it waits for a session, AccessLost or QueryCancelled.
        """
        if request.query_id is not None and await self._registry.taken(request.query_id):
            raise QueryIdInUse
        query_id = request.query_id or str(uuid.uuid4())
        async with contextlib.AsyncExitStack() as resources:
            watch = resources.enter_context(self._watching(claim, checked))
            await resources.enter_async_context(self._listed(actor, target, query_id, watch))
            lease = await self._leased(actor, target, watch, resources)
            watch.query = Query(query_id, lease, self._timeout(target, request), self._row_limit(request))
            watch.require()
            with measured(watch.query, target):
                yield watch.query

    async def _leased(self, actor: Actor, target: Target, watch: Watch, resources: contextlib.AsyncExitStack) -> Lease:
        entering = resources.enter_async_context(self._engine.lease(target, _holder(actor)))
        # The usual case needs no task: it does not wait.
        return await (entering if self.ready(actor, target) else watch.unless_lost(entering))

    async def plan(self, actor: Actor, target: Target, request: QueryRequest, claim: Claim, checked: int) -> Plan:
        """The warehouse's plan of a statement, without running it. Raises Saturated or WarehouseError."""
        async with self._asking(actor, target, request, claim, checked) as (watch, lease, statement):
            return await watch.unless_lost(lease.plan(statement))

    async def describe(
        self, actor: Actor, target: Target, request: QueryRequest, claim: Claim, checked: int
    ) -> Description:
        """The columns and parameters of a statement, without running it. Raises Saturated or WarehouseError."""
        async with self._asking(actor, target, request, claim, checked) as (watch, lease, statement):
            return await watch.unless_lost(lease.describe(statement))

    @contextlib.asynccontextmanager
    async def _asking(
        self, actor: Actor, target: Target, request: QueryRequest, claim: Claim, checked: int
    ) -> AsyncGenerator[tuple[Watch, Lease, Statement]]:
        """A session for the block, to ask about a statement that does not run."""
        timeout = self._timeout(target, request)
        statement = Statement(
            request.sql, request.parameters, read_only=target.config.read_only, timeout_seconds=timeout
        )
        async with contextlib.AsyncExitStack() as resources:
            watch = resources.enter_context(self._watching(claim, checked))
            yield watch, await self._leased(actor, target, watch, resources), statement

    async def while_permitted(self, claim: Claim, checked: int, work: Coroutine[Any, Any, T]) -> T:
        """The result of work such as a connection test. Raises AccessLost, and cancels it, once the right is lost."""
        with self._watching(claim, checked) as watch:
            return await watch.unless_lost(work)

    @contextlib.contextmanager
    def _watching(self, claim: Claim, checked: int) -> Generator[Watch]:
        watch = Watch(claim, checked)
        self._watches.add(watch)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    @contextlib.asynccontextmanager
    async def _listed(self, actor: Actor, target: Target, query_id: str, watch: Watch) -> AsyncGenerator[None]:
        """List a query in memory at once, and for other processes when it takes longer."""
        if query_id in self._running:
            raise QueryIdInUse
        whose = (actor.organization_id, target.connection_id, actor.key_id, actor.user_id)
        self._running[query_id] = running = Running(query_id, *whose, watch)
        self._idle.clear()
        late = asyncio.get_running_loop().call_later(REGISTER_SECONDS, self._register, running, clock.now())
        try:
            yield
        finally:
            late.cancel()
            del self._running[query_id]
            if not self._running:
                self._idle.set()
            if query_id in self._registering:
                # A task of its own: the query's task may be cancelled at this moment, and again.
                await asyncio.shield(self._spawn(self._forget(query_id)))

    def _timeout(self, target: Target, request: QueryRequest) -> int:
        ceiling = target.config.query_timeout_seconds
        return min(request.timeout_seconds or ceiling, ceiling)

    def _row_limit(self, request: QueryRequest) -> RowLimit:
        return RowLimit.of(request, self._settings.row_limit, self._settings.row_limit_max)

    def _register(self, running: Running, started_at: int) -> None:
        self._registering[running.id] = self._spawn(self._registered(running, started_at))

    async def _registered(self, running: Running, started_at: int) -> None:
        try:
            await self._registry.add(running, started_at)
        except QueryIdInUse as taken:  # two processes received the same id at nearly the same time
            await running.watch.stop(QueryCancelled(message=taken.message))
        except AWAY as refused:
            log.warning("running_query_not_registered", reason=type(refused).__name__)

    async def _forget(self, query_id: str) -> None:
        await asyncio.wait({self._registering[query_id]})
        await self._registry.remove([query_id])
        del self._registering[query_id]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---- cancel -----------------------------------------------------------------------------------------------------

    async def cancel(self, actor: Actor, query_id: str) -> None:
        """Stop a query of any process. Raises QueryNotFound if the actor may not stop it."""
        running = self._running.get(query_id)
        if running is None:
            if not await self._registry.ask(actor, query_id):
                raise QueryNotFound
            return
        if not owns(actor, running):
            async with self._db.reading() as session:
                if not await may_cancel(session, actor, running):
                    raise QueryNotFound
        await asyncio.wait({self._spawn(running.watch.stop())}, timeout=CANCEL_SECONDS)

    async def _poll(self) -> None:
        """Poll for cancels that reached another process, and for lost rights; ends when no query waits or runs here."""
        while self._watches:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._check_rights()
                for running in await self._registry.cancelled(self._running):
                    self._spawn(running.watch.stop())
            except AWAY as refused:
                log.warning("cancels_not_read", reason=type(refused).__name__)

    async def _check_rights(self) -> None:
        """Stop each query whose right is lost. A claim is checked once per version of access."""
        version = (await self._db.version()).access
        changed = [each for each in self._watches if each.checked != version]
        if not changed:
            return
        found: dict[Claim, bool] = {}
        async with self._db.reading() as session:
            for watch in changed:
                if watch.claim not in found:
                    found[watch.claim] = await holds(session, watch.claim)
                watch.checked = version
                if not found[watch.claim]:
                    self._revoke(watch)

    def _revoke(self, watch: Watch) -> None:
        if watch.query is not None:
            log.info("query_lost_access", query=watch.query.id, key=watch.claim.key_id)
        self._spawn(watch.stop(AccessLost()))


def _holder(actor: Actor) -> Holder:
    return Holder(actor.key_id, actor.user_id)


async def running_on(session: AsyncSession, connection_id: str) -> int:
    """The number of queries that run on a connection, in all processes."""
    counted = select(func.count()).select_from(RunningQuery).where(RunningQuery.connection_id == connection_id)
    return (await session.execute(counted)).scalar_one()
