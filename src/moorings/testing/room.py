"""Moorings' engine in a loop of its own, and what tests ask of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Target, TestReport
from moorings.settings import Settings
from moorings.testing.engines import SENTINEL, Warehouse

STEPS = ["resolve", "connect", "tls", "authenticate", "database", "schemas", "query"]


def threads_of_sessions() -> list[threading.Thread]:
    """Every thread that was started for a session; the one that meters all calls of the process is none."""
    found = [thread for thread in threading.enumerate() if thread.name.startswith("moorings-")]
    return [thread for thread in found if thread.name != "moorings-meter"]


class Room:
    """An engine of Moorings' in a loop of its own, for a block of a test."""

    def __init__(self, engine: Engine, warehouse: Warehouse) -> None:
        self.engine = engine
        self.warehouse = warehouse

    def target(self, connection_id: str = "one", revision: int = 1, **changes: Any) -> Target:
        """The target to lease, with changes to the working Config."""
        return Target(connection_id, revision, self.warehouse.dialect, self.warehouse.config(**changes))

    async def rows(self, sql: str, *parameters: Any, target: Target | None = None, **how: Any) -> list[tuple[Any, ...]]:
        """Run a statement to its end; returns its rows."""
        rows: list[tuple[Any, ...]] = []
        async with self.engine.lease(target or self.target()) as lease:
            await lease.open(Statement(sql, parameters, **how))
            while (batch := await lease.pull(lambda batch: batch)) is not None:
                rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return rows

    async def settled(self) -> None:
        """Wait until every session is idle or gone."""
        await self.settled_but(0)

    async def settled_but(self, leased: int) -> None:
        """Wait until so many sessions are in use, and every other one is idle or gone."""
        async with asyncio.timeout(15):
            while sum(count.in_use for count in self.engine.sessions().values()) > leased:  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0.01)


def run_inside(warehouse: Warehouse, work: Callable[[Room], Awaitable[Any]], **settings: Any) -> Any:
    """Run `work(room)` in a new loop, and close the engine after it."""
    given: dict[str, Any] = {
        "_env_file": None,
        "data_dir": Path("unused"),
        "duckdb_dir": warehouse.directory,
        "connect_timeout_seconds": 3,
    }

    async def running() -> Any:
        engine = Engine(Settings(**(given | warehouse.settings | settings)))
        try:
            return await work(Room(engine, warehouse))
        finally:
            await engine.close()
            assert engine.sessions() == {}

    return asyncio.run(running())


def failed(report: TestReport, step: str, code: str, *fields: str) -> None:
    """Assert that exactly this step failed, those after it were skipped, and that nothing says the password."""
    assert [each.name for each in report.steps] == STEPS
    assert not report.success
    assert report.failure is not None
    assert (report.failure.name, report.failure.code) == (step, code)
    assert set(report.failure.fields) == set(fields)
    assert report.failure.message[0].isupper()
    after = report.steps[STEPS.index(step) + 1 :]
    assert {each.status for each in after} <= {"skipped"}
    for spelling in (SENTINEL, SENTINEL[:4], "wrong-pass"):
        assert spelling not in repr(report)


async def appears(warehouse: Warehouse, marker: str) -> None:
    """Wait until a statement runs in the server, as its own process list says."""
    await until(lambda: warehouse.running(marker) > 0)


async def disappears(warehouse: Warehouse, marker: str) -> None:
    """Wait until no such statement runs in the server any more."""
    await until(lambda: warehouse.running(marker) == 0)


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(happened):  # noqa: ASYNC110  # the server does not call us
            await asyncio.sleep(0.05)


async def ends(task: asyncio.Task[Any]) -> errors.WarehouseError | None:
    """Cancel a task, as a server does when the client has left; returns what it raised instead."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return None
    except errors.WarehouseError as error:
        return error
    return None
