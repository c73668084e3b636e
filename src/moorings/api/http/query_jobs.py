"""Asynchronous queries: started once and polled as often as needed. Published clients call them jobs.

A job belongs to its key. The process that runs it keeps the result for a while after its end, within a limit of
bytes; other replicas get it from the store. A request for a job that lost its result starts the query again.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from moorings import clock, errors
from moorings.errors import MooringsError, QueryNotFound, WarehouseError
from moorings.queries.stored_jobs import HEARTBEAT_SECONDS, Found, JobStore

KEPT_SECONDS = 15 * 60.0
"""How long a job is stored after its end."""
WAIT_SECONDS = 60.0
"""How long a request waits for its jobs."""
MOST_JOBS = 10_000
LOOK_SECONDS = 0.25
"""How often a job of another replica is looked at."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A whole result in the requested format, and the names and types of its columns."""

    content: bytes
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class JobKey:
    """The key that a job belongs to."""

    id: str
    organization_id: str


Work = Coroutine[Any, Any, QueryResult]


@dataclass(slots=True)
class QueryJob:
    """One query. `request` starts it again; the result of a job without a task was dropped."""

    id: str
    key: JobKey
    request: Any
    task: asyncio.Task[QueryResult] | None = None
    ended_at: float | None = None

    @property
    def size(self) -> int:
        """The bytes of the stored result."""
        task = self.task
        done = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return len(task.result().content) if done and task is not None else 0


class ResultLost(Exception):
    """Another replica ended the job, or was lost itself, and stored no outcome: the query runs again."""


class QueryJobs:
    """The jobs of this process, with results of `most_bytes` in all; with a store, those of other replicas too."""

    def __init__(self, most_bytes: int, store: JobStore | None = None) -> None:
        self._most_bytes = most_bytes
        self._store = store
        self._jobs: dict[str, QueryJob] = {}

    async def add(self, key: JobKey, request: Any, work: Work) -> QueryJob:
        """Start a job."""
        self._forget()
        job = QueryJob(str(uuid.uuid4()), key, request)
        self._jobs[job.id] = job
        await self.restart(job, work)
        return job

    async def restart(self, job: QueryJob, work: Work) -> None:
        """Run a job's query, for the first time or anew."""
        if self._store is not None:
            request = msgspec.json.encode(job.request).decode()
            try:
                await self._store.start(job.id, job.key.organization_id, job.key.id, request)
            except BaseException:
                work.close()
                raise
            work = self._told(self._store, job, work)
        self._begin(job, work)

    def _begin(self, job: QueryJob, work: Work) -> None:
        job.ended_at = None
        job.task = asyncio.create_task(work)
        job.task.add_done_callback(lambda _: self._end(job))

    async def find(self, key: JobKey, ids: Sequence[str], kind: type[Any]) -> list[QueryJob]:
        """The jobs with these ids; raises QueryNotFound if one is unknown or belongs to another key.

        `kind` is the type of their requests.
        """
        self._forget()
        known = {each: self._jobs[each] for each in ids if each in self._jobs}
        missing = [each for each in ids if each not in known]
        if missing and self._store is not None:
            for found in (await self._store.find(key.id, missing)).values():
                known[found.id] = self._adopt(self._store, key, found, kind)
        jobs = [known[each] for each in ids if each in known and known[each].key == key]
        if len(jobs) < len(ids):
            raise QueryNotFound
        return jobs

    async def wait(self, jobs: Sequence[QueryJob], seconds: float | None = None) -> list[QueryJob]:
        """Wait until all of these have ended, or the time is over; returns those that have not."""
        running = [job.task for job in jobs if job.task is not None and not job.task.done()]
        if running:
            await asyncio.wait(running, timeout=WAIT_SECONDS if seconds is None else seconds)
        for job in jobs:
            if job.task is not None and _is_lost(job.task):
                job.task = None  # the next request for it runs it here
        return [job for job in jobs if job.task is None or not job.task.done()]

    async def close(self) -> None:
        """Stop running jobs."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None and not job.task.done()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, MooringsError, ResultLost):
                await task

    # ---- other replicas ---------------------------------------------------------------------------------------

    async def _told(self, store: JobStore, job: QueryJob, work: Work) -> QueryResult:
        """Run the work, with heartbeats, and store its outcome."""
        running = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({running}, timeout=HEARTBEAT_SECONDS))[0]:
                await store.heartbeat(job.id)
        finally:
            if not running.done():
                running.cancel()
        error = running.exception()
        outcome = _written(error if error is not None else running.result())
        await store.end(job.id, outcome)
        return running.result()

    def _adopt(self, store: JobStore, key: JobKey, found: Found, kind: type[Any]) -> QueryJob:
        """A job of another replica as one of ours; without a task if its query has to run again."""
        job = QueryJob(found.id, key, msgspec.json.decode(found.request, type=kind))
        self._jobs[job.id] = job
        if found.running or found.outcome is not None:
            self._begin(job, self._followed(store, job, found))
        return job

    async def _followed(self, store: JobStore, job: QueryJob, found: Found | None) -> QueryResult:
        while found is not None and found.running:
            await asyncio.sleep(LOOK_SECONDS)
            found = (await store.find(job.key.id, [job.id])).get(job.id)
        if found is None or found.outcome is None:
            raise ResultLost
        return _read(found.outcome)

    # ---- the end ----------------------------------------------------------------------------------------------

    def _end(self, job: QueryJob) -> None:
        job.ended_at = clock.monotonic()
        ended = sorted((each for each in self._jobs.values() if each.size), key=lambda each: each.ended_at or 0.0)
        kept = sum(each.size for each in ended)
        for oldest in ended:
            if kept <= self._most_bytes or oldest is job:
                break
            kept -= oldest.size
            oldest.task = None

    def _forget(self) -> None:
        horizon = clock.monotonic() - KEPT_SECONDS
        kept = [job for job in self._jobs.values() if job.ended_at is None or job.ended_at > horizon]
        self._jobs = {job.id: job for job in kept[-MOST_JOBS:]}


def _is_lost(task: asyncio.Task[QueryResult]) -> bool:
    return task.done() and not task.cancelled() and isinstance(task.exception(), ResultLost)


class _Outcome(msgspec.Struct):
    """The outcome of a job, for another replica: its result, or its error."""

    content: bytes = b""
    fields: dict[str, str] = {}
    error: str = ""
    message: str = ""
    detail: str | None = None


def _written(ended: QueryResult | BaseException) -> str | None:
    """An outcome as JSON; None for a fault of ours, which another replica need not repeat."""
    if isinstance(ended, QueryResult):
        return msgspec.json.encode(_Outcome(ended.content, ended.fields)).decode()
    if not isinstance(ended, WarehouseError):
        return None
    return msgspec.json.encode(
        _Outcome(error=type(ended).__name__, message=ended.message, detail=ended.detail)
    ).decode()


def _read(outcome: str) -> QueryResult:
    """The result of an outcome; raises its error."""
    found = msgspec.json.decode(outcome, type=_Outcome)
    if found.error:
        kind: Any = getattr(errors, found.error, errors.StatementRefused)
        raise kind(message=found.message, detail=found.detail)
    return QueryResult(found.content, found.fields)
