"""Statements that are stopped, by drivers that do with a cancel what a test wants."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Lease, Target
from moorings.settings import Settings
from tests.unit.engine.broken import Broken, BrokenSession, Config

SCHEMA = pa.schema([("x", pa.int32())])


class Halting(BrokenSession):
    """A session whose results halt after their first row, until `go` is set; every reset succeeds."""

    def __init__(self, name: str, go: threading.Event, *, obeys: bool) -> None:
        super().__init__("", RuntimeError())
        self.id, self._go, self._obeys = name, go, obeys

    def query(self, statement: Any) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(SCHEMA, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch([pa.array([1], pa.int32())], SCHEMA)
        self._go.wait()

    def cancel(self) -> None:
        if self._obeys:
            self._go.set()

    def reset(self) -> bool:
        return True


class HaltingDialect(Broken):
    """Logs in to sessions with names of their own; a driver that `obeys` ends a cancelled result in peace."""

    def __init__(self, *, obeys: bool) -> None:
        super().__init__("", RuntimeError())
        self.go, self._obeys, self._numbers = threading.Event(), obeys, itertools.count(1)

    def connect(self, config: Any, context: Any) -> Halting:
        return Halting(f"session {next(self._numbers)}", self.go, obeys=self._obeys)


def inside(work: Callable[[Engine, Target], Awaitable[None]], dialect: HaltingDialect) -> None:
    async def running() -> None:
        engine = Engine(Settings(_env_file=None, data_dir=Path("unused")))
        try:
            await asyncio.wait_for(work(engine, Target("one", 1, dialect, Config())), 30)
        finally:
            dialect.go.set()
            await engine.close()

    asyncio.run(running())


async def halted(lease: Lease) -> asyncio.Task[Any]:
    """A result of which one row came, and a second pull that waits."""
    await lease.open(Statement("SELECT"))
    assert await lease.pull(lambda batch: batch) is not None
    waiting = asyncio.ensure_future(lease.pull(lambda batch: batch))
    await asyncio.sleep(0)
    return waiting


async def settled(engine: Engine) -> None:
    """Wait until every session is idle or gone."""
    while any(count.in_use for count in engine.sessions().values()):  # noqa: ASYNC110  # nothing tells
        await asyncio.sleep(0.01)


class TestCancel:
    def test_the_caller_hears_of_it_although_the_driver_ignores_it(self) -> None:
        async def work(engine: Engine, target: Target) -> None:
            async with engine.lease(target) as lease:
                waiting = await halted(lease)
                await lease.cancel()
                with pytest.raises(errors.QueryCancelled):
                    await waiting

        inside(work, HaltingDialect(obeys=False))

    def test_a_session_that_was_stopped_is_not_given_to_the_next_caller(self) -> None:
        async def work(engine: Engine, target: Target) -> None:
            async with engine.lease(target) as lease:
                waiting, stopped = await halted(lease), lease.session_id
                await lease.cancel()
                with pytest.raises(errors.QueryCancelled):
                    await waiting
            await settled(engine)
            async with engine.lease(target) as lease:
                assert lease.session_id != stopped

        inside(work, HaltingDialect(obeys=True))

    def test_one_that_was_read_to_its_end_is(self) -> None:
        async def work(engine: Engine, target: Target) -> None:
            names = []
            for _ in range(2):
                async with engine.lease(target) as lease:
                    names.append(lease.session_id)
                await settled(engine)
            assert len(set(names)) == 1

        inside(work, HaltingDialect(obeys=True))
