"""The worker: leases due jobs, runs them, and runs periodic chores.

It runs in the event loop of its process, inside `serve` or alone in `moorings worker`. Any number of workers can share
one database: leases decide which of them runs a job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from moorings import clock
from moorings.db import Database
from moorings.engine.service import Engine
from moorings.errors import LeaseLost, MooringsError
from moorings.jobs import leases, refresh
from moorings.jobs.leases import Leased
from moorings.jobs.refresh import RetryPolicy
from moorings.queries import owners
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.telemetry import metrics, tracing

log = structlog.get_logger(__name__)

HEARTBEATS = 3
"""How many times a lease is extended within its duration: all but one of these attempts may fail."""

LEAST_CLOSE_SECONDS = 1.0
"""The least time for storing in the metadata database that jobs are released."""

AWAY = (SQLAlchemyError, OSError, MooringsError)
"""The errors of a metadata database that does not answer; the worker tries again."""


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A chore that every worker runs from time to time, beside jobs; its errors are logged."""

    name: str
    every_seconds: float
    act: Callable[[], Awaitable[None]]


class Worker:
    """Runs jobs while it is started. Code that enqueues a job in this process sets `wake`."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        keyset: Keyset,
        settings: Settings,
        *,
        wake: asyncio.Event,
        periodic_tasks: Sequence[PeriodicTask] = (),
    ) -> None:
        self._db = db
        self._engine = engine
        self._keyset = keyset
        self._settings = settings
        self._wake = wake
        self._periodic_tasks = periodic_tasks
        self._owner = owners.this_process()
        self._retry_policy = RetryPolicy(settings.job_attempts, settings.job_pause_seconds)
        self._webhook = settings.webhook_url is not None
        self._stopping = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._jobs: dict[asyncio.Task[None], Leased] = {}

    def start(self) -> None:
        """Start to look for jobs."""
        self._loops.append(asyncio.create_task(self._poll()))
        self._loops += [asyncio.create_task(self._repeat(periodic_task)) for periodic_task in self._periodic_tasks]

    async def close(self) -> None:
        """Stop the worker.

        Running jobs are stopped in their warehouses and released, so that another worker can take them over at once.
        Nothing is cancelled while it talks to the metadata database, unless the database does not answer in time.
        """
        self._stopping.set()
        self._wake.set()
        try:
            async with asyncio.timeout(max(self._settings.shutdown_seconds, LEAST_CLOSE_SECONDS)):
                for tasks in (self._loops, self._jobs):  # the loop may still begin a job
                    for leased in self._jobs.values():
                        leased.stopped.set()
                    await _ended(tasks)
        except TimeoutError:
            late = [task for task in (*self._loops, *self._jobs) if task.cancel()]
            log.warning("worker_cut", tasks=len(late))
            await _ended(late)

    async def _poll(self) -> None:
        await _suppressing_errors(leases.release_dead_leases(self._db))
        while not self._stopping.is_set():
            self._wake.clear()
            await _suppressing_errors(self._fill())
            await _set_within(self._wake, self._settings.worker_poll_seconds)

    async def _fill(self) -> None:
        """Begin jobs while some are due and places are free."""
        lease, attempts = self._settings.job_lease_seconds, self._settings.job_attempts
        while len(self._jobs) < self._settings.worker_jobs and not self._stopping.is_set():
            leased = await leases.take(self._db, self._owner, lease, attempts, webhook=self._webhook)
            if leased is None:
                return
            task = asyncio.create_task(self._run(leased))
            self._jobs[task] = leased
            task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        del self._jobs[task]
        self._wake.set()

    async def _run(self, leased: Leased) -> None:
        """One attempt; its lease is extended meanwhile."""
        began, outcome = clock.monotonic(), "lost"
        span = tracing.begin("job refresh", moorings__job_id=leased.id, moorings__attempt=leased.attempt)
        tracing.root(span)
        over = asyncio.Event()
        holding = asyncio.create_task(self._hold(leased, over))
        try:
            outcome = await refresh.attempt(
                self._db, self._engine, self._keyset, leased, self._retry_policy, webhook=self._webhook
            )
        except LeaseLost:
            pass
        except Exception:  # not even the failure could be stored: the lease expires, and another worker tries again
            log.exception("job_not_settled", job=leased.id)
        finally:
            over.set()
            await _ended([holding])
            tracing.end(span, None if outcome in {"completed", "released"} else outcome)
        metrics.job_attempts.labels(outcome).inc()
        metrics.job_seconds.observe(clock.monotonic() - began)
        log.info("job", job=leased.id, connection=leased.connection_id, attempt=leased.attempt, outcome=outcome)

    async def _hold(self, leased: Leased, over: asyncio.Event) -> None:
        """Extend the lease repeatedly until the attempt is over; if the lease is lost, stop the attempt."""
        lease = self._settings.job_lease_seconds
        while not await _set_within(over, lease / HEARTBEATS):
            try:
                await leases.extend(self._db, leased, lease)
            except LeaseLost:
                leased.stopped.set()
                return
            except AWAY as refused:
                log.warning("lease_not_extended", job=leased.id, reason=type(refused).__name__)
            except Exception:  # the loop must not end before its job, whatever the error
                log.exception("lease_not_extended", job=leased.id)

    async def _repeat(self, periodic_task: PeriodicTask) -> None:
        while True:
            try:
                await periodic_task.act()
            except Exception:  # the border of a loop that must not end
                log.exception("duty_failed", periodic_task=periodic_task.name)
            if await _set_within(self._stopping, periodic_task.every_seconds):
                return


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event is set within so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait until tasks have ended, with or without an error."""
    if tasks:
        await asyncio.wait(set(tasks))


async def _suppressing_errors(work: Awaitable[None]) -> None:
    try:
        await work
    except AWAY as refused:
        log.warning("jobs_not_read", reason=type(refused).__name__)
    except Exception:  # the border of a loop that must not end
        log.exception("jobs_not_read")
