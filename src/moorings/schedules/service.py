"""Schedules: list, create, change and delete them. Admins of the connection only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.service import Actor
from moorings.connections.models import Connection
from moorings.errors import Fault, InvalidInput, ScheduleNotFound
from moorings.schedules.cron import parse
from moorings.schedules.models import Schedule
from moorings.schedules.zones import next_runs


@dataclass(frozen=True, slots=True)
class Plan:
    """The fields of a schedule: a valid cron expression, a valid time zone, and whether the refresh is hard."""

    cron: str
    timezone: str
    hard: bool


async def listed(session: AsyncSession, connection: Connection) -> list[Schedule]:
    """The schedules of a connection, oldest first."""
    rows = await session.scalars(
        select(Schedule).where(Schedule.connection_id == connection.id).order_by(Schedule.created_at, Schedule.id)
    )
    return list(rows)


async def find(session: AsyncSession, connection: Connection, schedule_id: str, *, to_change: bool = False) -> Schedule:
    """A schedule of a connection, locked if it is to be changed; raises ScheduleNotFound."""
    schedule = await session.get(Schedule, schedule_id, with_for_update=to_change or None)
    if schedule is None or schedule.connection_id != connection.id:
        raise ScheduleNotFound
    return schedule


async def create(session: AsyncSession, actor: Actor, connection: Connection, plan: Plan) -> Schedule:
    """Store a schedule; raises InvalidInput for one that would never run."""
    now = clock.now()
    schedule = Schedule(
        id=str(uuid.uuid4()),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        cron=plan.cron,
        timezone=plan.timezone,
        hard_refresh=int(plan.hard),
        next_run_at=_first_run(plan, now),
        created_by=actor.key_id,
        created_at=now,
        updated_at=now,
    )
    session.add(schedule)
    await session.flush()
    return schedule


async def change(session: AsyncSession, schedule: Schedule, plan: Plan) -> None:
    """Replace a schedule's fields; raises InvalidInput for one that would never run.

    If nothing differs, its next run stays.
    """
    now = clock.now()
    first = _first_run(plan, now)
    if plan == Plan(schedule.cron, schedule.timezone, bool(schedule.hard_refresh)):
        return
    schedule.cron, schedule.timezone, schedule.hard_refresh = plan.cron, plan.timezone, int(plan.hard)
    schedule.next_run_at, schedule.disabled_at, schedule.updated_at = first, None, now
    await session.flush()


async def remove(session: AsyncSession, schedule: Schedule) -> None:
    """Delete a schedule."""
    await session.delete(schedule)
    await session.flush()


def _first_run(plan: Plan, now: int) -> int:
    runs = next_runs(parse(plan.cron), plan.timezone, now, 1)
    if not runs:
        raise InvalidInput(
            [Fault("schedule", "custom", {"reason": "The schedule has no future run. Check the year and the day"})]
        )
    return runs[0]
