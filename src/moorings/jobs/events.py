"""Events for webhooks: refreshes that failed after all attempts, and keys that expire soon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.keys import expiring
from moorings.access.models import ApiKey
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.health.service import for_operator
from moorings.jobs.models import Job
from moorings.webhooks.service import announce, written

JOB_FAILED, SCHEDULE_FAILED, KEY_EXPIRING = "job.failed", "schedule.failed", "key.expiring"


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


async def announce_expiring_keys(db: Database, *, webhook: bool) -> None:
    """Queue a message for each key that expires soon, once for each expiry."""
    if not await db.finds(select(ApiKey.id).where(ApiKey.expiry_notice_at <= clock.now())):
        return
    async with db.unit_of_work() as session:
        now = clock.now()
        for key in await expiring(session, now):
            data = {
                "keyId": key.id,
                "name": key.name,
                "type": "personal" if key.user_id else "organization",
                "membershipId": key.user_id,
                "expiresAt": clock.iso(key.expires_at or now),
            }
            body = written(KEY_EXPIRING, now, data)
            if webhook:
                session.add(for_operator(key.organization_id, body, now))
            await announce(session, key.organization_id, KEY_EXPIRING, body, now)
