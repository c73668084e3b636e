"""Probes of health: nobody's account is locked by them, and no dead host keeps another connection from its turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from sqlalchemy import update

from moorings import clock
from moorings.engine.service import Engine
from moorings.health.models import HealthProbe
from moorings.health.probing import Prober
from moorings.secrets import Keyset
from tests.security.servers.silence import silence

PAUSE = 300.0
AT_ONCE = 24


@pytest.fixture(params=["sqlite", "postgresql"])
def service(serve: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    stored = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("new_database")()}
    return serve(**stored, worker=False, health_probe_seconds=PAUSE)


class Probes:
    """What a worker has for probing, beside a service."""

    def __init__(self, service: Any, connect_timeout_seconds: float = 20) -> None:
        self.service = service
        self.late: list[float] = []
        changed = {"connect_timeout_seconds": connect_timeout_seconds, "health_probe_concurrency": AT_ONCE}

        async def making() -> Engine:
            return Engine(service.settings.model_copy(update=changed))

        self.engine: Engine = service.run(making())
        keyset = Keyset.read(service.settings.keyset_path)
        self.prober = Prober(
            service.database, self.engine, keyset, PAUSE, webhook=False, at_once=AT_ONCE, late=self.late.append
        )

    def run(self) -> None:
        self.service.run(self.prober.probe_due())

    def make_due(self) -> None:
        self.service.change(lambda session: session.execute(update(HealthProbe).values(next_at=0)))

    def of(self, connection: str) -> HealthProbe:
        return self.service.change(lambda session: session.get_one(HealthProbe, connection))

    def health(self, connection: str) -> dict[str, Any]:
        return self.service.request("GET", f"/connections/{connection}").json()["connection"]["health"]


def of_postgres(service: Any, server: Any, **changes: Any) -> str:
    body = {"host": server.host, "port": server.port, "database": server.database, "username": server.username}
    return service.create(**(body | {"passwordUnencrypted": server.password, "sslMode": "prefer"} | changes))


def test_a_refused_login_comes_less_and_less_often(service: Any, postgres_server: Any) -> None:
    probes, refused = Probes(service), of_postgres(service, postgres_server, passwordUnencrypted="wrong")
    waits: list[int] = []
    for _ in range(12):
        began = clock.now()
        probes.run()
        waits.append(round((probes.of(refused).next_at - began) / 1000 / PAUSE))
        probes.make_due()
    assert probes.health(refused)["error"]["code"] == "login_refused"
    assert waits == [*(2**number for number in range(1, 9)), *[288] * 4]  # 288 times five minutes are a day
    began = clock.now()
    service.request("PATCH", f"/connections/{refused}", json={"passwordUnencrypted": postgres_server.password})
    probes.run()
    assert probes.health(refused)["status"] == "healthy"
    assert probes.of(refused).next_at - began < 2 * PAUSE * 1000


def test_a_backed_off_connection_is_not_due_before(service: Any, postgres_server: Any) -> None:
    probes, refused = Probes(service), of_postgres(service, postgres_server, passwordUnencrypted="wrong")
    probes.run()
    checked = probes.of(refused).checked_at
    probes.run()
    assert probes.of(refused).checked_at == checked


def test_dead_hosts_keep_nobody_from_its_turn(service: Any) -> None:
    duckdb.connect(str(service.settings.duckdb_directory / "fine.duckdb")).close()
    probes = Probes(service, connect_timeout_seconds=2)
    with silence() as server:
        for _ in range(40):
            service.create(host="127.0.0.1", port=server.port)
        probes.make_due()
        probes.run()  # 40 that are not known yet take their two seconds each, 24 at once
        fine = service.create(dialect="duckdb", database="fine.duckdb")
        probes.run()
        assert probes.health(fine)["status"] == "healthy"
        checked = probes.of(fine).checked_at
        probes.make_due()
        dialled = server.dialled
        probing = asyncio.run_coroutine_threadsafe(probes.prober.probe_due(), service._loop)
        while probes.of(fine).checked_at == checked:
            assert not probing.done()
            time.sleep(0.1)
        assert server.dialled - dialled < 40, "it waited for every dead host"
        probing.result(120)
    assert max(probes.late) > 0


def test_no_probe_begins_while_the_last_one_hangs(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    probes = Probes(service)
    connection = service.create(host="127.0.0.1", port=1)
    monkeypatch.setattr(probes.engine, "hangs", lambda connection_id: connection_id == connection)
    probes.run()
    assert probes.health(connection)["status"] == "unknown"


def test_a_pooled_session_that_works_is_as_good_as_a_probe(service: Any, postgres_server: Any) -> None:
    probes, connection = Probes(service), of_postgres(service, postgres_server)
    probes.run()
    assert probes.health(connection)["status"] == "healthy"

    async def revouch() -> bool:
        return await probes.engine.is_known_healthy(connection, 1, PAUSE)

    assert service.run(revouch()) is False
    target = service.change(lambda session: _target(service, session, connection))

    async def use() -> None:
        async with probes.engine.lease(target):
            pass
        while not probes.engine.sessions()[connection].idle:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)

    service.run(use())
    assert service.run(revouch()) is True
    assert service.run(probes.engine.is_known_healthy(connection, target.revision + 1, PAUSE)) is False
    service.run(asyncio.sleep(0.01))
    assert service.run(probes.engine.is_known_healthy(connection, target.revision, 0)) is True, "it answers a ping"
    before = probes.of(connection).checked_at
    probes.make_due()
    probes.run()
    assert probes.of(connection).checked_at != before
    service.run(probes.engine.close())


async def _target(service: Any, session: Any, connection: str) -> Any:
    from moorings.connections.models import Connection
    from moorings.connections.service import opened

    found = await session.get_one(Connection, connection)
    return await opened(session, Keyset.read(service.settings.keyset_path), found)
