"""A lease is held for as long as its job runs, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from moorings.worker import Worker


class FaultyDatabase:
    """A database that nobody expects to fail as it does; the job is over with the second attempt to write."""

    def __init__(self) -> None:
        self.over, self.attempts = asyncio.Event(), 0

    def unit_of_work(self) -> Any:
        self.attempts += 1
        if self.attempts == 2:
            self.over.set()
        raise RuntimeError("a fault of ours")


def test_a_heartbeat_outlives_what_nobody_expected() -> None:
    database: Any = FaultyDatabase()
    settings: Any = SimpleNamespace(job_lease_seconds=0.03, job_attempts=1, job_pause_seconds=0, webhook_url=None)
    nothing: Any = None
    leased: Any = SimpleNamespace(id="job", stopped=asyncio.Event())
    worker = Worker(database, nothing, nothing, settings, wake=asyncio.Event())
    asyncio.run(asyncio.wait_for(worker._hold(leased, database.over), 5))
    assert database.attempts == 2
    assert not leased.stopped.is_set()
