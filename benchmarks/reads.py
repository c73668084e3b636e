"""Reads of one connection beside bare apps that answer the very same bytes, and what writes cost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import catalogs, load, report, servers
from benchmarks.servers import Running

WRITES, WRITERS = 40, 8
READS = {
    "GET /connections/{id}": "/connections/{id}",
    "GET /connections/{id}/route": "/connections/{id}/route",
    "GET /whoami": "/whoami",
    f"Catalog search, {catalogs.TABLES:,} tables": "/connections/{id}/catalog?search=table_77",
}


def measure(directory: Path, *, rounds: int, seconds: float) -> list[report.Line]:
    """Every line about reads and writes of one connection."""
    data = directory / "reads"
    (data / "duckdb").mkdir(parents=True)
    catalogs.fill(data / "duckdb" / "large.duckdb")
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(servers.service(data, WORKER_POLL_SECONDS="1"))
        connection = catalogs.connection(ours)
        catalogs.refresh(ours, connection)
        found: dict[str, tuple[list[float], list[float]]] = {}
        for number, (name, path) in enumerate(READS.items()):
            place = directory / f"bare-read-{number}"
            place.mkdir()
            address = servers.API + path.format(id=connection)
            with ours.response("GET", address) as answer:
                bare = stack.enter_context(servers.bare(answer.read(), place))
            requests = [load.get(address, servers.TOKEN)]
            rates = found[name] = ([], [])
            for _ in range(rounds):
                for rate, running in zip(rates, (ours, bare), strict=True):
                    rate.append(load.drive(running.port, requests, seconds=seconds).rate)
        lines = [report.ratio(name, *rates, "requests/s", at_least=0.25) for name, rates in found.items()]
        return [*lines, *_writes(ours, connection, rounds)]


def _writes(ours: Running, connection: str, rounds: int) -> Iterator[report.Line]:
    body = {"dialect": "postgres", "name": "n", "host": "db.example.com", "database": "d", "username": "u"}
    acts: dict[str, Callable[[int], object]] = {
        "Create a connection": lambda _: ours.call("POST", "/connections", body | {"passwordUnencrypted": "p"}),
        "PATCH a connection": lambda turn: ours.call(
            "PATCH", f"/connections/{connection}", {"baseRole": ("QUERIER", "MODELER")[turn % 2]}
        ),
    }
    for name, act in acts.items():
        costs = [_processor(ours, act) for _ in range(rounds)]
        yield report.Line(f"{name}: processor time", costs, at_most=2.5, unit="ms")
    one, many = ([_rate(acts["Create a connection"], writers) for _ in range(rounds)] for writers in (1, WRITERS))
    yield report.ratio(f"Creates by {WRITERS} writers beside one", many, one, "creates/s", at_least=1.2)


def _processor(ours: Running, act: Callable[[int], object]) -> float:
    """Milliseconds of processor time that the service takes for one act."""
    act(0)
    before = servers.processor_seconds(ours.process.pid)
    for turn in range(1, WRITES + 1):
        act(turn)
    return (servers.processor_seconds(ours.process.pid) - before) / WRITES * 1000


def _rate(act: Callable[[int], object], writers: int) -> float:
    def work() -> None:
        for turn in range(WRITES // writers):
            act(turn)

    threads = [threading.Thread(target=work) for _ in range(writers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return WRITES // writers * writers / (time.perf_counter() - began)
