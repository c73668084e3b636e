"""Database rows that make this process's queries visible to other processes, and requests to cancel them.

A query is registered once it has run for longer than a poll interval. A request to cancel a query that no process has
registered is a row of its own, which the query's process claims. So a small query writes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access import service as access
from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.db.connecting import AWAY
from moorings.errors import InvalidToken, QueryIdInUse
from moorings.queries import owners
from moorings.queries.models import CancelRequest, RunningQuery
from moorings.queries.rights import Watch

log = structlog.get_logger(__name__)

STALE_MILLISECONDS = 65 * 60 * 1000
"""No statement runs for longer than the longest timeout, an hour: an older row was left behind by a dead process."""
CLAIM_SECONDS = 1.0
"""How long a request to cancel waits for the process that runs the query to claim it."""
LOOK_SECONDS = 0.05
"""How often it checks for that claim."""


@dataclass(frozen=True, slots=True)
class Running:
    """A query from its arrival to its end: its owner, and the function that stops it."""

    id: str
    organization_id: str
    connection_id: str
    key_id: str
    user_id: str | None
    watch: Watch


class Registry:
    """This process's rows, and its requests to others."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._owner = owners.this_process()
        self._quiet_at: int | None = None
        """The last commit at which there was no request to cancel."""

    async def sweep(self) -> None:
        """Delete the rows of dead processes' queries, and stale requests to cancel."""
        async with self._db.unit_of_work() as session:
            rows = await session.execute(select(RunningQuery.id, RunningQuery.owner, RunningQuery.started_at))
            oldest = clock.now() - STALE_MILLISECONDS
            stale = [row.id for row in rows if row.started_at < oldest or owners.is_dead(row.owner)]
            await session.execute(delete(RunningQuery).where(RunningQuery.id.in_(stale)))
            await session.execute(delete(CancelRequest).where(CancelRequest.requested_at < oldest))

    async def taken(self, query_id: str) -> bool:
        """Whether another query is registered with this id."""
        return await self._db.finds(select(RunningQuery.id).where(RunningQuery.id == query_id))

    async def add(self, running: Running, started_at: int) -> None:
        """Register a query; raises QueryIdInUse where another process has registered one with its id."""
        row = RunningQuery(
            id=running.id,
            organization_id=running.organization_id,
            connection_id=running.connection_id,
            key_id=running.key_id,
            user_id=running.user_id,
            owner=self._owner,
            session_id=running.watch.query.session_id if running.watch.query else "",
            started_at=started_at,
        )
        try:
            async with self._db.unit_of_work() as session:
                session.add(row)
        except IntegrityError:
            raise QueryIdInUse from None

    async def remove(self, query_ids: Iterable[str]) -> None:
        """Delete the rows of queries that have ended."""
        mine = (RunningQuery.id.in_(query_ids), RunningQuery.owner == self._owner)
        try:
            async with self._db.unit_of_work() as session:
                await session.execute(delete(RunningQuery).where(*mine))
        except AWAY as refused:  # the result was sent; `sweep` deletes a row that stays at the next start
            log.warning("running_query_not_forgotten", reason=type(refused).__name__)

    # ---- cancel queries of other processes --------------------------------------------------------------------------

    async def ask(self, actor: Actor, query_id: str) -> bool:
        """Ask the process that runs a query to cancel it; False if no process runs it for this actor."""
        async with self._db.unit_of_work() as session:
            row = await session.get(RunningQuery, query_id)
            if row is not None:
                if not await may_cancel(session, actor, row):
                    return False
                row.cancel_requested_at = clock.now()
                return True
            request = CancelRequest(
                id=str(uuid.uuid4()),
                organization_id=actor.organization_id,
                query_id=query_id,
                key_id=actor.key_id,
                requested_at=clock.now(),
            )
            session.add(request)
        return await asyncio.shield(asyncio.ensure_future(self._claimed(request.id)))

    async def _claimed(self, request_id: str) -> bool:
        """Wait until a request is claimed, a second at most, and take it back."""
        mine = CancelRequest.id == request_id
        until = clock.monotonic() + CLAIM_SECONDS
        claimed = select(CancelRequest.id).where(mine, CancelRequest.claimed_at.is_not(None))
        while clock.monotonic() < until and not await self._db.finds(claimed):  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(LOOK_SECONDS)
        async with self._db.unit_of_work() as session:
            taken_back = await session.execute(delete(CancelRequest).where(mine).returning(CancelRequest.claimed_at))
            return taken_back.scalar() is not None

    # ---- cancel our own queries -------------------------------------------------------------------------------------

    async def cancelled(self, running: Mapping[str, Running]) -> Sequence[Running]:
        """Our queries that other processes ask to cancel; claims the requests."""
        commits = await self._db.commits()
        if commits is not None and commits == self._quiet_at:
            return ()
        async with self._db.reading() as session:
            flagged = (RunningQuery.owner == self._owner, RunningQuery.cancel_requested_at.is_not(None))
            found = list(await session.scalars(select(RunningQuery.id).where(*flagged)))
            open_requests = list(await session.scalars(select(CancelRequest).where(CancelRequest.claimed_at.is_(None))))
            requests = [each for each in open_requests if each.query_id in running]
            granted = [each for each in requests if await _granted(session, each, running[each.query_id])]
        self._quiet_at = None if found or open_requests else commits
        if granted:
            ids = [each.id for each in granted]
            async with self._db.unit_of_work() as session:
                claim = update(CancelRequest).where(CancelRequest.id.in_(ids)).values(claimed_at=clock.now())
                await session.execute(claim)
        stopping = {*found, *(each.query_id for each in granted)}
        return [running[query_id] for query_id in stopping if query_id in running]


async def _granted(session: AsyncSession, request: CancelRequest, running: Running) -> bool:
    try:
        actor = await access.actor(session, request.key_id)
    except InvalidToken:
        return False
    return await may_cancel(session, actor, running)


async def may_cancel(session: AsyncSession, actor: Actor, query: RunningQuery | Running) -> bool:
    """Whether an actor may cancel a query: the query's caller may, and admins of its connection."""
    if owns(actor, query):
        return True
    if query.organization_id != actor.organization_id:
        return False
    return actor.may(Permission.CHANGE, await session.get_one(Connection, query.connection_id))


def owns(actor: Actor, query: RunningQuery | Running) -> bool:
    """Whether a query is the actor's own."""
    if query.organization_id != actor.organization_id:
        return False
    return query.key_id == actor.key_id or (actor.user_id is not None and query.user_id == actor.user_id)
