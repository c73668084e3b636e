"""Drivers take nothing from the home and the environment of the service: a canary in each place stays untouched."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import Under, Warehouse
from tests.processes.conftest import Replica
from tests.security.canaries import FILES, Watch, traps
from tests.security.servers.redirecting import Canary, canary
from tests.terminal import Terminal
from tests.warehouses.engines import ENGINES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's inotify")

TOKEN = "organization-key-of-the-tests"
SETTINGS = {"BOOTSTRAP_TOKEN": TOKEN, "RATE_LIMIT": "0", "SAMPLE": "false", "HEALTH_PROBE_SECONDS": "0"}
NOT_LOGGED_IN = ("oracle",)
"""Dialects of which only a listener without a database runs here."""
SCRIPT = """
import json, os
from moorings.settings import Settings, leave_environment
leave_environment(Settings(_env_file=None))
print(json.dumps(dict(os.environ)))
"""


class Trapped(Terminal):
    """A terminal whose shell and home are full of canaries."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder)
        self.settings |= SETTINGS
        self.canaries = folder / "canaries"
        self.traps = traps(self.canaries, port)

    def environment(self, **settings: object) -> dict[str, str]:
        return super().environment(**settings) | self.traps


@dataclass(frozen=True)
class Trap:
    """What is watched while processes run in such a terminal."""

    terminal: Trapped
    watch: Watch
    listener: Canary

    def assert_untouched(self) -> None:
        """Assert that nobody opened a canary or dialled the listener since the last time."""
        assert self.watch.touched() == set()
        assert self.listener.visits == []


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    folder = tmp_path_factory.mktemp("trapped")
    with canary() as listener:
        terminal = Trapped(folder, listener.port)
        with Watch.below(folder / "canaries") as watch:
            yield Trap(terminal, watch, listener)


@contextlib.contextmanager
def served(trap: Trap, **settings: Any) -> Iterator[Replica]:
    """A service in such a terminal, for a block."""
    with trap.terminal.serving(**settings) as serving:
        replica = Replica(serving, TOKEN)
        with replica.client:
            yield replica


@pytest.fixture(scope="module")
def service(trap: Trap) -> Iterator[Callable[..., Replica]]:
    """A running service with the given settings; one at a time."""
    with contextlib.ExitStack() as stack:
        running: list[tuple[dict[str, Any], Replica]] = []

        def start(**settings: Any) -> Replica:
            if not running or running[0][0] != settings:
                stack.close()
                named = {name.upper(): value for name, value in settings.items()}
                running[:] = [(settings, stack.enter_context(served(trap, **named)))]
            return running[0][1]

        yield start


@pytest.mark.parametrize("under", ENGINES, ids=lambda under: under.dialect)
def test_a_test_and_a_query_touch_nothing(
    under: Under, trap: Trap, service: Callable[..., Replica], request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(under.server) if under.server else None
    files = trap.terminal.data / "duckdb"
    files.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(under, server, files)
    if server is None and not (files / "tested.duckdb").exists():
        warehouse.ask("SELECT 1")  # which makes it
    replica = service(**warehouse.settings)
    connection = replica.request("POST", "/connections", json=warehouse.body()).json()["data"]
    report = replica.request("POST", f"/connections/{connection}/test").json()
    assert report["success"] is not (under.dialect in NOT_LOGGED_IN), report
    if report["success"]:
        sql = under.sql.many.format(rows=2)
        answer = replica.request("POST", f"/connections/{connection}/query", json={"sql": sql})
        assert answer.status_code == 200, answer.text
    trap.assert_untouched()
    # SAP HANA's driver finds the home of its user past HOME, and maps a file of it into memory.
    assert "/.hdb/" not in Path(f"/proc/{replica.serving.process.pid}/maps").read_text()


def test_nor_do_a_worker_and_doctor(trap: Trap, tmp_path: Path, postgres_server: Any) -> None:
    body = Warehouse(next(row for row in ENGINES if row.dialect == "postgres"), postgres_server, tmp_path).body()
    with served(trap, WORKER="false") as replica:
        job = replica.request("POST", f"/connections/{replica.create(**body)}/refresh").json()["job_id"]
        with trap.terminal.working(WORKER_POLL_SECONDS=0.1):
            until = time.monotonic() + 30
            while (status := replica.request("GET", f"/jobs/{job}/status").json()["status"]) == "IN_PROGRESS":
                assert time.monotonic() < until
                time.sleep(0.05)
        assert status == "COMPLETED"
        looked = trap.terminal.run("doctor").stdout
        assert f"port: {trap.terminal.port} is served by Moorings" in looked
    trap.assert_untouched()


def test_the_watch_sees_who_opens_a_canary(trap: Trap) -> None:
    for name in FILES:
        path = trap.terminal.canaries / "home" / name
        subprocess.run(["cat", str(path)], capture_output=True, check=True)
        assert path in trap.watch.touched()


def test_nothing_is_left_for_drivers(trap: Trap) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=trap.terminal.environment(), capture_output=True, check=True, timeout=60
    )
    left = json.loads(answer.stdout)
    assert set(trap.terminal.traps) & set(left) == {"HOME"}
    assert left["HOME"] == str(trap.terminal.data / "home")
    assert left["PATH"] == os.environ["PATH"]


def test_the_home_of_the_service_is_empty_and_private(trap: Trap) -> None:
    with trap.terminal.serving():
        home = trap.terminal.data / "home"
        assert home.stat().st_mode & 0o777 == 0o700
        assert list(home.iterdir()) == []
