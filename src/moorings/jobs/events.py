"""Sends refreshes that failed after all attempts to webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.connections.models import Connection
from moorings.health.service import for_operator
from moorings.jobs.models import Job
from moorings.webhooks.service import announce, written

JOB_FAILED, SCHEDULE_FAILED = "job.failed", "schedule.failed"


async def failed(session: AsyncSession, job_id: str, error: Mapping[str, Any], *, webhook: bool) -> None:
    """Queue a message: `schedule.failed` for a job that a schedule requested, else `job.failed`.

    `webhook` says whether MOORINGS_WEBHOOK_URL is set: it gets every event.
    """
    job = await session.get_one(Job, job_id)
    connection = await session.get_one(Connection, job.connection_id)
    now = clock.now()
    event = SCHEDULE_FAILED if job.schedule_id else JOB_FAILED
    data = {
        "jobId": job.id,
        "kind": job.kind,
        "scheduleId": job.schedule_id,
        "connectionId": connection.id,
        "name": connection.name,
        "dialect": connection.dialect,
        "attempts": job.attempt,
        "error": dict(error),
    }
    body = written(event, now, data)
    if webhook:
        session.add(for_operator(connection.organization_id, body, now))
    await announce(session, connection.organization_id, event, body, now)
