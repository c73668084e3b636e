"""A lease is held for as long as its job runs, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from moorings.jobs import leases
from moorings.worker import Worker


def test_a_heartbeat_outlives_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    over, beats = asyncio.Event(), 0

    async def extend(*_: Any) -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            raise RuntimeError("a fault of ours")
        over.set()

    monkeypatch.setattr(leases, "extend", extend)
    settings: Any = SimpleNamespace(job_lease_seconds=0.03, job_attempts=1, job_pause_seconds=0)
    nothing: Any = None
    leased: Any = SimpleNamespace(id="job", stopped=asyncio.Event())
    worker = Worker(nothing, nothing, nothing, settings, wake=asyncio.Event())
    asyncio.run(asyncio.wait_for(worker._hold(leased, over), 5))
    assert beats == 2
    assert not leased.stopped.is_set()
