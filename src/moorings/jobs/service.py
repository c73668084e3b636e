"""Jobs: request one, find it, list the jobs of a connection."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.connections.models import Connection
from moorings.connections.service import lock
from moorings.db import page
from moorings.errors import JobNotFound
from moorings.jobs.models import Job

REFRESH_SCHEMA = "REFRESH_SCHEMA"


async def enqueue(
    session: AsyncSession,
    connection: Connection,
    *,
    hard: bool,
    schedule_id: str | None = None,
    due_at: int | None = None,
    requested_by: Actor | None = None,
) -> Job:
    """Request a refresh of the connection's catalog that begins after now.

    `hard` also removes tables that the database dropped. Requests are coalesced: a request joins a job that has not
    started yet or waits for its next attempt, and makes it hard if the request is hard. So at most one job runs and one
    waits. `due_at` is a time (default: now). Locks the connection's row until the transaction ends.
    """
    await lock(session, connection)
    now = clock.now()
    due = now if due_at is None else due_at
    live = Job.connection_id == connection.id, Job.kind == REFRESH_SCHEMA, Job.status.in_(("waiting", "running"))
    found = await session.scalars(select(Job).where(*live).order_by(Job.status.desc()).with_for_update())
    joined = next((job for job in found if job.lease_owner is None), None)
    if joined is not None:
        joined.hard = max(joined.hard, int(hard))
        joined.run_after = min(joined.run_after, due)
        joined.schedule_id = joined.schedule_id or schedule_id
        joined.log = [*joined.log, (now, "Another request joined.")]
        await session.flush()
        return joined
    job = _new(connection, hard=hard, now=now, due=due)
    job.schedule_id = schedule_id
    if requested_by is not None:
        job.key_id, job.user_id = requested_by.key_id, requested_by.user_id
    session.add(job)
    await session.flush()
    return job


def _new(connection: Connection, *, hard: bool, now: int, due: int) -> Job:
    return Job(
        id=str(uuid.uuid4()),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        kind=REFRESH_SCHEMA,
        hard=int(hard),
        status="waiting",
        attempt=0,
        due_at=due,
        run_after=due,
        log=[],
        created_at=now,
    )


async def queued(session: AsyncSession) -> int:
    """The number of due jobs without a worker, of all connections."""
    due = Job.status.in_(("waiting", "running")), Job.lease_owner.is_(None), Job.run_after <= clock.now()
    return await session.scalar(select(func.count()).select_from(Job).where(*due)) or 0


async def find(session: AsyncSession, actor: Actor, job_id: str) -> Job:
    """A job; raises JobNotFound if the actor may not read its connection."""
    job = await session.get(Job, job_id)
    if job is None or job.organization_id != actor.organization_id:
        raise JobNotFound
    if not actor.may(Permission.READ, await session.get_one(Connection, job.connection_id)):
        raise JobNotFound
    return job


async def listed(
    session: AsyncSession, connection: Connection, after: tuple[int, str] | None, number: int
) -> tuple[list[Job], int]:
    """Jobs of a connection, newest first, after the time and id of one; and the number of all of them."""
    own = select(Job).where(Job.connection_id == connection.id)
    return await page(session, own, [(Job.created_at, True), (Job.id, False)], after, number)
