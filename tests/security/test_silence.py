"""Warehouses that fall silent keep no place, whatever call hangs in them, and hold up no other connection.

Each test asks all of its engines at once. Bounds are generous: a call that is not ended lasts for minutes, or for ever.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from moorings import dialects, errors
from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Target
from moorings.settings import Settings
from moorings.testing.engines import Warehouse
from tests.security.servers.silence import Silence, silence
from tests.unit.engine.broken import Broken
from tests.unit.engine.broken import Config as BrokenConfig
from tests.warehouses.bigquery.server import account
from tests.warehouses.engines import under

CONNECT_SECONDS = 2.0
SECONDS = 40.0
"""The longest that anything may take beyond its deadline: ten seconds by its rules, and what a busy machine adds."""
STANDSTILL_SECONDS = 10.0
"""A driver that waits with Python's lock held stops everything for longer."""

LOGIN = {"username": "someone", "passwordUnencrypted": "password", "database": "app"}
ON_HTTP = {"username": None, "warehouse": "/sql/1.0/warehouses/0", "sslMode": "require"}
BODIES: dict[str, Callable[[int], dict[str, Any]]] = {
    **dict.fromkeys(("postgres", "redshift", "databricks_lakebase", "exasol", "sap_hana", "clickhouse"), lambda _: {}),
    **dict.fromkeys(("mysql", "mariadb", "starrocks"), lambda _: {}),
    "mssql": lambda _: {"defaultSchema": "dbo"},
    "oracle": lambda _: {"acceptsLicense": True},
    "trino": lambda _: {"database": "memory"},
    "databricks": lambda _: ON_HTTP,
    "athena": lambda port: {
        "region": "us-east-1",
        "resultsLocation": "s3://bucket/results",
        "hostOverride": f"http://127.0.0.1:{port}",
        **dict.fromkeys(("host", "port", "database")),
    },
    "bigquery": lambda port: {
        "hostOverride": f"bigquery=http://127.0.0.1:{port}, storage=http://127.0.0.1:{port}",
        "passwordUnencrypted": account(),
        **dict.fromkeys(("host", "port", "database", "username")),
    },
    "snowflake": lambda _: {"host": None, "hostOverride": "127.0.0.1", "warehouse": "wh"},
}
"""Dialect → what its connections need to reach a port, beside host, port and LOGIN."""
BEHIND = ("postgres", "redshift", "mariadb", "mssql", "clickhouse", "trino", "databricks", "exasol", "sap_hana")
"""Engines that are reached by the one port that the connection names: silence may fall at any time."""
STREAMING = ("postgres", "mariadb", "clickhouse", "mssql", "sap_hana")
"""One of each kind of driver: native ones, an event loop of Python's, HTTP."""
ROWS = {"mssql": 200_000, "sap_hana": 200_000}
"""How many rows stubs in Python send: more than buffers hold."""

Servers = Callable[[str], Warehouse]


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Servers:
    """Dialect → its engine, which runs from when it is first asked for."""

    def server(dialect: str) -> Warehouse:
        row = under(dialect)
        return Warehouse(row, request.getfixturevalue(str(row.server)), tmp_path_factory.mktemp(dialect))

    return server


@asynccontextmanager
async def engine_of(directory: Path, **given: Any) -> AsyncGenerator[Engine]:
    """An engine whose event loop never stands still meanwhile."""
    settings = {"data_dir": directory, "duckdb_dir": directory, "connect_timeout_seconds": CONNECT_SECONDS}
    engine = Engine(Settings(_env_file=None, **(settings | given)))
    gaps: list[float] = []
    beating = asyncio.ensure_future(_beat(gaps))
    try:
        yield engine
        assert max(gaps, default=0) < STANDSTILL_SECONDS, "the event loop stood still"
    finally:
        beating.cancel()
        await engine.close()


async def _beat(gaps: list[float]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.1)
        gaps.append(time.monotonic() - began)


