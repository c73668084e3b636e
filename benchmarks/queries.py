"""A large result over HTTP beside the driver alone in one process, engine by engine; and the memory it takes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from benchmarks import report, servers
from benchmarks.engines import ROWS, SQL, Engine, Source
from benchmarks.servers import Running


def measure(directory: Path, engine: Engine, *, rounds: int) -> list[report.Line]:
    """Rows a second beside the driver's, and peak memory for the table once and many times over."""
    data = directory / engine.dialect
    data.mkdir()
    ours: list[float] = []
    theirs: list[float] = []
    peaks: list[float] = []
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(engine.serve(data))
        running = stack.enter_context(servers.service(data))
        alone = stack.enter_context(_driver(engine, source))
        idle = servers.resident(running.process.pid)
        connection = _connection(running, engine, source)
        for _ in range(rounds + 1):
            theirs.append(next(alone))
            rate, peak = _through(running, connection, SQL, ROWS)
            ours.append(rate)
            peaks.append((peak - idle) / 1e6)
        many = (_through(running, connection, engine.many, engine.times * ROWS)[1] - idle) / 1e6
    return _lines(engine, ours[1:], theirs[1:], peaks, many)


def _lines(
    engine: Engine, ours: list[float], theirs: list[float], peaks: list[float], many: float
) -> list[report.Line]:
    result = f"{ROWS:,} rows × 10 columns from {engine.title} as Arrow over HTTP"
    more = f"{engine.times * ROWS:,} of these rows"
    return [
        report.ratio(f"{result}, beside the driver alone", ours, theirs, "rows/s", at_least=0.7),
        report.Line(f"{result}: peak memory over idle", peaks, at_most=200, unit="MB"),
        report.Line(f"{more}: peak memory over idle", [many], at_most=200, unit="MB"),
        report.Line(f"{more}: peak beside that of {ROWS:,}", [many / max(peaks)]),
    ]


@contextlib.contextmanager
def _driver(engine: Engine, source: Source) -> Iterator[Iterator[float]]:
    """The driver's rounds, each run when it is asked for."""
    command = [sys.executable, "-m", "benchmarks.drivers", engine.dialect, json.dumps(source.address), SQL]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=servers.ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield _rounds(process.stdin, process.stdout)
        finally:
            process.stdin.close()


def _rounds(asking: IO[str], answering: IO[str]) -> Iterator[float]:
    while True:
        asking.write("again\n")
        asking.flush()
        yield float(answering.readline())


def _connection(running: Running, engine: Engine, source: Source) -> str:
    body = {"dialect": engine.dialect, "name": engine.title, **source.connection}
    return running.call("POST", "/connections", body)["data"]


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
