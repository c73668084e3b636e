"""Due schedules: each becomes one refresh, even if several workers check at once or several runs were missed."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

import structlog
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.connections.models import Connection
from moorings.db import Database
from moorings.schedules.cron import parse
from moorings.schedules.models import Schedule
from moorings.schedules.zones import next_runs

log = structlog.get_logger(__name__)

AT_ONCE = 100
"""How many schedules become refreshes in one transaction; the others stay due."""
UNREADABLE_PAUSE = 3_600_000
"""Milliseconds until a schedule whose next run cannot be computed is checked again, such as one in an unknown zone."""


class Enqueue(Protocol):
    """Requests a refresh, in the open transaction."""

    def __call__(
        self, session: AsyncSession, connection: Connection, *, hard: bool, schedule_id: str, due_at: int
    ) -> Awaitable[object]:
        """`due_at` is the time at which the refresh was due; after several missed runs, the first of them."""
        ...


async def run_due(db: Database, now: int, enqueue: Enqueue) -> int:
    """Request the refreshes that are due at a time; returns their number. Writes nothing if none is due."""
    if not await db.finds(_due(now)):
        return 0
    async with db.unit_of_work() as session:
        return await enqueue_due(session, now, enqueue)


async def enqueue_due(session: AsyncSession, now: int, enqueue: Enqueue) -> int:
    """Request one refresh for each due schedule of connections that are not archived, and set its next run.

    The rows are locked; rows that another worker has locked are skipped. SQLite has one writer anyway.
    """
    rows = await session.execute(_due(now).limit(AT_ONCE).with_for_update(of=Schedule, skip_locked=True))
    found, started = [(schedule, connection) for schedule, connection in rows], 0
    for schedule, connection in sorted(found, key=lambda row: row[1].id):  # all lock connections in one order
        due_at = schedule.next_run_at
        assert due_at is not None  # noqa: S101  # it was selected by it
        if not _advance(schedule, now):
            continue
        await enqueue(session, connection, hard=bool(schedule.hard_refresh), schedule_id=schedule.id, due_at=due_at)
        started += 1
    await session.flush()
    return started


def _due(now: int) -> Select[Schedule, Connection]:
    return (
        select(Schedule, Connection)
        .join(Connection, Connection.id == Schedule.connection_id)
        .where(Schedule.next_run_at <= now, Connection.deleted_at.is_(None))
        .order_by(Schedule.next_run_at, Schedule.id)
    )


def _advance(schedule: Schedule, now: int) -> bool:
    """Set the next run after now; a schedule without one is disabled.

    If it cannot be computed, sets a pause and returns False.
    """
    try:
        runs = next_runs(parse(schedule.cron), schedule.timezone, now, 1)
    except Exception:  # one unreadable row must not prevent the others from running
        log.exception("schedule_unreadable", schedule=schedule.id)
        schedule.next_run_at = now + UNREADABLE_PAUSE
        return False
    schedule.next_run_at = runs[0] if runs else None
    schedule.disabled_at = None if runs else now
    return True
