"""A large result by Flight SQL, beside a bare Flight server that streams the same batches, and the memory it takes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import flight

from benchmarks import report, servers
from benchmarks.engines import ROWS, SQL, Engine, Source
from benchmarks.servers import TOKEN, Running
from moorings.dialects.duckdb.session import WIDE_ROWS
from moorings.flight import messages


def measure(directory: Path, engine: Engine, *, rounds: int) -> list[report.Line]:
    """Rows a second beside the baseline's, and peak memory for the table once and many times over."""
    if not engine.arrow:
        return []
    data = directory / f"flight-{engine.dialect}"
    data.mkdir()
    ours, bare, peaks = list[float](), list[float](), list[float]()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(engine.serve(data))
        port = servers.free_port()
        running = stack.enter_context(servers.service(data, FLIGHT_PORT=str(port)))
        client = stack.enter_context(_client(port))
        baseline = stack.enter_context(_bare(engine, source))
        body = {"dialect": engine.dialect, "name": engine.title, **source.connection}
        connection = running.call("POST", "/connections", body)["data"]
        idle = servers.resident(running.process.pid)
        for _ in range(rounds + 1):
            bare.append(_rate(baseline, flight.Ticket(b""), None, ROWS))
            rate, peak = _through(running, client, connection, SQL, ROWS)
            ours.append(rate)
            peaks.append((peak - idle) / 1e6)
        many = (_through(running, client, connection, engine.many, engine.times * ROWS)[1] - idle) / 1e6
    result = f"{ROWS:,} rows × 10 columns from {engine.title} by Flight SQL"
    more = f"{engine.times * ROWS:,} of these rows by Flight SQL"
    return [  # the first round warms up
        report.ratio(
            f"{result}, beside a bare Flight server that streams them", ours[1:], bare[1:], "rows/s", at_least=0.8
        ),
        report.Line(f"{result}: peak memory over idle", peaks, at_most=200, unit="MB"),
        report.Line(f"{more}: peak memory over idle", [many], at_most=200, unit="MB"),
    ]


@contextlib.contextmanager
def _client(port: int) -> Iterator[Any]:
    with flight.connect(f"grpc://127.0.0.1:{port}") as client:
        client.wait_for_available(30)
        yield client


@contextlib.contextmanager
def _bare(engine: Engine, source: Source) -> Iterator[Any]:
    port = servers.free_port()
    command = [sys.executable, "-m", "benchmarks.bare_flight", str(port), engine.dialect]
    environ = os.environ | {"PYTHONPATH": str(servers.ROOT)}
    # The service asks DuckDB for so many rows at once, since the table has text.
    same = {"batch_rows": WIDE_ROWS} if engine.dialect == "duckdb" else {}
    address = json.dumps({**source.address, **same})
    process = subprocess.Popen([*command, address, SQL], env=environ, cwd=servers.ROOT)
    try:
        with _client(port) as client:
            yield client
    finally:
        servers.stop(process)


def _through(running: Running, client: Any, connection: str, sql: str, rows: int) -> tuple[float, int]:
    """Rows a second of one query, and the server's peak."""
    servers.forget_peak(running.process.pid)
    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"database", connection.encode())]
    options = flight.FlightCallOptions(headers=headers)
    command = messages.packed("CommandStatementQuery", query=sql)
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command), options)
    rate = _rate(client, info.endpoints[0].ticket, options, rows)
    return rate, servers.peak(running.process.pid)


def _rate(client: Any, ticket: Any, options: Any, rows: int) -> float:
    """Rows a second, from the request to the last row."""
    began, received = time.perf_counter(), 0
    for chunk in client.do_get(ticket, options):
        received += chunk.data.num_rows
    seconds = time.perf_counter() - began
    if received != rows:
        raise RuntimeError(f"expected {rows} rows, got {received}")
    return received / seconds
