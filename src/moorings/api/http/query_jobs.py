"""Asynchronous queries: started once and polled as often as needed. Published clients call them jobs.

A job belongs to its key and to this process. Its result is stored for a while after its end, within a limit of bytes. A
request for a job whose result was dropped starts the query again.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from moorings import clock
from moorings.errors import MooringsError, QueryNotFound

KEPT_SECONDS = 15 * 60.0
"""How long a job is stored after its end."""
WAIT_SECONDS = 60.0
"""How long a request waits for its jobs."""
MOST_JOBS = 10_000


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A whole result in the requested format, and the names and types of its columns."""

    content: bytes
    fields: dict[str, str]


Work = Coroutine[Any, Any, QueryResult]


@dataclass(slots=True)
class QueryJob:
    """One query. `request` starts it again; the result of a job without a task was dropped."""

    id: str
    key_id: str
    request: Any
    task: asyncio.Task[QueryResult] | None = None
    ended_at: float | None = None

    @property
    def size(self) -> int:
        """The bytes of the stored result."""
        task = self.task
        done = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return len(task.result().content) if done and task is not None else 0


class QueryJobs:
    """The jobs of this process, with results of `most_bytes` in all."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._jobs: dict[str, QueryJob] = {}

    def add(self, key_id: str, request: Any, work: Work) -> QueryJob:
        """Start a job."""
        self._forget()
        job = QueryJob(str(uuid.uuid4()), key_id, request)
        self._jobs[job.id] = job
        self.restart(job, work)
        return job

    def restart(self, job: QueryJob, work: Work) -> None:
        """Run a job's query, for the first time or anew."""
        job.ended_at = None
        job.task = asyncio.create_task(work)
        job.task.add_done_callback(lambda _: self._end(job))

    def find(self, key_id: str, ids: Sequence[str]) -> list[QueryJob]:
        """The jobs with these ids; raises QueryNotFound if one is unknown or belongs to another key."""
        self._forget()
        found = [self._jobs.get(each) for each in ids]
        jobs = [job for job in found if job is not None and job.key_id == key_id]
        if len(jobs) < len(ids):
            raise QueryNotFound
        return jobs

    async def wait(self, jobs: Sequence[QueryJob], seconds: float = WAIT_SECONDS) -> list[QueryJob]:
        """Wait until all of these have ended, or the time is over; returns those that have not."""
        running = [job.task for job in jobs if job.task is not None and not job.task.done()]
        if running:
            await asyncio.wait(running, timeout=seconds)
        return [job for job in jobs if job.task is not None and not job.task.done()]

    async def close(self) -> None:
        """Stop running jobs."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None and not job.task.done()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, MooringsError):
                await task

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
