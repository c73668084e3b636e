"""The baselines of small queries: ASGI apps on Granian that ask the driver in a thread, and nothing else.

Run as `python -m benchmarks.bare_query PORT DIALECT ADDRESS SQL KIND SESSIONS`, the address being JSON. KIND is `same`
for the calls to the driver that the service makes (one-statement check, read-only transaction, Arrow, the service's own
encoder, reset after the response) or `fetchall` for execute and fetchall alone, written by json. There is no key,
limit, route, timeout or cancellation.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from benchmarks.bare import LIMIT_HEADERS

BATCH_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class Driver:
    """One session: `ask` runs the statement and gives the body, `reset` readies the session for the next one."""

    ask: Callable[[], bytes]
    reset: Callable[[], None]


def duckdb_same(address: dict[str, Any], sql: str) -> Driver:
    """The calls that the service makes of DuckDB."""
    from moorings.dialects.base import Statement
    from moorings.dialects.duckdb.config import Config
    from moorings.dialects.duckdb.session import DuckSession

    config = Config.restore({"name": "bare", "database": address["path"], "read_only": True}, {})
    session = DuckSession(address["path"], {"access_mode": "READ_ONLY"}, config)
    return _session(session, Statement(sql, batch_rows=BATCH_ROWS))


def duckdb_fetchall(address: dict[str, Any], sql: str) -> Driver:
    """Execute and fetchall."""
    import duckdb

    connection = duckdb.connect(address["path"], read_only=True)
    return Driver(lambda: json.dumps({"rows": connection.execute(sql).fetchall()}).encode(), lambda: None)


def postgres_same(address: dict[str, Any], sql: str) -> Driver:
    """The calls that the service makes of PostgreSQL."""
    from moorings.dialects.base import Statement
    from moorings.dialects.postgres.config import Config
    from moorings.dialects.postgres.session import PostgresSession

    config = Config.restore({"name": "bare", "read_only": True, "ssl_mode": "disable"}, {})
    return _session(PostgresSession(address["uri"], config, "bare"), Statement(sql, batch_rows=BATCH_ROWS))


def postgres_fetchall(address: dict[str, Any], sql: str) -> Driver:
    """Execute and fetchall, by the same driver."""
    from adbc_driver_postgresql import dbapi

    connection = dbapi.connect(address["uri"], autocommit=True)

    def ask() -> bytes:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return json.dumps({"rows": cursor.fetchall()}).encode()

    return Driver(ask, lambda: None)


def _session(session: Any, statement: Any) -> Driver:
    from moorings.api.results.encoders import JsonEncoder

    def ask() -> bytes:
        reader, encoder = session.query(statement), JsonEncoder()
        parts, rows = [encoder.start(reader.schema)], 0
        for batch in reader:
            rows += batch.num_rows
            parts.append(encoder.batch(batch))
        return b"".join([*parts, encoder.end(truncated=False, row_count=rows)])

    return Driver(ask, session.reset)


DRIVERS: dict[tuple[str, str], Callable[[dict[str, Any], str], Driver]] = {
    ("duckdb", "same"): duckdb_same,
    ("duckdb", "fetchall"): duckdb_fetchall,
    ("postgres", "same"): postgres_same,
    ("postgres", "fetchall"): postgres_fetchall,
}


def app_for(drivers: Sequence[Driver], threads: ThreadPoolExecutor) -> Any:
    """Answers `/health` with nothing, and every other path with the statement's result."""
    idle: queue.SimpleQueue[Driver] = queue.SimpleQueue()
    for driver in drivers:
        idle.put(driver)

    def ready(driver: Driver) -> None:
        driver.reset()
        idle.put(driver)

    async def answered() -> bytes:
        loop = asyncio.get_running_loop()
        driver = await loop.run_in_executor(threads, idle.get) if idle.empty() else idle.get()
        try:
            return await loop.run_in_executor(threads, driver.ask)
        finally:
            threads.submit(ready, driver)

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        body = b"" if scope["path"] == "/health" else await answered()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *LIMIT_HEADERS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def serve(port: int, drivers: Sequence[Driver], threads: ThreadPoolExecutor) -> None:
    """Serve until the process is ended."""
    app = app_for(drivers, threads)
    await Server(app, port=port, interface=Interfaces.ASGI, websockets=False, backlog=1024).serve()


def main(port: str, dialect: str, address: str, sql: str, kind: str, sessions: str) -> None:
    """Log in and serve."""
    drivers = [DRIVERS[dialect, kind](json.loads(address), sql) for _ in range(int(sessions))]
    with ThreadPoolExecutor(int(sessions)) as threads:
        uvloop.run(serve(int(port), drivers, threads))


if __name__ == "__main__":
    main(*sys.argv[1:])
