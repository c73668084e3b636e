"""A refresh of a large catalog: how long it takes, the warehouse's own time included, and the memory it needs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import report, servers
from benchmarks.servers import Running

TABLES, COLUMNS = 2000, 30


def measure(directory: Path, *, rounds: int) -> list[report.Line]:
    """The first refresh, one that finds nothing changed, and peak memory over what an open file takes."""
    data = directory / "catalog"
    (data / "duckdb").mkdir(parents=True)
    fill(data / "duckdb" / "large.duckdb")
    first: list[float] = []
    again: list[float] = []
    peaks: list[float] = []
    with servers.service(data, WORKER_POLL_SECONDS="1") as running:
        opened = connection(running)
        running.call("POST", f"/connections/{opened}/test", {})
        # DuckDB lives in the service's process: with the file open, it holds more than the refresh needs.
        idle = servers.resident(running.process.pid)
        refresh(running, opened)
        for _ in range(rounds):
            made = connection(running)
            first.append(refresh(running, made))
            again.append(refresh(running, made))
            peaks.append((servers.peak(running.process.pid) - idle) / 1e6)
    what = f"Refresh of {TABLES:,} tables × {COLUMNS} columns in DuckDB"
    return [
        report.Line(f"{what}: the first, the warehouse's own time included", first, at_most=10, unit="s"),
        report.Line(f"{what}: nothing has changed", again, at_most=10, unit="s"),
        report.Line(f"{what}: peak memory over that with the file open", peaks, at_most=200, unit="MB"),
    ]


def fill(path: Path) -> None:
    """Make a file with so many tables."""
    columns = ", ".join(f"column_{number} VARCHAR" for number in range(COLUMNS))
    with duckdb.connect(str(path)) as made:
        made.execute("BEGIN")
        for number in range(TABLES):
            made.execute(f"CREATE TABLE table_{number} ({columns})")
        made.execute("COMMIT")


def connection(running: Running) -> str:
    """A new connection to that file."""
    body = {"dialect": "duckdb", "name": "Large", "database": "large.duckdb"}
    return running.call("POST", "/connections", body)["data"]


def refresh(running: Running, connection: str) -> float:
    """Refresh its catalog; returns how many seconds that took."""
    job_id = running.call("POST", f"/connections/{connection}/refresh", {})["job_id"]
    job: dict[str, Any] = {"status": "IN_PROGRESS"}
    while job["status"] == "IN_PROGRESS":
        time.sleep(0.02)
        job = running.call("GET", f"/jobs/{job_id}/status")
    if job["status"] != "COMPLETED" or job["result"]["tables"] != TABLES:
        raise RuntimeError(f"the refresh failed: {job}")
    return job["durationMs"] / 1000
