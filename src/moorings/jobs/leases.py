"""Leases: a worker takes the next due job, extends its lease while it works, and releases it with the result.

The database alone decides: if a lease expired and another worker took the job over, the first worker can write nothing
more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from moorings import clock
from moorings.db import Database
from moorings.errors import LeaseLost
from moorings.jobs import events
from moorings.jobs.models import Job
from moorings.queries import owners

Line = tuple[int, str]
"""A line of a job's log: time and sentence."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A leased job: its owner, the attempt, and the log so far, to which the owner adds lines."""

    id: str
    connection_id: str
    owner: str
    attempt: int
    hard: bool
    log: list[Line] = field(repr=False)
    stopped: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when the owner must release the job, or has lost it."""

    def say(self, sentence: str) -> None:
        """Add a line to the log; it is stored when the lease ends."""
        self.log.append((clock.now(), sentence))


async def take(db: Database, owner: str, lease_seconds: float, attempts: int, *, webhook: bool) -> Leased | None:
    """Lease the next due job; None, without a write, if there is none.

    A job whose lease has expired is due too. If that was its last attempt, this marks it as failed.
    """
    while await db.finds(select(Job.id).where(_due(clock.now()))):
        async with db.unit_of_work() as session:
            job = await _lease(session, owner, clock.now() + _milliseconds(lease_seconds))
            if job is None:
                return None
            leased = _leased(job, owner)
            if job.attempt <= attempts:
                leased.say(f"Attempt {job.attempt} begins: a {'hard' if job.hard else 'soft'} refresh.")
                job.log = list(leased.log)
                return leased
            leased.say("The worker was lost, and this was the last attempt.")
            error = {"code": "worker_lost", "message": "The workers that ran this were lost.", "step": None}
            await fail(session, leased, error, webhook=webhook)
    return None


def _leased(job: Job, owner: str) -> Leased:
    log = [(instant, sentence) for instant, sentence in job.log]
    return Leased(job.id, job.connection_id, owner, job.attempt, bool(job.hard), log)


def _due(now: int) -> ColumnElement[bool]:
    """Started jobs whose lease ended or expired, and waiting jobs of connections without a started job of this kind."""
    other = aliased(Job)
    begun = exists().where(other.connection_id == Job.connection_id, other.kind == Job.kind, other.status == "running")
    free = and_(Job.status == "running", or_(Job.lease_expires_at.is_(None), Job.lease_expires_at < now))
    return and_(Job.run_after <= now, or_(free, and_(Job.status == "waiting", ~begun)))


async def _lease(session: AsyncSession, owner: str, until: int) -> Job | None:
    now = clock.now()
    next_due = select(Job.id).where(_due(now)).order_by(Job.run_after, Job.id).limit(1)
    leased = (
        update(Job)
        # PostgreSQL: a concurrent worker skips this row and gets the next one. SQLite has one writer.
        .where(Job.id == next_due.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            status="running",
            attempt=Job.attempt + 1,
            lease_owner=owner,
            lease_expires_at=until,
            started_at=func.coalesce(Job.started_at, now),
        )
        .returning(Job)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(leased)).one_or_none()


async def extend(db: Database, leased: Leased, lease_seconds: float) -> None:
    """Extend the lease to this time from now; raises LeaseLost."""
    async with db.unit_of_work() as session:
        await _write(session, leased, lease_expires_at=clock.now() + _milliseconds(lease_seconds))


async def complete(session: AsyncSession, leased: Leased, result: dict[str, int]) -> None:
    """End the job with its result; raises LeaseLost, after which the caller must roll back its transaction."""
    await _write(session, leased, **_free(leased), status="completed", result=result, error=None, **_finished())


async def fail(session: AsyncSession, leased: Leased, error: dict[str, Any], *, webhook: bool) -> None:
    """End the job with the reason why it failed (code, message, step); raises LeaseLost."""
    await _write(session, leased, **_free(leased), status="failed", error=error, **_finished())
    await events.failed(session, leased.id, error, webhook=webhook)


async def retry(session: AsyncSession, leased: Leased, error: dict[str, Any], after: int) -> None:
    """Release the job until a time, after which any worker can take it; raises LeaseLost."""
    await _write(session, leased, **_free(leased), error=error, run_after=after)


async def release(session: AsyncSession, leased: Leased) -> None:
    """Release the job, so that another worker can take it at once; this attempt does not count. Raises LeaseLost."""
    await _write(session, leased, **_free(leased), attempt=leased.attempt - 1)


async def release_dead_leases(db: Database) -> None:
    """End the leases of processes that have ended on this machine, so that their jobs need not wait for the expiry."""
    conditions = select(Job.lease_owner).where(Job.lease_owner.is_not(None))
    async with db.reading() as session:
        dead = [owner for owner in await session.scalars(conditions) if owner is not None and owners.is_dead(owner)]
    if dead:
        async with db.unit_of_work() as session:
            await session.execute(update(Job).where(Job.lease_owner.in_(dead)).values(lease_expires_at=0))


def _free(leased: Leased) -> dict[str, Any]:
    return {"lease_owner": None, "lease_expires_at": None, "log": leased.log}


def _finished() -> dict[str, int]:
    return {"finished_at": clock.now()}


async def _write(session: AsyncSession, leased: Leased, **values: Any) -> None:
    conditions = (
        Job.id == leased.id,
        Job.status == "running",
        Job.lease_owner == leased.owner,
        Job.attempt == leased.attempt,
    )
    written = update(Job).where(*conditions).values(**values).returning(Job.id)
    found = await session.execute(written.execution_options(synchronize_session=False))
    if found.one_or_none() is None:
        raise LeaseLost


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
