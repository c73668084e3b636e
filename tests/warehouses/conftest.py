"""One suite, every engine of the table."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Target
from moorings.settings import Settings
from tests.warehouses.engines import ENGINES, Warehouse
from tests.warehouses.under import CONCEPTS, Under

Rows = Iterator[tuple[str, Any, list[str]]]


def threads_of_sessions() -> list[threading.Thread]:
    """Every thread that was started for a session; the one that meters all calls of the process is none."""
    found = [thread for thread in threading.enumerate() if thread.name.startswith("moorings-")]
    return [thread for thread in found if thread.name != "moorings-meter"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*abilities): what an engine must have; those that lack it say why")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "under" not in metafunc.fixturenames:
        return
    needed = [ability for mark in metafunc.definition.iter_markers("needs") for ability in mark.args]
    further = next((name for name in EACH if name in metafunc.fixturenames), None)
    cases = []
    for under in ENGINES:
        lacked = [under.lacks[ability] for ability in needed if ability in under.lacks]
        for name, value, reasons in EACH[further](under) if further else [("", None, [])]:
            marks = [pytest.mark.skip(reason=reason) for reason in lacked + reasons]
            values = (under, value) if further else (under,)
            cases.append(pytest.param(*values, id="-".join(filter(None, (under.dialect, name))), marks=marks))
    metafunc.parametrize(("under", further) if further else ("under",), cases, scope="module")


def _each_broken(under: Under) -> Rows:
    for broken in under.broken:
        yield broken.what, broken, [f"never: {broken.unproduced}"] if broken.unproduced else []


def _each_case(under: Under) -> Rows:
    for concept in CONCEPTS:
        case = under.sql.types[concept]
        yield concept, case, [case] if isinstance(case, str) else []


EACH: dict[str, Callable[[Under], Rows]] = {"broken": _each_broken, "case": _each_case}
"""Fixtures that take each row of an engine's tables in turn: name, value, and why it is not to be had."""


@pytest.fixture(scope="module")
def warehouse(under: Under, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The engine, running."""
    server = request.getfixturevalue(under.server) if under.server else None
    warehouse = Warehouse(under, server, tmp_path_factory.mktemp("duckdb"))
    if not warehouse.lacks("sql", "writes"):
        warehouse.ask("DROP TABLE IF EXISTS written", under.sql.written)
    return warehouse


class Room:
    """An engine of Moorings' in a loop of its own, for a block of a test."""

    def __init__(self, engine: Engine, warehouse: Warehouse) -> None:
        self.engine = engine
        self.warehouse = warehouse

    def target(self, connection_id: str = "one", revision: int = 1, **changes: Any) -> Target:
        """What to lease, with changes to the Config that works."""
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


@pytest.fixture
def inside(warehouse: Warehouse) -> Callable[..., Any]:
    """Run `work(room)` with an engine of the given settings; nothing of it may be left afterwards."""
    return lambda work, **settings: run_inside(warehouse, work, **settings)


def run_inside(warehouse: Warehouse, work: Callable[[Room], Awaitable[Any]], **settings: Any) -> Any:
    """Run `work(room)` in a new loop, and close the engine after it."""
    given = {"data_dir": Path("unused"), "duckdb_dir": warehouse.directory, "connect_timeout_seconds": 3}

    async def running() -> Any:
        engine = Engine(Settings(_env_file=None, **(given | warehouse.settings | settings)))
        try:
            return await work(Room(engine, warehouse))
        finally:
            await engine.close()
            assert engine.sessions() == {}

    return asyncio.run(running())
