"""The endpoints of `/connections/{id}/schedules`."""

from __future__ import annotations

from typing import Any

from moorings import clock
from moorings.access.policy import Permission, Scope
from moorings.api.http import idempotency, schemas
from moorings.api.http.answers import Done, Shape, instant
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.dialects.config.fields import zones
from moorings.errors import RepeatDiffers, ScheduleNotFound
from moorings.schedules import service
from moorings.schedules.cron import NotCron, parse
from moorings.schedules.models import Schedule
from moorings.schedules.service import Plan
from moorings.schedules.spellings import six_fields
from moorings.schedules.words import describe
from moorings.schedules.zones import next_runs

NEXT_RUNS = 5
UNREADABLE = (NotCron, KeyError, ValueError, OSError)
"""Errors of a stored schedule that this version cannot read, such as a zone missing in its tz database."""


class ScheduleShape(Shape, kw_only=True):
    """A schedule for catalog refreshes: a cron expression, its time zone, and its description in words."""

    schedule_id: str
    connection_id: str
    schedule: str
    timezone: str
    description: str
    hard_refresh: bool
    created_at: str
    updated_at: str
    disabled_at: str | None


class ScheduleDetails(ScheduleShape, kw_only=True):
    """A schedule and its next run times."""

    next_runs: list[str]


class ScheduleList(Shape):
    """Schedules, oldest first."""

    schedules: list[ScheduleDetails]


async def listed(call: Call) -> ScheduleList:
    """The schedules on which a connection's catalog is refreshed, oldest first. Archived connections keep theirs."""
    found = await service.listed(call.session, call.connection)
    return ScheduleList([_details(schedule) for schedule in found])


async def create(call: Call) -> ScheduleShape:
    """Refresh a connection's catalog at the times of a cron expression, in a time zone."""
    return _shape(await service.create(call.session, call.actor, call.connection, _read(call)))


async def get(call: Call) -> ScheduleDetails:
    """One schedule, with its next five runs."""
    return _details(await service.find(call.session, call.connection, call.ids["scheduleId"]))


async def update(call: Call) -> ScheduleShape:
    """Replace a schedule. `hardRefresh` defaults to false."""
    schedule = await _found(call)
    await service.change(call.session, schedule, _read(call))
    return _shape(schedule)


async def remove(call: Call) -> Done:
    """Delete a schedule. Refreshes that it started continue."""
    await service.remove(call.session, await _found(call))
    return Done()


async def _found(call: Call) -> Schedule:
    return await service.find(call.session, call.connection, call.ids["scheduleId"], to_change=True)


def _read(call: Call) -> Plan:
    fields = Fields(call.body, ("schedule", "timezone", "hardRefresh"))
    cron = fields.string("schedule", required=True)
    if cron:
        cron = _six_fields(fields, cron)
    zone = fields.string("timezone", required=True)
    if zone and zone not in zones():
        reason = f'unknown time zone "{zone}". Use a name from the IANA database, such as America/New_York'
        fields.fault("timezone", "custom", reason=reason)
    hard = fields.boolean("hardRefresh") if fields.has("hardRefresh") else False
    fields.done()
    return Plan(cron, zone, bool(hard))


def _six_fields(fields: Fields, sent: str) -> str:
    """The schedule in the form in which it is stored and shown; a fault is noted."""
    try:
        cron = six_fields(sent)
        parse(cron)
    except NotCron as refused:
        fields.fault("schedule", "custom", reason=str(refused))
        return sent
    return cron


def _shape(schedule: Schedule) -> ScheduleShape:
    return ScheduleShape(**_facts(schedule))


def _details(schedule: Schedule) -> ScheduleDetails:
    return ScheduleDetails(**_facts(schedule), next_runs=[instant(run) for run in _next_runs(schedule)])


def _next_runs(schedule: Schedule) -> list[int]:
    try:
        return next_runs(parse(schedule.cron), schedule.timezone, clock.now(), NEXT_RUNS)
    except UNREADABLE:
        return []


def _description(schedule: Schedule) -> str:
    try:
        parse(schedule.cron)
        return describe(schedule.cron, schedule.timezone, schedule.next_run_at or clock.now())
    except UNREADABLE:
        return schedule.cron


def _facts(schedule: Schedule) -> dict[str, Any]:
    """The fields of a schedule in every response; the description names the zone as at the next run."""
    return {
        "schedule_id": schedule.id,
        "connection_id": schedule.connection_id,
        "schedule": schedule.cron,
        "timezone": schedule.timezone,
        "description": _description(schedule),
        "hard_refresh": bool(schedule.hard_refresh),
        "created_at": instant(schedule.created_at),
        "updated_at": instant(schedule.updated_at),
        "disabled_at": None if schedule.disabled_at is None else instant(schedule.disabled_at),
    }


ROUTES = (
    Route(
        method="GET",
        path="/connections/{id}/schedules",
        scopes=(Scope.READ,),
        operation_id="connectionsSchedulesList",
        handler=listed,
        permission=Permission.OVERSEE,
        summary="List the schedules of a connection",
        answer=ScheduleList,
    ),
    Route(
        method="POST",
        path="/connections/{id}/schedules",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsSchedulesCreate",
        handler=idempotency.once(create),
        permission=Permission.CHANGE,
        summary="Create a schedule",
        answer=ScheduleShape,
        status=201,
        body=schemas.schedule,
        parameters=(idempotency.KEY,),
        headers=idempotency.HEADERS,
        errors=(RepeatDiffers,),
    ),
    Route(
        method="GET",
        path="/connections/{id}/schedules/{scheduleId}",
        scopes=(Scope.READ,),
        operation_id="connectionsSchedulesGet",
        handler=get,
        permission=Permission.OVERSEE,
        summary="Get a schedule",
        answer=ScheduleDetails,
        errors=(ScheduleNotFound,),
    ),
    Route(
        method="PUT",
        path="/connections/{id}/schedules/{scheduleId}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsSchedulesUpdate",
        handler=update,
        permission=Permission.CHANGE,
        summary="Replace a schedule",
        answer=ScheduleShape,
        body=schemas.schedule,
        errors=(ScheduleNotFound,),
    ),
    Route(
        method="DELETE",
        path="/connections/{id}/schedules/{scheduleId}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsSchedulesDelete",
        handler=remove,
        permission=Permission.CHANGE,
        summary="Remove a schedule",
        answer=Done,
        errors=(ScheduleNotFound,),
    ),
)
