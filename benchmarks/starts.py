"""How soon `make serve` answers when everything is installed, and what it holds when idle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report, servers

DRIVERS = ("duckdb", "pyarrow", "adbc_driver_manager", "adbc_driver_postgresql", "psycopg", "asyncmy")
SETTLED_SECONDS = 1.0


def measure(directory: Path, *, rounds: int) -> list[report.Line]:
    """The first start of a data directory, the later ones, idle memory and the drivers that the import loads."""
    first: list[float] = []
    later: list[float] = []
    idle: list[float] = []
    for number in range(rounds):
        data = directory / f"start-{number}"
        data.mkdir()
        first.append(_start(data)[0])
        seconds, megabytes = _start(data)
        later.append(seconds)
        idle.append(megabytes)
    return [
        report.Line("`make serve` when installed, until /health answers", later, at_most=1.5, unit="s"),
        report.Line("The same, the very first start, which makes keyset, key and sample", first, unit="s"),
        report.Line("Idle resident memory of all its processes", idle, at_most=150, unit="MB"),
        report.Line("Drivers that importing the app loads", [_drivers_loaded()], at_most=0, unit="drivers"),
    ]


def _start(data: Path) -> tuple[float, float]:
    """Seconds until /health answers, and megabytes a while later."""
    port, log = servers.free_port(), data / "server.log"
    environ = servers.environment(port, data, {"SAMPLE": "true", "RATE_LIMIT": "60/minute"})
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(), cwd=servers.ROOT, env=environ, stdout=output, stderr=output, start_new_session=True
        )
    try:
        servers.wait_for_answer(port, process, log)
        seconds = time.perf_counter() - began
        time.sleep(SETTLED_SECONDS)
        return seconds, servers.resident(process.pid) / 1e6
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _command() -> list[str]:
    """`make serve` where make has installed; a checkout that was installed by hand is started by hand."""
    installed = Path(sys.executable).parent.parent
    if any(installed.glob("installed-*")):
        return ["make", "serve"]
    return [str(installed / "bin" / "moorings"), "serve"]


def _drivers_loaded() -> int:
    script = f"import sys, moorings.app; print(sum(name in sys.modules for name in {DRIVERS!r}))"
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout)
