"""The metadata database goes away and comes back: answers in the contract's shape meanwhile, no restart after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from moorings.db import PostgresVersion
from tests.warehouses.postgres.server import login


class Outage:
    """A service whose PostgreSQL database can be closed and opened."""

    def __init__(self, service: Any, server: Any, name: str) -> None:
        self.service = service
        self._server = server
        self._name = name

    def close(self) -> None:
        with login(self._server) as connection:
            connection.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self.drop_sessions()

    def drop_sessions(self) -> None:
        with login(self._server) as connection:
            sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            assert connection.execute(sessions, [self._name]).fetchall(), "the service had sessions"

    def open(self) -> None:
        with login(self._server) as connection:
            connection.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def health(self) -> int:
        return self.service.run(self.service.client.get("/health")).status_code


@pytest.fixture
def outage(serve: Callable[..., Any], postgres_server: Any, new_database: Callable[[], str]) -> Outage:
    url = new_database()
    return Outage(serve(database_url=url), postgres_server, url.rpartition("/")[2])


class TestOutage:
    def test_is_told_and_survived(self, outage: Outage):
        service = outage.service
        made = service.create()
        assert outage.health() == 200
        outage.close()
        assert outage.health() == 503
        for method, path in (("GET", "/connections"), ("GET", f"/connections/{made}"), ("POST", "/connections")):
            answer = service.request(method, path, json={})
            assert (answer.status_code, answer.json()) == (500, {"detail": "Internal server error", "status": 500})
        outage.open()
        assert outage.health() == 200
        assert [each["id"] for each in service.request("GET", "/connections").json()["connections"]] == [made]
        assert service.create()

    def test_dropped_sessions_are_replaced_unnoticed(self, outage: Outage):
        service = outage.service
        made = service.create()
        for _ in range(3):
            outage.drop_sessions()
            assert service.request("GET", f"/connections/{made}").status_code == 200
            assert service.request("PATCH", f"/connections/{made}", json={"baseRole": "VIEWER"}).status_code == 200


SAID = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
LAST_WORD = b"E" + (len(SAID) + 4).to_bytes(4, "big") + SAID
"""What a PostgreSQL that stops sends to idle sessions."""


@contextlib.asynccontextmanager
async def front(host: str, port: int) -> AsyncIterator[tuple[int, list[asyncio.StreamWriter]]]:
    """The port of a proxy, and the ends of it that its clients read from."""
    clients: list[asyncio.StreamWriter] = []
    pipes: list[asyncio.Task[None]] = []

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while part := await source.read(65536):
            sink.write(part)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(writer)
        source, sink = await asyncio.open_connection(host, port)
        pipes.extend([asyncio.create_task(pipe(reader, sink)), asyncio.create_task(pipe(source, writer))])

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], clients
    finally:
        server.close()
        await asyncio.gather(*pipes)


def test_a_server_that_has_said_goodbye_but_not_hung_up_is_left(plain_postgres_server: Any):
    server = plain_postgres_server
    with login(server) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS freshness AS SELECT 7 AS changed_by, 8 AS health_changed_by")

    async def asking() -> None:
        async with front(server.host, server.port) as (port, clients):
            login_as = f"{server.username}:{quote(server.password, safe='')}"
            version = PostgresVersion(f"postgresql://{login_as}@127.0.0.1:{port}/app")
            assert await version.read() == (7, 8)
            clients[0].write(LAST_WORD)
            await asyncio.sleep(0.05)
            assert await version.read() == (7, 8)
            assert len(clients) == 2
            await version.close()

    asyncio.run(asking())
