"""The worker: leases due jobs, runs them, and does what else is due from time to time.

It lives in the event loop of its process, inside `serve` or alone in `moorings worker`; any number of them may look at
one database, since leases decide who runs what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from moorings import clock
from moorings.api import metrics
from moorings.db import Database
from moorings.engine.service import Engine
from moorings.errors import LeaseLost, MooringsError
from moorings.jobs import leases, refresh
from moorings.jobs.leases import Leased
from moorings.jobs.refresh import Patience
from moorings.queries import owners
from moorings.secrets import Keyset
from moorings.settings import Settings

log = structlog.get_logger(__name__)

HEARTBEATS = 3
"""How many times a lease is extended before it would expire: so many may fail but one."""

AWAY = (SQLAlchemyError, OSError, MooringsError)
"""What a metadata database raises that is away; it is looked for again."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that every worker does from time to time, beside jobs; whatever it raises is logged."""

    name: str
    every_seconds: float
    act: Callable[[], Awaitable[None]]


class Worker:
    """Runs jobs while it is started. `wake` is set by whoever has asked for a job in this process."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        keyset: Keyset,
        settings: Settings,
        *,
        wake: asyncio.Event,
        duties: Sequence[Duty] = (),
    ) -> None:
        self._db = db
        self._engine = engine
        self._keyset = keyset
        self._settings = settings
        self._wake = wake
        self._duties = duties
        self._owner = owners.this_process()
        self._patience = Patience(settings.job_attempts, settings.job_pause_seconds)
        self._loops: list[asyncio.Task[None]] = []
        self._jobs: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Look for jobs from now on."""
        self._loops.append(asyncio.create_task(self._look()))
        self._loops += [asyncio.create_task(_repeat(duty)) for duty in self._duties]

    async def close(self) -> None:
        """Stop at once: what runs is stopped in its warehouse, and given up for another worker to take over."""
        await _cancelled(*self._loops, *self._jobs)
        await _quietly(leases.give_up(self._db, self._owner))

    async def _look(self) -> None:
        await _quietly(leases.give_up_dead(self._db))
        while True:
            self._wake.clear()
            await _quietly(self._fill())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.worker_poll_seconds)

    async def _fill(self) -> None:
        """Begin jobs as long as there are due ones, and places."""
        lease, attempts = self._settings.job_lease_seconds, self._settings.job_attempts
        while len(self._jobs) < self._settings.worker_jobs:
            leased = await leases.take(self._db, self._owner, lease, attempts)
            if leased is None:
                return
            task = asyncio.create_task(self._run(leased))
            self._jobs.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._jobs.discard(task)
        self._wake.set()

    async def _run(self, leased: Leased) -> None:
        """One attempt, with the lease held all the while."""
        began, outcome = clock.monotonic(), "lost"
        attempt = asyncio.ensure_future(refresh.attempt(self._db, self._engine, self._keyset, leased, self._patience))
        holding = asyncio.ensure_future(self._hold(leased))
        try:
            await asyncio.wait({attempt, holding}, return_when=asyncio.FIRST_COMPLETED)
            if attempt.done():
                outcome = await attempt
        except LeaseLost:
            pass
        except (
            AWAY
        ) as refused:  # not even the failure could be stored: the lease expires, and then somebody tries again
            log.warning("job_not_settled", job=leased.id, reason=type(refused).__name__)
        finally:
            await _cancelled(attempt, holding)
        metrics.jobs.observe(outcome, clock.monotonic() - began)
        log.info("job", job=leased.id, connection=leased.connection_id, attempt=leased.attempt, outcome=outcome)

    async def _hold(self, leased: Leased) -> None:
        """Extend the lease again and again; ends when it is lost."""
        while True:
            await asyncio.sleep(self._settings.job_lease_seconds / HEARTBEATS)
            try:
                await leases.extend(self._db, leased, self._settings.job_lease_seconds)
            except LeaseLost:
                return
            except AWAY as refused:
                log.warning("lease_not_extended", job=leased.id, reason=type(refused).__name__)


async def _repeat(duty: Duty) -> None:
    while True:
        try:
            await duty.act()
        except Exception:  # the border of a loop that must not end
            log.exception("duty_failed", duty=duty.name)
        await asyncio.sleep(duty.every_seconds)


async def _quietly(work: Awaitable[None]) -> None:
    try:
        await work
    except AWAY as refused:
        log.warning("jobs_not_read", reason=type(refused).__name__)
    except Exception:  # the border of a loop that must not end
        log.exception("jobs_not_read")


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what still runs, and wait until it has ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
