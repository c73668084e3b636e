"""Drivers that can hold the interpreter's lock have processes of their own: these are killed, and hold up nobody."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.dialects.introspection import Plan, Scope
from moorings.engine.process import messages
from moorings.engine.process.session import CHILD
from moorings.engine.service import Engine, Target
from moorings.testing.engines import SENTINEL, Server, Warehouse
from tests.security.locking import Config, Locking
from tests.security.servers.silence import Silence, silence
from tests.security.test_silence import comes, engine_of, heard, read
from tests.warehouses.engines import under

ROOT = Path(__file__).parents[2]
MAX_PAUSE_SECONDS = 0.5
"""A driver that holds the lock stops the event loop for as long as it waits; a busy machine, for much less."""
SECONDS = 12.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def processes(parent: int | None = None) -> list[int]:
    """The processes of sessions that a process has started: this one's, unless given."""
    target = parent or os.getpid()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if is_session(pid, target)]


def is_session(pid: int, parent: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return f"PPid:\t{parent}\n" in status and CHILD in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def shown(pid: int) -> bytes:
    """What every process of the same user can read of a process."""
    return b"".join(Path(f"/proc/{pid}/{what}").read_bytes() for what in ("environ", "cmdline"))


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def target(warehouse: Warehouse, server: Silence) -> Target:
    return Target("silent", 1, warehouse.dialect, warehouse.config(port=server.port))


async def is_free(engine: Engine, server: Silence) -> None:
    """Every place is free within seconds, the server's side of every connection was hung up, and nothing hangs."""
    await comes(lambda: not engine.sessions(), SECONDS)
    await comes(lambda: not server.open and not engine.abandoned(), SECONDS)


@asynccontextmanager
async def beating() -> AsyncGenerator[None]:
    """A block in which the event loop never stops for long."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    task = asyncio.ensure_future(beat())
    try:
        yield
    finally:
        task.cancel()
    assert longest < MAX_PAUSE_SECONDS


@pytest.fixture
def hana(sap_hana_server: Server, tmp_path: Path) -> Warehouse:
    return Warehouse(under("sap_hana"), sap_hana_server, tmp_path)


Work = Callable[[Engine, Silence], Awaitable[None]]


class TestSapHana:
    """A server that is silent from some point on."""

    @pytest.mark.parametrize("enough", [0, 1, 200, 2600])
    def test_during_the_login(self, hana: Warehouse, tmp_path: Path, enough: int) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            report = await engine.test(hana.dialect, target(hana, server).config)
            assert report.failure is not None
            assert report.failure.code == "connect_timeout"

        self.run(hana, tmp_path, work, enough=enough)

    def test_at_a_query(self, hana: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            async def asking() -> None:
                async with engine.lease(target(hana, server)) as lease:
                    server.fall()
                    await lease.open(Statement("SELECT CAST(? AS NVARCHAR) AS a", ["b"], timeout_seconds=1))

            assert isinstance(await heard(asking(), SECONDS), errors.QueryTimeout)

        self.run(hana, tmp_path, work)

    def test_between_rows(self, hana: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            many = hana.sql.many.format(rows=2_000_000)
            reading = read(engine, target(hana, server), many, then=server.fall, seconds=4)
            assert isinstance(await heard(reading, SECONDS), errors.QueryTimeout)

        self.run(hana, tmp_path, work)

    def test_when_a_client_leaves(self, hana: Warehouse, tmp_path: Path) -> None:
        async def work(engine: Engine, server: Silence) -> None:
            async with engine.lease(target(hana, server)) as lease:
                await lease.open(Statement(hana.sql.many.format(rows=2_000_000), timeout_seconds=60))
                await lease.pull(lambda batch: batch)
                server.fall()

        self.run(hana, tmp_path, work)

    def run(self, hana: Warehouse, directory: Path, work: Work, **how: Any) -> None:
        assert hana.server is not None
        port = hana.server.port

        async def running() -> None:
            async with engine_of(directory) as engine:
                with silence(("127.0.0.1", port), **how) as server:
                    async with beating():
                        await work(engine, server)
                        await is_free(engine, server)
            assert processes() == []

        asyncio.run(running())


class TestADriverThatHoldsTheLock:
    @pytest.mark.parametrize("stage", ["login", "query", "fetch", "reset", "close"])
    def test_holds_up_nobody(self, tmp_path: Path, stage: str) -> None:
        async def work() -> None:
            async with engine_of(tmp_path) as engine, beating():
                target = Target("holding", 1, Locking(), Config(hangs_at=stage))
                await heard(read(engine, target, "SELECT 1"), SECONDS)
                await engine.drop("holding")
                await comes(lambda: not engine.sessions())
                await comes(lambda: not processes())
                assert not engine.abandoned()

        asyncio.run(work())

    def test_ends_with_a_service_that_is_killed(self) -> None:
        script = (
            "from tests.security.locking import *; from moorings.engine.process.session import ProcessSession\n"
            "session = ProcessSession(); session.start(); print('started', flush=True)\n"
            "session.open(Locking(), Config(hangs_at='login'), SessionContext())"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as service:
            assert service.stdout is not None
            assert service.stdout.readline() == b"started\n"
            (process,) = processes(service.pid)
            time.sleep(0.5)  # in which it begins to hold the lock
            service.send_signal(signal.SIGKILL)
        asyncio.run(comes(lambda: not alive(process)))


class TestTheProcess:
    def test_has_no_secret_in_its_environment_or_arguments(
        self, hana: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MOORINGS_BOOTSTRAP_TOKEN", "of-the-service-alone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-shell-alone")

        async def work() -> None:
            target = Target("one", 1, hana.dialect, hana.config())
            async with engine_of(tmp_path) as engine, engine.lease(target):
                (process,) = processes()
                seen = shown(process)
            assert b"PATH=" in seen
            for secret in (SENTINEL, "of-the-service-alone", "of-the-shell-alone"):
                assert secret.encode() not in seen

        asyncio.run(work())

    def test_is_gone_when_it_is_killed_and_another_one_comes(self, hana: Warehouse, tmp_path: Path) -> None:
        async def work() -> None:
            async with engine_of(tmp_path) as engine:
                target = Target("one", 1, hana.dialect, hana.config())
                async with engine.lease(target) as lease:
                    os.kill(processes()[0], signal.SIGKILL)
                    with pytest.raises(errors.SessionLost):
                        await lease.open(Statement("SELECT 1 FROM DUMMY"))
                await read(engine, target, "SELECT 1 FROM DUMMY", seconds=20)

        asyncio.run(work())

    def test_answers_as_the_driver_does(self, tmp_path: Path) -> None:
        async def work() -> None:
            target = Target("one", 1, Locking(), Config())
            async with engine_of(tmp_path) as engine, engine.lease(target) as lease:
                (table,) = await lease.ask(lambda session: session.tables(Scope()), 5)
                assert (table.name, table.columns[0].native_type) == ("found", "INT")
                assert await lease.plan(Statement("SELECT")) == Plan("planned", 7)
                schema = await lease.open(Statement("SELECT"))
                batches = [await lease.pull(lambda batch: batch) for _ in range(3)]
                assert schema.names == ["number", "word"]
                assert [batch and batch.to_pydict() for batch in batches] == [
                    {"number": [1, 2, 3], "word": ["a", "b", "a"]},
                    {"number": [4, 5, 6], "word": ["a", "b", "a"]},
                    None,
                ]
                with pytest.raises(errors.StatementRefused, match="No") as refused:
                    await lease.open(Statement("refused"))
                assert (refused.value.fields, refused.value.detail) == (("database",), "really")

        asyncio.run(work())

    def test_redacts_what_its_driver_says(self, tmp_path: Path) -> None:
        async def work() -> None:
            async with engine_of(tmp_path) as engine:
                target = Target("one", 1, Locking(), Config(password=SENTINEL))
                async with engine.lease(target) as lease:
                    with pytest.raises(errors.UnknownFault) as fault:
                        await lease.open(Statement("broken", [f"no {SENTINEL} here"]))
            assert fault.value.detail == "no *** here"

        asyncio.run(work())

    def test_can_send_nothing_but_data(self) -> None:
        for forbidden in (os.system, subprocess.Popen, errors.UnknownFault, Statement("")):
            with pytest.raises(pickle.UnpicklingError):
                messages.data(pickle.dumps((forbidden,)))
        assert messages.data(pickle.dumps((Plan("fine"), None, True))) == (Plan("fine"), None, True)
