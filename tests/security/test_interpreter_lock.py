"""Drivers give the interpreter's lock away while they wait, or their sessions have a process of their own.

A native driver that holds the lock while its server is silent stops every thread of its process, the event loop and
what severs connections among them.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moorings import dialects
from moorings.testing.engines import Under, Warehouse
from tests.security import waiting
from tests.security.servers.silence import silence
from tests.security.test_silence import BEHIND
from tests.warehouses.engines import ENGINES

ROOT = Path(__file__).parents[2]
SERVED = [under for under in ENGINES if under.server]
SHARE_A_PROCESS = [name for name in BEHIND if not dialects.named(name).abilities.own_process]
NATIVE = [name for name in ("postgres", "mssql", "snowflake") if not dialects.named(name).abilities.own_process]
"""Drivers that wait for the login in native code, and so could hold the lock there."""
WAIT_SECONDS = 1.5
MAX_PAUSE_SECONDS = 1.0
"""A driver that holds the lock holds it for the whole wait."""


@pytest.fixture
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    under: Under = next(under for under in SERVED if under.dialect == request.param)
    return Warehouse(under, request.getfixturevalue(str(under.server)), tmp_path)


def longest_pause(warehouse: Warehouse, stage: str, directory: Path) -> float:
    """Seconds that the process of a waiting driver stood still."""
    times = directory / "times"
    times.write_bytes(bytes(waiting.TIMES.size))
    assert warehouse.server is not None
    with silence(None if stage == "login" else ("127.0.0.1", warehouse.server.port)) as server:
        config = warehouse.config(port=server.port)
        payload = pickle.dumps((warehouse.dialect.name, stage, warehouse.sql.many.format(rows=10), config))
        command = [sys.executable, "-m", "tests.security.waiting", str(times)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(payload)
            process.stdin.close()
            while (line := process.stdout.readline()) != b"begun\n":  # hdbcli writes a line of its own
                assert line, "it ended before the driver waited"
            server.fall()
            time.sleep(WAIT_SECONDS)
            assert process.poll() is None, "the driver did not wait"
            last, longest = waiting.TIMES.unpack(times.read_bytes())
            return max(longest, time.monotonic_ns() - last) / 1e9
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.mark.parametrize("warehouse", SHARE_A_PROCESS, indirect=True)
def test_a_query_lets_other_threads_run(warehouse: Warehouse, tmp_path: Path) -> None:
    assert longest_pause(warehouse, "query", tmp_path) < MAX_PAUSE_SECONDS


@pytest.mark.parametrize("warehouse", NATIVE, indirect=True)
def test_a_login_lets_other_threads_run(warehouse: Warehouse, tmp_path: Path) -> None:
    assert longest_pause(warehouse, "login", tmp_path) < MAX_PAUSE_SECONDS


@pytest.mark.parametrize("warehouse", ["sap_hana"], indirect=True)
def test_sap_hanas_driver_holds_the_lock_when_it_drops_a_prepared_statement(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Why its sessions have processes of their own; and that this test can see it."""
    assert warehouse.dialect.abilities.own_process
    assert longest_pause(warehouse, "drop", tmp_path) > MAX_PAUSE_SECONDS
