"""Warehouses that fall silent keep no place, whatever call hangs in them, and hold up no other connection."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Target
from moorings.settings import Settings
from tests.security.servers.silence import Silence, silence
from tests.unit.engine.broken import Broken
from tests.unit.engine.broken import Config as BrokenConfig
from tests.warehouses.engines import ENGINES, Warehouse
from tests.warehouses.under import Under

SERVED = [under for under in ENGINES if under.server]
THROUGH_A_PORT = ("postgres", "redshift", "mariadb", "mssql", "clickhouse", "trino", "databricks", "exasol", "sap_hana")
"""Engines that are reached by the one port that the connection names."""
EACH_WAY = ("postgres", "mariadb", "clickhouse")
"""One of each kind of driver: native, an event loop of Python's, HTTP."""
CONNECT_SECONDS = 2.0
SECONDS = 12.0
"""The longest that any place may be held beyond its deadline: five for the cancel, two each to hurry and to sever."""


@pytest.fixture
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    under: Under = next(under for under in SERVED if under.dialect == request.param)
    return Warehouse(under, request.getfixturevalue(str(under.server)), tmp_path)


@asynccontextmanager
async def engine_of(directory: Path, **given: Any) -> AsyncGenerator[Engine]:
    settings = {"data_dir": directory, "duckdb_dir": directory, "connect_timeout_seconds": CONNECT_SECONDS}
    engine = Engine(Settings(_env_file=None, **(settings | given)))
    try:
        yield engine
    finally:
        await engine.close()


def behind(warehouse: Warehouse) -> tuple[str, int]:
    assert warehouse.server is not None
    return "127.0.0.1", warehouse.server.port


def target(warehouse: Warehouse, server: Silence, name: str = "silent", revision: int = 1) -> Target:
    return Target(name, revision, warehouse.dialect, warehouse.config(port=server.port))


async def comes(what: Callable[[], bool], seconds: float = SECONDS) -> float:
    """Wait until something is so; returns how long that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it never came"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def is_free(engine: Engine, server: Silence) -> None:
    """Every place is free within seconds, the server's side of every connection was hung up, and nothing hangs."""
    await comes(lambda: not engine.sessions())
    await comes(lambda: not server.open and not engine.abandoned())


async def heard(work: Awaitable[Any]) -> tuple[errors.MooringsError | None, float]:
    """What was raised, and after how many seconds."""
    began = time.monotonic()
    try:
        await work
    except errors.MooringsError as fault:
        return fault, time.monotonic() - began
    return None, time.monotonic() - began


async def read(
    engine: Engine, wanted: Target, sql: str, *, then: Callable[[], None] = bool, seconds: float = 1
) -> None:
    """Run a statement to its end; after its first batch something may happen."""
    async with engine.lease(wanted) as lease:
        await lease.open(Statement(sql, timeout_seconds=seconds))
        while await lease.pull(lambda batch: batch) is not None:
            then()


@pytest.mark.parametrize("warehouse", [under.dialect for under in SERVED], indirect=True)
def test_a_server_that_says_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_of(tmp_path) as engine:
            with silence() as server:
                began = time.monotonic()
                report = await engine.test(warehouse.dialect, target(warehouse, server).config)
                assert time.monotonic() - began < SECONDS
                if server.open or not report.success:  # some are not reached by the port at all
                    assert report.failure is not None
                    assert report.failure.code in ("connect_timeout", "session_lost", "unknown"), report.failure
                await comes(lambda: not engine.sessions())

    asyncio.run(work())


@pytest.mark.parametrize("warehouse", THROUGH_A_PORT, indirect=True)
def test_silence_after_the_login(warehouse: Warehouse, tmp_path: Path) -> None:
    async def work() -> None:
        async with engine_of(tmp_path) as engine:
            with silence(behind(warehouse)) as server:

                async def asking() -> None:
                    async with engine.lease(target(warehouse, server)) as lease:
                        server.fall()
                        await lease.open(Statement(warehouse.sql.many.format(rows=10), timeout_seconds=1))

                fault, seconds = await heard(asking())
                assert isinstance(fault, errors.QueryTimeout)
                assert seconds < SECONDS
                await comes(lambda: not engine.sessions())
                await comes(lambda: not engine.abandoned(), 30)  # drivers that try again take their time

    asyncio.run(work())


