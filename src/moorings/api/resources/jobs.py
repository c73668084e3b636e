"""The endpoints that start a refresh and return its state."""

from __future__ import annotations

import msgspec

from moorings.access.policy import Permission, Scope
from moorings.api.http import idempotency, pagination, schemas
from moorings.api.http.answers import Shape, instant
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.errors import JobNotFound, RepeatDiffers
from moorings.jobs import service
from moorings.jobs.models import Job

STATUS = {"waiting": "IN_PROGRESS", "running": "IN_PROGRESS", "completed": "COMPLETED", "failed": "FAILED"}
"""Stored status → status in answers."""


class RefreshStarted(Shape, kw_only=True):
    """The id of the job, in both published spellings."""

    success: bool = True
    job_id: str
    published_id: str = msgspec.field(name="job_id")


class LineShape(Shape):
    """A line of the job's log, with its time."""

    at: str
    message: str


class FailureShape(Shape):
    """The error of the last attempt. `step` is a step of the connection test."""

    code: str
    message: str
    step: str | None


class RefreshShape(Shape):
    """The result of a refresh: the numbers of tables that were added, changed or removed, or are missing."""

    tables: int
    columns: int
    added: int
    changed: int
    removed: int
    missing: int


class JobShape(Shape, kw_only=True):
    """A job. Its status is `IN_PROGRESS` until it has ended."""

    job_id: str = msgspec.field(name="job_id")
    job_type: str = msgspec.field(name="job_type")
    status: str
    connection_id: str
    schedule_id: str | None
    hard_refresh: bool
    created_at: str
    due_at: str
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None
    attempt: int
    next_attempt_at: str | None
    result: RefreshShape | None
    error: FailureShape | None
    log: list[LineShape]


class JobPage(Shape):
    """Jobs, newest first."""

    page_info: PageInfo
    records: list[JobShape]


async def refresh(call: Call) -> RefreshStarted:
    """Read the connection's catalog again, in the background. If a refresh is already waiting, its job is returned."""
    body = Fields(call.body, ("hardRefresh",))
    hard = body.has("hardRefresh") and bool(body.boolean("hardRefresh"))
    body.done()
    job = await service.enqueue(call.session, call.connection, hard=hard, requested_by=call.actor)
    call.after_commit.append(call.services.wake_worker)
    return RefreshStarted(job_id=job.id, published_id=job.id)


async def status(call: Call) -> JobShape:
    """The status and result of a job."""
    return _shape(await service.find(call.session, call.actor, call.ids["id"]))


async def listed(call: Call) -> JobPage:
    """The jobs of a connection, newest first."""
    query = Fields(call.query(), ("cursor", "pageSize"))
    page = pagination.page_request(query)
    query.done()
    found, total = await service.listed(call.session, call.connection, page.after, page.size + 1)
    info = pagination.info([(job.created_at, job.id) for job in found], page, total)
    return JobPage(info, [_shape(job) for job in found[: page.size]])


def _shape(job: Job) -> JobShape:
    ended = job.started_at is not None and job.finished_at is not None
    paused = job.status == "running" and job.lease_owner is None
    return JobShape(
        job_id=job.id,
        job_type=job.kind,
        status=STATUS[job.status],
        connection_id=job.connection_id,
        schedule_id=job.schedule_id,
        hard_refresh=bool(job.hard),
        created_at=instant(job.created_at),
        due_at=instant(job.due_at),
        started_at=_instant(job.started_at),
        finished_at=_instant(job.finished_at),
        duration_ms=(job.finished_at or 0) - (job.started_at or 0) if ended else None,
        attempt=job.attempt,
        next_attempt_at=instant(job.run_after) if paused else None,
        result=RefreshShape(**job.result) if job.result else None,
        error=FailureShape(**job.error) if job.error else None,
        log=[LineShape(instant(at), message) for at, message in job.log],
    )


def _instant(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else instant(milliseconds)


ROUTES = (
    Route(
        method="POST",
        path="/connections/{id}/refresh",
        scopes=(Scope.MANAGE,),
        handler=idempotency.once(refresh),
        permission=Permission.CHANGE,
        summary="Refresh the catalog of a connection",
        answer=RefreshStarted,
        status=202,
        body=schemas.refresh,
        body_optional=True,
        parameters=(idempotency.KEY,),
        headers=idempotency.HEADERS,
        errors=(RepeatDiffers,),
    ),
    Route(
        method="GET",
        path="/connections/{id}/jobs",
        scopes=(Scope.READ,),
        handler=listed,
        permission=Permission.READ,
        summary="List the jobs of a connection",
        answer=JobPage,
        parameters=pagination.PARAMETERS,
    ),
    Route(
        method="GET",
        path="/jobs/{id}/status",
        scopes=(Scope.READ,),
        operation_id="jobsGetStatus",
        handler=status,
        summary="Get the status of a job",
        answer=JobShape,
        errors=(JobNotFound,),
    ),
)