async def all_of(work: Callable[[Any], Awaitable[None]], cases: Sequence[Any], names: Sequence[str]) -> None:
    """Do the same for each case at once; what fails says which case it was."""
    faults: list[Exception] = []
    for name, found in zip(names, await asyncio.gather(*map(work, cases), return_exceptions=True), strict=True):
        if isinstance(found, Exception):
            found.add_note(f"with {name}")
            faults.append(found)
        elif found is not None:
            raise found
    if faults:
        raise ExceptionGroup("silence was not borne", faults)


async def comes(what: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until something is so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it never came"
        await asyncio.sleep(0.02)


async def heard(work: Awaitable[Any], within: float) -> errors.MooringsError | None:
    """What was raised, within so many seconds and what a busy machine adds."""
    began = time.monotonic()
    try:
        await work
    except errors.MooringsError as fault:
        return fault
    finally:
        assert time.monotonic() - began < within + SECONDS
    return None


async def read(
    engine: Engine, target: Target, sql: str, *, then: Callable[[], None] = bool, seconds: float = 1
) -> None:
    """Run a statement to its end; after its first batch something may happen."""
    async with engine.lease(target) as lease:
        await lease.open(Statement(sql, timeout_seconds=seconds))
        while await lease.pull(lambda batch: batch) is not None:
            then()


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    """From the first byte on; the egress rules and our own resolver are done with by then."""

    async def work(dialect: str) -> None:
        with silence() as server:
            place = {"name": "silent", "host": "127.0.0.1", "port": server.port}
            body = {"dialect": dialect, **place, **LOGIN, **BODIES[dialect](server.port)}
            named = dialects.named(dialect)
            config = named.Config.read({name: value for name, value in body.items() if value is not None})
            settings = {"google_sts_url": f"http://127.0.0.1:{server.port}/sts"} if dialect == "bigquery" else {}
            async with engine_of(tmp_path, **settings) as engine:
                began = time.monotonic()
                report = await engine.test(named, config)
                assert time.monotonic() - began < SECONDS
                assert server.dialled
                assert report.failure is not None
                assert report.failure.code in ("connect_timeout", "session_lost", "warehouse_slow", "unknown"), (
                    report.failure
                )
                await comes(lambda: not engine.sessions())
                await comes(lambda: not engine.abandoned())

    asyncio.run(all_of(work, list(BODIES), list(BODIES)))


class TestEachCall:
    """What hangs in a session that is open already."""

    def test_a_statement(self, servers: Servers, tmp_path: Path) -> None:
        async def work(engine: Engine, target: Target, server: Silence, warehouse: Warehouse) -> None:
            async def asking() -> None:
                async with engine.lease(target) as lease:
                    server.fall()
                    await lease.open(Statement(warehouse.sql.many.format(rows=10), timeout_seconds=1))

            assert isinstance(await heard(asking(), 1), errors.QueryTimeout)

        self.run(servers, tmp_path, work, BEHIND)

    def test_a_ping(self, servers: Servers, tmp_path: Path) -> None:
        async def work(engine: Engine, target: Target, server: Silence, warehouse: Warehouse) -> None:
            await read(engine, target, warehouse.sql.many.format(rows=1), seconds=60)
            await comes(lambda: engine.sessions()["silent"].idle == 1)
            await asyncio.sleep(2.1)  # an idle session is tried before it is used
            server.fall()
            fault = await heard(read(engine, target, "SELECT 1"), CONNECT_SECONDS)
            assert isinstance(fault, errors.SessionLost)

        self.run(servers, tmp_path, work, STREAMING)

    @pytest.mark.parametrize("trickle", [None, 0.2], ids=["silent", "a byte now and then"])
    def test_a_fetch(self, servers: Servers, tmp_path: Path, trickle: float | None) -> None:
        async def work(engine: Engine, target: Target, server: Silence, warehouse: Warehouse) -> None:
            rows = ROWS.get(warehouse.under.dialect, 2_000_000)
            sql = warehouse.sql.many.format(rows=rows)
            fault = await heard(read(engine, target, sql, then=server.fall, seconds=8), 8)
            assert isinstance(fault, errors.QueryTimeout)

        self.run(servers, tmp_path, work, STREAMING, trickle=trickle)

    def test_a_login_that_trickles(self, servers: Servers, tmp_path: Path) -> None:
        async def work(engine: Engine, target: Target, server: Silence, _: Warehouse) -> None:
            server.fall()
            fault = await heard(read(engine, target, "SELECT 1"), CONNECT_SECONDS)
            assert isinstance(fault, errors.ConnectTimeout)

        self.run(servers, tmp_path, work, STREAMING, trickle=0.2)

    def test_what_is_left_behind(self, servers: Servers, tmp_path: Path) -> None:
        """The cancel, the reset and the logout of a client that leaves."""

        async def work(engine: Engine, target: Target, server: Silence, warehouse: Warehouse) -> None:
            async with engine.lease(target) as lease:
                rows = ROWS.get(warehouse.under.dialect, 2_000_000)
                await lease.open(Statement(warehouse.sql.many.format(rows=rows), timeout_seconds=60))
                await lease.pull(lambda batch: batch)
                server.fall()

        self.run(servers, tmp_path, work, STREAMING)

    def test_a_statement_that_was_prepared(self, servers: Servers, tmp_path: Path) -> None:
        """Drivers tell the server when such a statement is freed, some while they hold Python's lock."""

        async def work(engine: Engine, target: Target, server: Silence, warehouse: Warehouse) -> None:
            async with engine.lease(target) as lease:
                await lease.open(Statement(warehouse.sql.echo, ("x",), timeout_seconds=60))
                while await lease.pull(lambda batch: batch) is not None:
                    pass
                server.fall()

        self.run(servers, tmp_path, work, BEHIND)

    def run(
        self, servers: Servers, directory: Path, work: Callable[..., Awaitable[None]], named: Sequence[str], **how: Any
    ) -> None:
        """Try it with each engine: its places are free within seconds, and its connections are hung up."""

        async def trying(warehouse: Warehouse) -> None:
            assert warehouse.server is not None
            behind = ("127.0.0.1", warehouse.server.port)
            async with engine_of(directory, **warehouse.settings) as engine:
                with silence(behind, **how) as server:
                    target = Target("silent", 1, warehouse.dialect, warehouse.config(port=server.port))
                    await work(engine, target, server, warehouse)
                    await comes(lambda: not any(count.in_use for count in engine.sessions().values()))
                    await engine.drop("silent")
                    await comes(lambda: not engine.sessions())
                    await comes(lambda: not server.open and not engine.abandoned())

        asyncio.run(all_of(trying, [servers(name) for name in named], named))


QUICK = Broken("", RuntimeError())
QUICK_CONFIG = BrokenConfig()


def _silent(server: Silence, revision: int = 1) -> Target:
    postgres = dialects.named("postgres")
    body = {"dialect": "postgres", "name": "silent", "host": "127.0.0.1", "port": server.port, **LOGIN}
    return Target("silent", revision, postgres, postgres.Config.read(body))


class TestOthers:
    """A connection that hangs leaves places for others."""

    def test_tests_that_hang_leave_places_for_others(self, tmp_path: Path) -> None:
        async def work() -> None:
            async with engine_of(tmp_path, pool_wait_seconds=0.2) as engine:
                with silence() as server:
                    silent = _silent(server)
                    tests = [engine.test(silent.dialect, silent.config, "silent") for _ in range(8)]
                    hanging = [asyncio.ensure_future(test) for test in tests]
                    await comes(lambda: server.dialled >= 4)
                    assert (await engine.test(QUICK, QUICK_CONFIG, "other")).success
                    found = await asyncio.gather(*hanging, return_exceptions=True)
                    refused = [each for each in found if isinstance(each, errors.Saturated)]
                    assert len(refused) == 4
                    assert "MOORINGS_MAX_TESTS" in refused[0].message
                    await comes(lambda: not engine.sessions() and not server.open)

        asyncio.run(work())

    def test_sessions_of_every_revision_count_for_their_connection(self, tmp_path: Path) -> None:
        async def work() -> None:
            caps = {"pool_size": 64, "max_sessions": 8, "pool_wait_seconds": 0.2}
            async with engine_of(tmp_path, **caps) as engine:
                with silence() as server:
                    leases = [
                        heard(read(engine, _silent(server, revision), "SELECT 1"), CONNECT_SECONDS)
                        for revision in range(1, 17)
                    ]
                    hanging = [asyncio.ensure_future(lease) for lease in leases]
                    await comes(lambda: server.dialled >= 6)
                    async with engine.lease(Target("other", 1, QUICK, QUICK_CONFIG)):
                        pass
                    found = await asyncio.gather(*hanging)
                    refused = [fault for fault in found if isinstance(fault, errors.Saturated)]
                    assert len(refused) == 10
                    assert "MOORINGS_MAX_SESSIONS" in refused[0].message
                    await comes(lambda: not engine.sessions() and not server.open)

        asyncio.run(work())


class TestAbandoned:
    """Threads that nothing ends, as in a driver that waits for itself."""

    def test_they_give_their_places_back_and_are_counted(self, tmp_path: Path) -> None:
        async def work() -> None:
            wait = Waiting()
            hang = Broken("", RuntimeError(), wait)
            caps = {"max_abandoned_threads": 8, "pool_wait_seconds": 0.2}
            async with engine_of(tmp_path, connect_timeout_seconds=0.1, **caps) as engine:
                for report in await asyncio.gather(*(engine.test(hang, QUICK_CONFIG, "stuck") for _ in range(2))):
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
            caps = {"max_abandoned_threads": 2, "pool_wait_seconds": 0.2}
            async with engine_of(tmp_path, connect_timeout_seconds=0.1, **caps) as engine:
                await asyncio.gather(*(engine.test(hang, QUICK_CONFIG, name) for name in ("one", "two")))
                await comes(lambda: engine.abandoned() == 2)
                with pytest.raises(errors.Saturated, match="MOORINGS_MAX_ABANDONED_THREADS"):
                    await engine.test(QUICK, QUICK_CONFIG, "other")
                wait.over()
                await comes(lambda: not engine.abandoned())

        asyncio.run(work())


class TestNestedViews:
    """Each view names the one before twice, so that the plan doubles with each: no text shows that."""

    def test_their_planning_ends_at_the_deadline(self, tmp_path: Path) -> None:
        async def work() -> None:
            with duckdb.connect(str(tmp_path / "views.duckdb")) as made:
                made.execute("CREATE VIEW v0 AS SELECT 1 AS x")
                for number in range(1, 12):
                    made.execute(f"CREATE VIEW v{number} AS SELECT l.x FROM v{number - 1} l, v{number - 1} r")
            dialect = dialects.named("duckdb")
            config = dialect.Config.model_validate({"database": "views.duckdb", "read_only": True})
            target = Target("views", 1, dialect, config)
            async with engine_of(tmp_path) as engine:
                many = ", ".join(f"v11 t{number}" for number in range(64))
                fault = await heard(read(engine, target, f"SELECT count(*) FROM {many}"), 1)
                assert isinstance(fault, errors.WarehouseError)
                await comes(lambda: not engine.abandoned())
                await read(engine, target, "SELECT 1 AS a", seconds=30)

        asyncio.run(work())


class Waiting:
    """A call that does not come back until it is over."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.over = self._event.set

    def __call__(self) -> object:
        return self._event.wait(60)
