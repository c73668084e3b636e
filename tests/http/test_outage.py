"""The metadata database goes away and comes back: answers in the contract's shape meanwhile, no restart after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.warehouses.servers.postgresql import login


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
