"""Queries: run a statement through a connection, stream its rows, cancel it from anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Lease, Target
from moorings.errors import Fault, InvalidInput, QueryNotFound
from moorings.queries.models import RunningQuery
from moorings.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

POLL_SECONDS = 0.2
"""How often a process looks whether another one was asked to cancel a query of its own."""
STALE_MILLISECONDS = 24 * 60 * 60 * 1000
"""A row this old was left behind by a process that was killed."""


class Encoder(Protocol):
    """Turns a result into bytes, in the session's thread, one call after the other."""

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
class Asked:
    """What a caller asks for. Absent limits take the connection's and the operator's."""

    sql: str
    parameters: Sequence[Any] = ()
    row_limit: int | None = None
    timeout_seconds: int | None = None
    query_id: str | None = None
    """The caller's own choice of an id (a UUID), so that it can cancel before the first byte has come."""


class RunningResult:
    """One query while its rows are read. Ended by `close`, always."""

    def __init__(self, query_id: str, lease: Lease, timeout_seconds: float, row_limit: int) -> None:
        self.id = query_id
        self.timeout_seconds = timeout_seconds
        self.row_count = 0
        self._lease = lease
        self._row_limit = row_limit
        self._ended = False

    async def start(self, asked: Asked, encoder: Encoder, *, read_only: bool) -> bytes:
        """Run the statement and encode up to its first rows, so that what fails early fails before any byte is sent."""
        statement = Statement(
            asked.sql, asked.parameters, read_only=read_only, timeout_seconds=self.timeout_seconds, query_id=self.id
        )
        schema = await self._lease.open(statement)
        return await self._lease.pull(lambda batch: encoder.start(schema) + self._encode(encoder, batch))

    async def next(self, encoder: Encoder) -> bytes | None:
        """The next bytes; None after the end."""
        if self._ended:
            return None
        return await self._lease.pull(lambda batch: self._encode(encoder, batch))

    def _encode(self, encoder: Encoder, batch: pa.RecordBatch | None) -> bytes:
        if batch is None:
            return self._end(encoder, truncated=False)
        room = self._row_limit - self.row_count
        kept = batch if batch.num_rows <= room else batch.slice(0, room)
        self.row_count += kept.num_rows
        rows = encoder.batch(kept) if kept.num_rows else b""
        return rows if kept is batch else rows + self._end(encoder, truncated=True)

    def _end(self, encoder: Encoder, *, truncated: bool) -> bytes:
        self._ended = True
        return encoder.end(truncated=truncated, row_count=self.row_count)

    async def cancel(self) -> None:
        """Stop the statement in the warehouse."""
        await self._lease.cancel()


class Queries:
    """The queries of this process, and the way to cancel those of any other."""

    def __init__(self, db: Database, engine: Engine, settings: Settings) -> None:
        self._db = db
        self._engine = engine
        self._settings = settings
        self._owner = str(uuid.uuid4())
        self._running: dict[str, RunningResult] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._poller: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Forget the queries of processes that were killed long ago."""
        async with self._db.unit_of_work() as session:
            stale = RunningQuery.started_at < clock.now() - STALE_MILLISECONDS
            await session.execute(delete(RunningQuery).where(stale))

    async def close(self) -> None:
        """Let running queries go on for a while; whoever stops the engine next cancels the rest."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._settings.shutdown_seconds)

    def count(self) -> int:
        """How many queries run in this process."""
        return len(self._running)

    def row_limit(self, asked: int | None) -> int:
        """The rows a query gets: those asked for or the default, up to the operator's cap."""
        wanted = asked or self._settings.row_limit
        return min(wanted, self._settings.row_limit_max or wanted)

    @contextlib.asynccontextmanager
    async def running(self, actor: Actor, target: Target, asked: Asked) -> AsyncGenerator[RunningResult]:
        """A session for the block, listed as a running query while it lasts.

        Raises Saturated, WarehouseError of the login, or InvalidInput when the chosen id is in use.
        """
        ceiling = target.config.query_timeout_seconds
        timeout = min(asked.timeout_seconds or ceiling, ceiling)
        async with self._engine.lease(target) as lease:
            result = RunningResult(asked.query_id or str(uuid.uuid4()), lease, timeout, self.row_limit(asked.row_limit))
            await self._register(actor, target, result, lease.session_id)
            try:
                yield result
            finally:
                await asyncio.shield(self._forget(result.id))

    async def _register(self, actor: Actor, target: Target, result: RunningResult, session_id: str) -> None:
        async with self._db.unit_of_work() as session:
            if result.id in self._running or await session.get(RunningQuery, result.id) is not None:
                raise InvalidInput([Fault("Moorings-Query-Id", "said", {"reason": "This id is in use"})])
            session.add(
                RunningQuery(
                    id=result.id,
                    organization_id=actor.organization_id,
                    connection_id=target.connection_id,
                    key_id=actor.key_id,
                    user_id=actor.user_id,
                    owner=self._owner,
                    session_id=session_id,
                    started_at=clock.now(),
                )
            )
        self._running[result.id] = result
        self._idle.clear()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())

    async def _forget(self, query_id: str) -> None:
        self._running.pop(query_id, None)
        if not self._running:
            self._idle.set()
        async with self._db.unit_of_work() as session:
            await session.execute(delete(RunningQuery).where(RunningQuery.id == query_id))

    async def _poll(self) -> None:
        """Look for cancel requests that reached another process; ends when nothing runs here."""
        wanted = select(RunningQuery.id).where(
            RunningQuery.owner == self._owner, RunningQuery.cancel_requested_at.is_not(None)
        )
        while self._running:
            await asyncio.sleep(POLL_SECONDS)
            async with self._db.reading() as session:
                asked = list(await session.scalars(wanted))
            for result in [self._running[query_id] for query_id in asked if query_id in self._running]:
                await result.cancel()

    async def cancel(self, actor: Actor, query_id: str) -> None:
        """Stop a query, whichever process runs it. Raises QueryNotFound for those that the actor may not stop."""
        async with self._db.unit_of_work() as session:
            row = await session.get(RunningQuery, query_id)
            if row is None or not await _may_cancel(session, actor, row):
                raise QueryNotFound
            await session.execute(
                update(RunningQuery).where(RunningQuery.id == query_id).values(cancel_requested_at=clock.now())
            )
        here = self._running.get(query_id)
        if here is not None:
            await here.cancel()


async def _may_cancel(session: AsyncSession, actor: Actor, row: RunningQuery) -> bool:
    """Its own caller may, and who administers its connection."""
    if row.organization_id != actor.organization_id:
        return False
    if row.key_id == actor.key_id or (actor.user_id is not None and row.user_id == actor.user_id):
        return True
    return actor.may(Permission.CHANGE, await session.get_one(Connection, row.connection_id))