@pytest.mark.parametrize("warehouse", EACH_WAY, indirect=True)
class TestEachCall:
    def test_a_ping(self, warehouse: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            wanted = target(warehouse, server)
            await read(engine, wanted, "SELECT 1 AS one", seconds=30)
            await comes(lambda: engine.sessions()["silent"].idle == 1)
            await asyncio.sleep(2.1)  # an idle session is tried before it is used
            server.fall()
            fault, seconds = await heard(read(engine, wanted, "SELECT 1"))
            assert isinstance(fault, errors.SessionLost)
            assert seconds < CONNECT_SECONDS + 1

        self.run(warehouse, tmp_path, work)

    def test_a_fetch(self, warehouse: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            many = warehouse.sql.many.format(rows=2_000_000)
            fault, seconds = await heard(read(engine, target(warehouse, server), many, then=server.fall, seconds=3))
            assert isinstance(fault, errors.QueryTimeout)
            assert seconds < 3 + SECONDS

        self.run(warehouse, tmp_path, work)

    def test_bytes_that_trickle_are_no_sign_of_life(self, warehouse: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            many = warehouse.sql.many.format(rows=2_000_000)
            fault, seconds = await heard(read(engine, target(warehouse, server), many, then=server.fall, seconds=3))
            assert isinstance(fault, errors.QueryTimeout)
            assert seconds < 3 + SECONDS

        self.run(warehouse, tmp_path, work, trickle=0.2)

    def test_a_login_that_trickles(self, warehouse: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            server.fall()
            fault, seconds = await heard(read(engine, target(warehouse, server), "SELECT 1"))
            assert isinstance(fault, errors.ConnectTimeout)
            assert seconds < SECONDS

        self.run(warehouse, tmp_path, work, trickle=0.2)

    def test_what_is_left_behind(self, warehouse: Warehouse, tmp_path: Path) -> None:
        """The cancel, the reset and the logout of a client that leaves."""

        async def work(engine: Engine, server: Silence) -> None:
            async with engine.lease(target(warehouse, server)) as lease:
                await lease.open(Statement(warehouse.sql.many.format(rows=2_000_000), timeout_seconds=60))
                await lease.pull(lambda batch: batch)
                server.fall()

        self.run(warehouse, tmp_path, work)

    def run(self, warehouse: Warehouse, directory: Path, work: Callable[..., Awaitable[None]], **how: Any) -> None:
        async def running() -> None:
            async with engine_of(directory) as engine:
                with silence(behind(warehouse), **how) as server:
                    await work(engine, server)
                    await is_free(engine, server)

        asyncio.run(running())


QUICK = Broken("", RuntimeError())
QUICK_CONFIG = BrokenConfig()


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
class TestOthers:
    def test_tests_that_hang_leave_places_for_others(self, warehouse: Warehouse, tmp_path: Path) -> None:
        async def work() -> None:
            async with engine_of(tmp_path, connect_timeout_seconds=2, pool_wait_seconds=0.2) as engine:
                with silence() as server:
                    config = target(warehouse, server).config
                    tests = [engine.test(warehouse.dialect, config, "silent") for _ in range(8)]
                    hanging = [asyncio.ensure_future(test) for test in tests]
                    await asyncio.sleep(0.5)
                    assert (await engine.test(QUICK, QUICK_CONFIG, "other")).success
                    found = await asyncio.gather(*hanging, return_exceptions=True)
                    refused = [each for each in found if isinstance(each, errors.Saturated)]
                    assert len(refused) == 4
                    assert "MOORINGS_MAX_TESTS" in refused[0].message
                    await is_free(engine, server)

        asyncio.run(work())

    def test_sessions_of_every_revision_count_for_their_connection(self, warehouse: Warehouse, tmp_path: Path) -> None:
        async def work() -> None:
            caps = {"pool_size": 64, "max_sessions": 8, "pool_wait_seconds": 0.2}
            async with engine_of(tmp_path, connect_timeout_seconds=2, **caps) as engine:
                with silence() as server:
                    leases = [
                        heard(read(engine, target(warehouse, server, revision=number), "SELECT 1"))
                        for number in range(1, 17)
                    ]
                    hanging = [asyncio.ensure_future(lease) for lease in leases]
                    await asyncio.sleep(0.5)
                    async with engine.lease(Target("other", 1, QUICK, QUICK_CONFIG)):
                        pass
                    found = [fault for fault, _ in await asyncio.gather(*hanging)]
                    refused = [fault for fault in found if isinstance(fault, errors.Saturated)]
                    assert len(refused) == 10
                    assert "MOORINGS_MAX_SESSIONS" in refused[0].message
                    await is_free(engine, server)

        asyncio.run(work())


class TestAbandoned:
    """Threads that nothing ends, as in a driver that waits for itself."""

    def test_they_give_their_places_back_and_are_counted(self, tmp_path: Path) -> None:
        async def work() -> None:
            wait = Waiting()
            hang = Broken("", RuntimeError(), wait)
            async with engine_of(tmp_path, connect_timeout_seconds=0.1, max_abandoned_threads=8) as engine:
                for _ in range(2):
                    report = await engine.test(hang, QUICK_CONFIG, "stuck")
                    assert report.failure is not None
                    assert report.failure.code == "connect_timeout"
                await comes(lambda: not engine.sessions())
                assert engine.abandoned() == 2
                assert engine.hangs("stuck")
                with pytest.raises(errors.Saturated, match="MOORINGS_MAX_ABANDONED_THREADS"):
                    await engine.test(QUICK, QUICK_CONFIG, "stuck")
                assert (await engine.test(QUICK, QUICK_CONFIG, "other")).success
                wait.over()
                await comes(lambda: not engine.abandoned())
                assert (await engine.test(QUICK, QUICK_CONFIG, "stuck")).success

        asyncio.run(work())

    def test_beyond_the_cap_nobody_gets_a_session(self, tmp_path: Path) -> None:
        async def work() -> None:
            wait = Waiting()
            hang = Broken("", RuntimeError(), wait)
            async with engine_of(tmp_path, connect_timeout_seconds=0.1, max_abandoned_threads=2) as engine:
                await asyncio.gather(*(engine.test(hang, QUICK_CONFIG, name) for name in ("one", "two")))
                await comes(lambda: engine.abandoned() == 2)
                with pytest.raises(errors.Saturated, match="MOORINGS_MAX_ABANDONED_THREADS"):
                    await engine.test(QUICK, QUICK_CONFIG, "other")
                wait.over()
                await comes(lambda: not engine.abandoned())

        asyncio.run(work())


class Waiting:
    """A call that does not come back until it is over."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.over = self._event.set

    def __call__(self) -> object:
        return self._event.wait(60)
