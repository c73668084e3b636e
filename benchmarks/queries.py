"""A large result from PostgreSQL over HTTP, beside the driver alone in one process; and the memory it takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from benchmarks import report, servers
from benchmarks.servers import Running
from tests.warehouses.servers.process import Server

ROWS, MANY = 1_000_000, 10_000_000
TABLE = f"""
CREATE TABLE measured AS SELECT
    n::bigint AS id, (n % 1000)::integer AS store, (n * 0.37)::double precision AS score,
    (n % 100000 / 100.0)::numeric(12, 2) AS amount, n % 3 = 0 AS paid, 'customer ' || n % 50000 AS customer,
    md5(n::text) AS reference, date '2020-01-01' + (n % 2000)::integer AS day,
    timestamptz '2020-01-01 00:00:00Z' + n * interval '1 second' AS created, nullif(n % 7, 0)::smallint AS rating
FROM generate_series(1, {ROWS}) AS n
"""
SQL = "SELECT * FROM measured"
TEN_TIMES = "SELECT measured.* FROM generate_series(1, 10) AS again CROSS JOIN measured"


def measure(directory: Path, server: Server, *, rounds: int) -> list[report.Line]:
    """Rows a second beside the driver's, and peak memory for one and for ten million rows."""
    servers.execute(server, "warehouse", TABLE, "VACUUM ANALYZE measured")
    data = directory / "queries"
    data.mkdir()
    with servers.service(data) as running, _driver(server, rounds + 1) as alone:
        idle = servers.resident(running.process.pid)
        connection = _connection(running, server)
        ours: list[float] = []
        theirs: list[float] = []
        peaks: list[float] = []
        for _ in range(rounds + 1):
            theirs.append(next(alone))
            rate, peak = _through(running, connection, SQL, ROWS)
            ours.append(rate)
            peaks.append((peak - idle) / 1e6)
        many = (_through(running, connection, TEN_TIMES, MANY)[1] - idle) / 1e6
    return _lines(ours[1:], theirs[1:], peaks, many)


def _lines(ours: list[float], theirs: list[float], peaks: list[float], many: float) -> list[report.Line]:
    result = f"{ROWS:,} rows × 10 columns from PostgreSQL as Arrow over HTTP"
    return [
        report.ratio(f"{result}, beside the driver alone", ours, theirs, "rows/s", at_least=0.7),
        report.Line(f"{result}: peak memory over idle", peaks, at_most=200, unit="MB"),
        report.Line(f"{MANY:,} of these rows: peak memory over idle", [many], at_most=200, unit="MB"),
        report.Line(f"{MANY:,} of these rows: peak beside that of {ROWS:,}", [many / max(peaks)]),
    ]


@contextmanager
def _driver(server: Server, rounds: int) -> Iterator[Iterator[float]]:
    """The driver's rounds, each run when it is asked for."""
    command = [sys.executable, "-m", "benchmarks.driver", servers.address(server, "warehouse"), SQL]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=servers.ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield (_round(process.stdin, process.stdout) for _ in range(rounds))
        process.stdin.close()


def _round(asking: IO[str], answering: IO[str]) -> float:
    asking.write("again\n")
    asking.flush()
    return float(answering.readline())


def _connection(running: Running, server: Server) -> str:
    body = {"dialect": "postgres", "name": "Warehouse", "host": "127.0.0.1", "port": server.port}
    login = {"database": "warehouse", "username": server.username, "passwordUnencrypted": server.password}
    return running.call("POST", "/connections", body | login)["data"]


def _through(running: Running, connection: str, sql: str, rows: int) -> tuple[float, int]:
    """Rows a second of one query, from the request to the last row read by an Arrow client, and the server's peak."""
    servers.forget_peak(running.process.pid)
    began, received = time.perf_counter(), 0
    with running.response("POST", f"/connections/{connection}/query", {"sql": sql, "rowLimit": rows}) as answer:
        if answer.status != 200:
            raise RuntimeError(f"the query failed: {answer.status} {answer.read()!r}")
        for batch in pa.ipc.open_stream(answer):
            received += batch.num_rows
    seconds = time.perf_counter() - began
    if received != rows:
        raise RuntimeError(f"expected {rows} rows, got {received}")
    return received / seconds, servers.peak(running.process.pid)
