"""The list of connections beside a bare ASGI app that answers the very same bytes."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import load, report, seed, servers
from benchmarks.servers import Running
from tests.warehouses.postgres.server import postgresql

SMALL, LARGE = 25, 10_000
LIST = "/api/v1/connections"
SHORTEST = 10
"""Digits of a group's token in a filter: enough that no other group has them."""
WRITES = 10

Loads = dict[str, list[load.Load]]


def measure(directory: Path, *, rounds: int, seconds: float) -> list[report.Line]:
    """Every line about lists; the servers all run, and are driven in turn."""
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(_filled(directory / "small", SMALL))
        large = stack.enter_context(_filled(directory / "large", LARGE))
        metadata = stack.enter_context(postgresql(tls=False))
        shared = stack.enter_context(
            _filled(directory / "shared", SMALL, DATABASE_URL=servers.address(metadata, metadata.database))
        )
        bare = stack.enter_context(servers.bare(_body(small, LIST), directory / "small"))
        wanted = {
            "bare": (bare, [_get()]),
            "small": (small, [_get()]),
            "shared": (shared, [_get()]),
            "warm": (large, [_get(seed.group(7))]),
        }
        _check(large, seed.group(7))
        found: Loads = {name: [] for name in (*wanted, "cold", "alone", "written")}
        unasked = _unasked()
        for _ in range(rounds):
            for name, (running, requests) in wanted.items():
                found[name].append(load.drive(running.port, requests, seconds=seconds))
            few = [_get(text) for text in itertools.islice(unasked, int(6000 * seconds))]
            found["cold"].append(load.drive(large.port, few, seconds=seconds))
            found["alone"].append(load.drive(small.port, [_get()], clients=1, seconds=seconds / 3))
            found["written"].append(_after_writes(large))
    return _lines(found)


def _lines(found: Loads) -> list[report.Line]:
    rate = {name: [one.rate for one in loads] for name, loads in found.items()}
    slow = {name: [one.p99 * 1000 for one in loads] for name, loads in found.items()}
    small, per = f"List of {SMALL}", "requests/s"
    large = f"{LARGE:,} stored, a `name` filter leaves {SMALL}"
    return [
        report.ratio(f"{small}, SQLite, beside a bare app", rate["small"], rate["bare"], per, at_least=0.4),
        report.ratio(f"{small}, SQLite, p99 at 8 clients", slow["small"], slow["bare"], "ms", at_most=3),
        report.ratio(f"{small}, PostgreSQL, beside a bare app", rate["shared"], rate["bare"], per, at_least=0.1),
        report.ratio(f"{large}: warm, beside {SMALL} stored", rate["warm"], rate["small"], per, at_least=0.5),
        report.ratio(f"{large}: cold (a filter never asked)", rate["cold"], rate["small"], per, at_least=0.15),
        report.ratio(f"{large}: the first list after a write", rate["written"], rate["alone"], "requests/s, 1 client"),
    ]


def seeded(directory: Path, number: int, **settings: str) -> None:
    """Make a data directory with so many connections."""
    directory.mkdir()
    environ = servers.environment(1, directory, settings) | {"PYTHONPATH": str(servers.ROOT)}
    subprocess.run([sys.executable, "-m", "benchmarks.seed", str(number)], env=environ, cwd=directory, check=True)


@contextlib.contextmanager
def _filled(directory: Path, number: int, **settings: str) -> Iterator[Running]:
    seeded(directory, number, **settings)
    with servers.service(directory, **settings) as running:
        yield running


def _get(name: str = "") -> bytes:
    return load.get(f"{LIST}?name={name}" if name else LIST, servers.TOKEN)


def _unasked() -> Iterator[str]:
    """Ever new filters, each of which leaves one group."""
    for length in range(seed.GROUP, SHORTEST, -1):
        for start in range(33 - length):
            for number in range(LARGE // seed.GROUP):
                yield seed.group(number)[start : start + length]


def _check(running: Running, name: str) -> None:
    left = len(running.call("GET", f"/connections?name={name}")["connections"])
    if left != SMALL:
        raise RuntimeError(f"the filter leaves {left} connections, not {SMALL}")


def _body(running: Running, path: str) -> bytes:
    with running.response("GET", path) as answer:
        return answer.read()


def _after_writes(running: Running) -> load.Load:
    """The list's latency when a connection was changed just before; the change itself is not counted."""
    changed = running.call("GET", f"/connections?name={seed.group(3)}")["connections"][0]["id"]
    latencies: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    for turn in range(WRITES):
        role = "QUERIER" if turn % 2 else "MODELER"
        running.call("PATCH", f"/connections/{changed}", {"baseRole": role})
        began = time.perf_counter()
        connection.request("GET", f"{LIST}?name={seed.group(7)}", headers={"authorization": f"Bearer {servers.TOKEN}"})
        connection.getresponse().read()
        latencies.append(time.perf_counter() - began)
    connection.close()
    return load.summary(latencies, sum(latencies))
