"""Refresh a connection's catalog, as one attempt of a leased job.

No transaction is open while the warehouse is queried. One transaction stores the whole answer and the end of the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.catalog.content import Content, contents
from moorings.catalog.service import introspect
from moorings.catalog.snapshots import store
from moorings.connections.models import Connection
from moorings.connections.service import lock, opened
from moorings.db import Database
from moorings.db.connecting import AWAY
from moorings.engine.service import Engine, Target
from moorings.errors import (
    Archived,
    ConnectionChanged,
    LeaseLost,
    NeedsCredentials,
    QueryCancelled,
    Saturated,
    WarehouseError,
)
from moorings.jobs import leases
from moorings.jobs.leases import Leased
from moorings.secrets import Keyset

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_PAUSE_SECONDS = 3600.0
WATCH_SECONDS = 0.5
"""How often a running refresh looks whether its connection was archived or changed."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number of attempts, and the longest first pause between two attempts."""

    attempts: int
    pause_seconds: float

    def pause(self, attempt: int, chance: float) -> float:
        """Seconds until the attempt after this one.

        The pause doubles each time; `chance` (0 to 1) chooses its random half.
        """
        longest = min(self.pause_seconds * 2 ** (attempt - 1), MAX_PAUSE_SECONDS)
        return longest * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why an attempt failed, and whether another attempt may succeed without any change."""

    code: str
    message: str
    step: str | None
    temporary: bool

    def stored(self) -> dict[str, Any]:
        """The stored form of the error."""
        return {"code": self.code, "message": self.message, "step": self.step}


async def attempt(
    db: Database, engine: Engine, keyset: Keyset, leased: Leased, policy: RetryPolicy, *, webhook: bool
) -> str:
    """Run the job once.

    Returns `completed`, `failed`, `retried` (another attempt follows), or `released` (the worker was stopped; another
    worker repeats this attempt). Raises LeaseLost if another worker has taken the job over: then nothing was written.
    """
    try:
        await _refresh(db, engine, keyset, leased)
    except LeaseLost:
        raise
    except Exception as error:  # the job stores any error, and another attempt may follow
        failure = failure_of(error)
        if failure.code == "internal":
            log.exception("job_attempt_failed", job=leased.id)
    else:
        return "completed"
    if leased.stopped.is_set():
        return await _release(db, leased)
    async with db.unit_of_work() as session:
        return await _settle(session, leased, failure, policy, webhook=webhook)


async def _refresh(db: Database, engine: Engine, keyset: Keyset, leased: Leased) -> None:
    target = await _target(db, keyset, leased.connection_id)
    began = clock.monotonic()
    found = await _unless(leased.stopped, introspect(engine, target, (), contents), _changed(db, target))
    leased.say(f"The warehouse listed {len(found)} tables in {clock.monotonic() - began:.1f} s.")
    async with db.unit_of_work() as session:
        await _store(session, leased, target, found)


async def _unless(stopped: asyncio.Event, work: Coroutine[Any, Any, T], changed: Coroutine[Any, Any, None]) -> T:
    """The result of work. Stops it, and raises QueryCancelled after an event, or the exception of `changed`."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    watching = asyncio.create_task(changed)
    tasks: set[asyncio.Task[Any]] = {working, stopping, watching}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not working.cancelled():
        return working.result()
    if not watching.cancelled():
        watching.result()
    raise QueryCancelled


async def _changed(db: Database, target: Target) -> None:
    """Watch the connection of a target; raises Archived or ConnectionChanged when it is no longer as it was."""
    seen = None
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        with contextlib.suppress(*AWAY):
            if seen != (version := await db.version()):
                async with db.reading() as session:
                    _require_same(await session.get_one(Connection, target.connection_id), target)
                seen = version


async def _release(db: Database, leased: Leased) -> str:
    leased.say("The worker was stopped, and releases the job.")
    async with db.unit_of_work() as session:
        await leases.release(session, leased)
    return "released"


async def _target(db: Database, keyset: Keyset, connection_id: str) -> Target:
    async with db.reading() as session:
        connection = await session.get_one(Connection, connection_id)
        if connection.deleted_at is not None:
            raise Archived
        target = await opened(session, keyset, connection)
    if target.config.lacks_credentials:
        raise NeedsCredentials
    return target


async def _store(session: AsyncSession, leased: Leased, target: Target, found: list[Content]) -> None:
    connection = await session.get_one(Connection, leased.connection_id)
    counts = asdict(await store(session, connection, found, hard=leased.hard, job_id=leased.id, now=clock.now()))
    await _require_unchanged(session, connection, target)
    leased.say(f"Stored: {', '.join(f'{number} {name}' for name, number in counts.items())}.")
    await leases.complete(session, leased, counts)


async def _require_unchanged(session: AsyncSession, connection: Connection, target: Target) -> None:
    """Tables that were read before a change of the connection are not stored after it.

    Checked last: from here to its end, the transaction locks the connection's row.
    """
    await lock(session, connection)
    _require_same(connection, target)


def _require_same(connection: Connection, target: Target) -> None:
    if connection.deleted_at is not None:
        raise Archived
    if connection.revision != target.revision:
        raise ConnectionChanged


async def _settle(
    session: AsyncSession, leased: Leased, failure: Failure, policy: RetryPolicy, *, webhook: bool
) -> str:
    leased.say(failure.message)
    if not failure.temporary or leased.attempt >= policy.attempts:
        await leases.fail(session, leased, failure.stored(), webhook=webhook)
        return "failed"
    seconds = policy.pause(leased.attempt, random.random())  # noqa: S311  # spreads attempts, keeps no secret
    leased.say(f"The next attempt follows in {seconds:.0f} s.")
    await leases.retry(session, leased, failure.stored(), clock.now() + round(seconds * 1000))
    return "retried"


def failure_of(error: Exception) -> Failure:
    """The stored form of an error that ended an attempt."""
    match error:
        case WarehouseError():
            return Failure(error.code, error.explained, error.step, error.temporary)
        case Saturated():
            return Failure("saturated", error.message, None, temporary=True)
        case ConnectionChanged():
            return Failure("connection_changed", error.message, None, temporary=True)
        case Archived():
            return Failure("archived", error.message, None, temporary=False)
        case NeedsCredentials():
            return Failure("needs_credentials", error.message, None, temporary=False)
        case _:
            return Failure("internal", "Internal error. The log of the service says more.", None, temporary=True)
