"""Schedules of catalog refreshes, and jobs."""

from __future__ import annotations

from moorings.client.names import connection_id
from moorings.client.resources.base import Awaits, Waits
from moorings.client.resources.steps import finished, refreshed
from moorings.client.shapes import Done, Job, RefreshStarted, Schedule, ScheduleDetails
from moorings.client.steps import Pages, Request, Steps, at, listing, method, pages

ScheduleList = list[Schedule]


class ScheduleMethods:
    """What both clients can do with schedules."""

    @method
    def list(self, connection: str) -> Steps[ScheduleList]:
        """The schedules of a connection."""
        found = yield from connection_id(connection)
        return (yield Request("GET", at("connections", found, "schedules")))["schedules"]

    @method
    def get(self, connection: str, schedule_id: str) -> Steps[ScheduleDetails]:
        """A schedule with its next run times."""
        found = yield from connection_id(connection)
        return (yield Request("GET", at("connections", found, "schedules", schedule_id)))

    @method
    def create(
        self, connection: str, schedule: str, *, timezone: str = "UTC", hard_refresh: bool = False
    ) -> Steps[Schedule]:
        """Refresh a connection's catalog on a schedule, which is an EventBridge cron expression."""
        found = yield from connection_id(connection)
        body = {"schedule": schedule, "timezone": timezone, "hardRefresh": hard_refresh}
        return (yield Request("POST", at("connections", found, "schedules"), json=body))

    @method
    def update(
        self, connection: str, schedule_id: str, schedule: str, *, timezone: str = "UTC", hard_refresh: bool = False
    ) -> Steps[Schedule]:
        """Replace a schedule."""
        found = yield from connection_id(connection)
        body = {"schedule": schedule, "timezone": timezone, "hardRefresh": hard_refresh}
        return (yield Request("PUT", at("connections", found, "schedules", schedule_id), json=body))

    @method
    def delete(self, connection: str, schedule_id: str) -> Steps[Done]:
        """Delete a schedule."""
        found = yield from connection_id(connection)
        return (yield Request("DELETE", at("connections", found, "schedules", schedule_id)))


class JobMethods:
    """What both clients can do with jobs."""

    @listing
    def list(self, connection: str) -> Steps[Pages[Job]]:
        """The jobs of a connection, newest first."""
        return pages(at("connections", (yield from connection_id(connection)), "jobs"))

    @method
    def get(self, job_id: str) -> Steps[Job]:
        """One job."""
        return (yield Request("GET", at("jobs", job_id, "status")))

    @method
    def wait(self, job_id: str) -> Steps[Job]:
        """Wait until a job has ended. Raises JobFailed."""
        return (yield from finished(job_id))

    @method
    def refresh(self, connection: str, *, hard: bool = False, wait: bool = False) -> Steps[RefreshStarted]:
        """Read the catalog of a connection now, as `connections.refresh` does."""
        return (yield from refreshed(connection, hard=hard, wait=wait))


class Schedules(ScheduleMethods, Waits):
    """Schedules, of `Client`."""


class AsyncSchedules(ScheduleMethods, Awaits):
    """Schedules, of `AsyncClient`."""


class Jobs(JobMethods, Waits):
    """Jobs, of `Client`."""


class AsyncJobs(JobMethods, Awaits):
    """Jobs, of `AsyncClient`."""
