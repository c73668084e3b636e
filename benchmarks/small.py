"""Small queries beside bare ASGI apps that ask the same driver in a thread."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import load, report, servers
from benchmarks.servers import Running
from tests.warehouses.postgres.server import postgresql

SESSIONS = 8
CLIENTS, CONNECTIONS = 64, 10
ONE = "SELECT 1 AS one"
BY_KEY = "SELECT id, name FROM store WHERE id = 4711"
STORE = "CREATE TABLE store AS SELECT n AS id, 'store ' || n AS name FROM generate_series(1, 10000) AS numbers(n)"
KINDS = ("same", "fetchall")
Rates = dict[tuple[str, int], list[float]]


def measure(directory: Path, *, rounds: int, seconds: float) -> list[report.Line]:
    """Every line about small queries."""
    with postgresql(tls=False) as server:
        servers.execute(server, server.database, STORE, "ALTER TABLE store ADD PRIMARY KEY (id)")
        return [
            *_duckdb(directory / "small-duckdb", server, rounds, seconds),
            *_postgres(directory / "small-postgres", server, rounds, seconds),
        ]


def _duckdb(data: Path, metadata: Any, rounds: int, seconds: float) -> list[report.Line]:
    path = file(data)
    url = servers.address(metadata, metadata.database)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(servers.service(data, POOL_SIZE=str(SESSIONS)))
        shared = stack.enter_context(_shared(data, url))
        connection = {"dialect": "duckdb", "database": path.name}
        asked = {
            "ours": (ours, [query(ours, created(ours, **connection), ONE)]),
            "shared": (shared, [query(shared, created(shared, **connection), ONE)]),
        }
        for kind in KINDS:
            bare = stack.enter_context(bare_app(data, "duckdb", {"path": str(path)}, ONE, kind))
            asked[kind] = (bare, [load.post("/", servers.TOKEN, {"sql": ONE})])
        found = driven(asked, rounds, seconds)
    what = "`SELECT 1`, DuckDB, as JSON"
    return [
        *_ratios(what, found, "ours", "same", {1: 0.6, 8: 0.55}),
        *_ratios(what, found, "ours", "fetchall", {1: 0.35, 8: 0.22}),
        *_ratios(f"{what}, metadata on PostgreSQL", found, "shared", "same", {1: 0.4, 8: 0.4}),
    ]


def _postgres(data: Path, server: Any, rounds: int, seconds: float) -> list[report.Line]:
    data.mkdir()
    login = {"host": server.host, "port": server.port, "database": server.database, "username": server.username}
    address = {"uri": servers.address(server, server.database)}
    lines: list[report.Line] = []
    with servers.service(data, POOL_SIZE=str(SESSIONS), MAX_SESSIONS="40") as ours:
        secret = {"passwordUnencrypted": server.password, "sslMode": "disable"}
        connection = created(ours, dialect="postgres", **login, **secret)
        for what, sql in (("`SELECT 1`", ONE), ("A row by its primary key", BY_KEY)):
            asked = {"ours": (ours, [query(ours, connection, sql)])}
            with contextlib.ExitStack() as stack:
                for kind in KINDS:
                    bare = stack.enter_context(bare_app(data, "postgres", address, sql, kind))
                    asked[kind] = (bare, [load.post("/", servers.TOKEN, {"sql": sql})])
                found = driven(asked, rounds, seconds)
            lines += _ratios(f"{what}, PostgreSQL, as JSON", found, "ours", "same", {1: 0.5, 8: 0.5})
        more = [created(ours, dialect="postgres", **login, **secret) for _ in range(CONNECTIONS - 1)]
        lines += _mixed(ours, [connection, *more], rounds, seconds)
    return lines


def _mixed(ours: Running, connections: list[str], rounds: int, seconds: float) -> Iterator[report.Line]:
    """Many clients, several connections and statements; then the same while somebody writes."""
    requests = [query(ours, each, sql) for each in connections for sql in (ONE, BY_KEY)]
    ratios = [
        loaded.p99 / loaded.median
        for loaded in (load.drive(ours.port, requests, clients=CLIENTS, seconds=seconds) for _ in range(rounds))
    ]
    what = f"{CLIENTS} clients, {CONNECTIONS} connections, small queries"
    yield report.Line(f"{what}: p99 beside the median", ratios, at_most=4)
    quiet: list[float] = []
    written: list[float] = []
    for _ in range(rounds):
        quiet.append(load.drive(ours.port, requests, clients=SESSIONS, seconds=seconds).rate)
        with _patches(ours, connections[0]):
            written.append(load.drive(ours.port, requests, clients=SESSIONS, seconds=seconds).rate)
    yield report.ratio(
        "Small queries while a connection is changed each second", written, quiet, "queries/s", at_least=0.85
    )


@contextlib.contextmanager
def _patches(ours: Running, connection: str) -> Iterator[None]:
    stop = threading.Event()

    def patching() -> None:
        turn = 0
        while not stop.wait(1 if turn else 0.2):
            turn += 1
            ours.call("PATCH", f"/connections/{connection}", {"baseRole": ("QUERIER", "MODELER")[turn % 2]})

    thread = threading.Thread(target=patching)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def driven(asked: Mapping[str, tuple[Running, list[bytes]]], rounds: int, seconds: float) -> Rates:
    """Rates by server and number of clients, the servers in turn."""
    found: Rates = {(name, clients): [] for name in asked for clients in (1, SESSIONS)}
    for _ in range(rounds):
        for clients in (1, SESSIONS):
            for name, (running, requests) in asked.items():
                found[name, clients].append(load.drive(running.port, requests, clients=clients, seconds=seconds).rate)
    return found


def _ratios(what: str, found: Rates, ours: str, theirs: str, targets: Mapping[int, float]) -> Iterator[report.Line]:
    beside = {"same": "the same calls to the driver", "fetchall": "execute and fetchall alone"}[theirs]
    for clients, target in targets.items():
        label = f"{what}, {clients} client{'s' * (clients > 1)}, beside a bare app: {beside}"
        yield report.ratio(label, found[ours, clients], found[theirs, clients], "queries/s", at_least=target)


def file(data: Path) -> Path:
    """A DuckDB file in a data directory."""
    import duckdb

    path = data / "duckdb" / "small.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as made:
        made.execute("CREATE TABLE store AS SELECT n AS id, 'store ' || n AS name FROM range(10000) AS numbers(n)")
    return path


@contextlib.contextmanager
def _shared(data: Path, url: str) -> Iterator[Running]:
    """The service with its metadata on PostgreSQL, and the same file."""
    other = data.with_name(f"{data.name}-shared")
    (other / "duckdb").mkdir(parents=True)
    (other / "duckdb" / "small.duckdb").write_bytes((data / "duckdb" / "small.duckdb").read_bytes())
    with servers.service(other, POOL_SIZE=str(SESSIONS), DATABASE_URL=url) as running:
        yield running


def created(running: Running, **connection: Any) -> str:
    return running.call("POST", "/connections", {"name": "small", **connection})["data"]


def query(running: Running, connection_id: str, sql: str) -> bytes:
    """The request; it is sent once, so that no session's login is counted."""
    path = f"/connections/{connection_id}/query"
    body = {"sql": sql}
    with running.response("POST", servers.API + path, body) as answer:
        if answer.status != 200:
            raise RuntimeError(f"the query failed: {answer.status} {answer.read()!r}")
        answer.read()
    return load.post(servers.API + path, servers.TOKEN, body)


@contextlib.contextmanager
def bare_app(directory: Path, dialect: str, address: Mapping[str, Any], sql: str, kind: str) -> Iterator[Running]:
    """A bare app with as many sessions as clients."""
    port = servers.free_port()
    arguments = [str(port), dialect, json.dumps(address), sql, kind, str(SESSIONS)]
    environ = os.environ | {"PYTHONPATH": str(servers.ROOT)}
    place = directory / f"bare-{dialect}-{kind}"
    place.mkdir(exist_ok=True)
    with servers.started([sys.executable, "-m", "benchmarks.bare_query", *arguments], port, environ, place) as running:
        yield running
