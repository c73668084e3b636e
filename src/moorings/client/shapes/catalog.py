"""Catalogs, jobs that refresh them, schedules, and plans of queries."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from moorings.client.shapes.base import PageInfo


class Match(TypedDict):
    """What contains the text: a `table` or `column` by its name, or a `comment` on the table or a column."""

    kind: str
    column: str | None
    text: str


class FoundTable(TypedDict):
    """A table of a connection, and what of it contains the text."""

    connectionId: str
    connectionName: str
    dialect: str
    catalog: str | None
    schema: str | None
    name: str
    kind: str
    missingSince: str | None
    matches: list[Match]


class CatalogColumn(TypedDict):
    """A column, with its type in the database's own spelling and, if known, as an Arrow type."""

    name: str
    position: int
    nativeType: str
    arrowType: str | None
    nullable: bool
    comment: str | None


class CatalogReference(TypedDict):
    """A foreign key: columns, and the columns of another table that they reference."""

    name: str | None
    columns: list[str]
    catalog: str | None
    schema: str | None
    table: str
    referredColumns: list[str]


class CatalogTable(TypedDict):
    """A table or view. Row and byte counts are estimates of the database."""

    catalog: str | None
    schema: str | None
    name: str
    kind: str
    comment: str | None
    rowCount: int | None
    sizeBytes: int | None
    columns: list[CatalogColumn]
    primaryKey: list[str]
    foreignKeys: list[CatalogReference]


class CatalogTables(TypedDict):
    """Tables, by catalog, schema and name; `pageInfo` is there when a page was asked for."""

    tables: list[CatalogTable]
    pageInfo: NotRequired[PageInfo]


class StoredTable(TypedDict):
    """A table as the last refresh found it. `missingSince` is set when a later refresh no longer found it."""

    catalog: str | None
    schema: str | None
    name: str
    kind: str
    comment: str | None
    rowCount: int | None
    sizeBytes: int | None
    columns: list[CatalogColumn]
    primaryKey: list[str]
    foreignKeys: list[CatalogReference]
    addedAt: str
    changedAt: str
    missingSince: str | None


class Change(TypedDict):
    """A change of a table or column that a refresh found. Types are in the database's own spelling."""

    at: str
    jobId: str
    change: str
    catalog: str | None
    schema: str | None
    table: str
    column: str | None
    before: str | None
    after: str | None


class RefreshStarted(TypedDict):
    """The id of the job, in both published spellings."""

    success: NotRequired[bool]
    jobId: str
    job_id: str


class RefreshResult(TypedDict):
    """What a refresh found: how many tables were added, changed, removed, or are missing."""

    tables: int
    columns: int
    added: int
    changed: int
    removed: int
    missing: int


class Failure(TypedDict):
    """Why the last attempt failed. `step` is a step of the connection test."""

    code: str
    message: str
    step: str | None


class Line(TypedDict):
    """What happened, and when."""

    at: str
    message: str


class Job(TypedDict):
    """A job. Its status is `IN_PROGRESS` until it has ended."""

    job_id: str
    job_type: str
    status: str
    connectionId: str
    scheduleId: str | None
    hardRefresh: bool
    createdAt: str
    dueAt: str
    startedAt: str | None
    finishedAt: str | None
    durationMs: int | None
    attempt: int
    nextAttemptAt: str | None
    result: RefreshResult | None
    error: Failure | None
    log: list[Line]


class JobLine(TypedDict):
    """One line of the answer: a job, its columns, and its result in base64 (Arrow) or as the text asked for."""

    jobId: str
    status: str
    clientResultId: str
    summary: dict[str, Any]
    result: str


class Schedule(TypedDict):
    """A schedule for catalog refreshes: a cron expression, its time zone, and its description in words."""

    scheduleId: str
    connectionId: str
    schedule: str
    timezone: str
    description: str
    hardRefresh: bool
    createdAt: str
    updatedAt: str
    disabledAt: str | None


class ScheduleDetails(TypedDict):
    """A schedule and its next run times."""

    scheduleId: str
    connectionId: str
    schedule: str
    timezone: str
    description: str
    hardRefresh: bool
    createdAt: str
    updatedAt: str
    disabledAt: str | None
    nextRuns: list[str]


class Plan(TypedDict):
    """The query plan of a statement. `estimatedBytes` is null if the database gives no estimate."""

    dryRun: NotRequired[bool]
    plan: str
    estimatedBytes: int | None
