"""A large result over HTTP, engine by engine, and the memory it takes.

Beside two baselines: the driver alone in one process, and a bare app that streams what the driver reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from benchmarks import report, servers
from benchmarks.engines import ROWS, SQL, Engine, Source
from benchmarks.servers import Running


@dataclass(slots=True)
class Rates:
    """Rows a second, round by round."""

    ours: list[float] = field(default_factory=list[float])
    alone: list[float] = field(default_factory=list[float])
    bare: list[float] = field(default_factory=list[float])
    """Of the bare app; empty where the driver alone has no Arrow that could be streamed."""


def measure(directory: Path, engine: Engine, *, rounds: int) -> list[report.Line]:
    """Rows a second beside the baselines', and peak memory for the table once and many times over."""
    data = directory / engine.dialect
    data.mkdir()
    rates = Rates()
    peaks: list[float] = []
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(engine.serve(data))
        running = stack.enter_context(servers.service(data))
        alone = stack.enter_context(_driver(engine, source))
        bare = stack.enter_context(_bare(engine, source, directory)) if engine.arrow else None
        idle = servers.resident(running.process.pid)
        connection = _connection(running, engine, source)
        for _ in range(rounds + 1):
            rates.alone.append(next(alone))
            rate, peak = _through(running, connection, SQL, ROWS)
            rates.ours.append(rate)
            peaks.append((peak - idle) / 1e6)
            if bare is not None:
                rates.bare.append(_read(bare, "GET", "/stream", None, ROWS))
        many = (_through(running, connection, engine.many, engine.times * ROWS)[1] - idle) / 1e6
    return _lines(engine, rates, peaks, many)


def _lines(engine: Engine, rates: Rates, peaks: list[float], many: float) -> list[report.Line]:
    result = f"{ROWS:,} rows × 10 columns from {engine.title} as Arrow over HTTP"
    more = f"{engine.times * ROWS:,} of these rows"
    ours, alone, bare = rates.ours[1:], rates.alone[1:], rates.bare[1:]  # the first round warms up
    lines = [report.ratio(f"{result}, beside the driver alone", ours, alone, "rows/s", at_least=0.7)]
    if engine.arrow:
        lines += [
            report.ratio(f"{result}, beside a bare app that streams them", ours, bare, "rows/s", at_least=0.7),
            report.ratio(f"The bare app beside {engine.title}'s driver alone", bare, alone, "rows/s"),
        ]
    return [
        *lines,
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


@contextlib.contextmanager
def _bare(engine: Engine, source: Source, directory: Path) -> Iterator[Running]:
    address, port = json.dumps(source.address), servers.free_port()
    command = [sys.executable, "-m", "benchmarks.bare_stream", str(port), engine.dialect, address, SQL]
    environ = os.environ | {"PYTHONPATH": str(servers.ROOT)}
    with servers.started(command, port, environ, directory) as running:
        yield running


def _through(running: Running, connection: str, sql: str, rows: int) -> tuple[float, int]:
    """Rows a second of one query, and the server's peak."""
    servers.forget_peak(running.process.pid)
    body = {"sql": sql, "rowLimit": rows}
    rate = _read(running, "POST", f"{servers.API}/connections/{connection}/query", body, rows)
    return rate, servers.peak(running.process.pid)


def _read(running: Running, method: str, path: str, body: Any, rows: int) -> float:
    """Rows a second, from the request to the last row read by an Arrow client."""
    began, received = time.perf_counter(), 0
    with running.response(method, path, body) as answer:
        if answer.status != 200:
            raise RuntimeError(f"the query failed: {answer.status} {answer.read()!r}")
        for batch in pa.ipc.open_stream(answer):
            received += batch.num_rows
    seconds = time.perf_counter() - began
    if received != rows:
        raise RuntimeError(f"expected {rows} rows, got {received}")
    return received / seconds
