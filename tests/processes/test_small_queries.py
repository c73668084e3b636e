"""Small queries: their rights are kept in memory, and never stale; they have no row, and can be cancelled."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.queries.models import CancelRequest, RunningQuery
from tests.processes.conftest import Replica, Replicas

JSON = {"accept": "application/json"}
MEMORY = {"dialect": "duckdb", "database": ":memory:"}
STEPS = 30
LONG = "SELECT count(*) FROM range(100000000000) a, range(100000) b"
USED = "moorings-connection-id"


def ask(replica: Replica, connection_id: str, key: str | None = None, sql: str = "", **headers: str) -> Any:
    body = {"sql": sql or "SELECT current_setting('TimeZone') AS zone"}
    more = {} if key is None else {"key": key}
    return replica.request("POST", f"/connections/{connection_id}/query", json=body, headers=JSON | headers, **more)


@dataclass
class World:
    """A user who queries a base connection, and what must come of it now, change by change."""

    replicas: Replicas
    base: str
    other: str
    environment: str
    user: str
    key: str
    key_id: str
    rng: random.Random
    role: str = "QUERIER"
    enabled: bool = True
    elsewhere: bool = False
    zones: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def made(cls, replicas: Replicas, seed: int) -> World:
        base, other = (replicas.first.create(**MEMORY, name=name, baseRole="NO_ACCESS") for name in ("base", "other"))

        async def making(session: AsyncSession) -> tuple[str, str]:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "Member")
            return user.id, await access.create_key(session, organization, "k", user.id)

        user, key = replicas.change(making)
        key_id = replicas.first.request("GET", "/api-keys", key=key).json()["records"][0]["id"]
        body = {"baseConnectionId": base, "environmentConnectionIds": other}
        environment = replicas.first.request("POST", "/connection-environments", json=body).json()["data"][0]["id"]
        attribute = replicas.first.request("POST", "/user-attributes", json={"name": f"a{uuid.uuid4().hex}"}).json()
        chooses = {"attributeName": attribute["name"], "defaultValues": None}
        world = cls(replicas, base, other, environment, user, key, key_id, random.Random(seed))
        world.send("PATCH", f"/connections/{base}", environmentUserAttribute=chooses)
        world.send("PUT", f"/users/{user}/attributes", **{attribute["name"]: "mine"})
        world.send("POST", f"/users/{user}/model-roles", roleName="QUERIER", connectionId=base)
        world.zones = dict.fromkeys((base, other), "UTC")
        return world

    def send(self, method: str, path: str, **body: Any) -> None:
        answer = self.rng.choice((self.replicas.first, self.replicas.second)).request(method, path, json=body)
        assert answer.status_code in (200, 201), answer.text

    # ---- changes ------------------------------------------------------------------------------------------------

    def change_role(self) -> None:
        self.role = self.rng.choice(("NO_ACCESS", "VIEWER", "QUERIER", "QUERIER", "MODELER"))
        self.send("POST", f"/users/{self.user}/model-roles", roleName=self.role, connectionId=self.base)

    def switch_key(self) -> None:
        """Revoke the user's key, or give the user another one."""
        self.enabled = not self.enabled
        if not self.enabled:
            self.send("DELETE", f"/api-keys/{self.key_id}")
            return

        async def making(session: AsyncSession) -> str:
            organization = await access.the_organization(session)
            return await access.create_key(session, organization, "k", self.user)

        self.key = self.replicas.change(making)
        self.key_id = self.replicas.first.request("GET", "/api-keys", key=self.key).json()["records"][0]["id"]

    def change_route(self) -> None:
        self.elsewhere = not self.elsewhere
        values = "mine" if self.elsewhere else "others"
        self.send("PUT", f"/connection-environments/{self.environment}", userAttributeValues=values)

    def change_login(self) -> None:
        """The time zone is a setting that sessions are opened with, as a credential is."""
        connection = self.rng.choice((self.base, self.other))
        self.zones[connection] = self.rng.choice(("UTC", "Asia/Tokyo", "America/Lima"))
        self.send("PATCH", f"/connections/{connection}", systemTimezone=self.zones[connection])

    def change(self) -> str:
        act: Callable[[], None] = self.rng.choice(
            (self.change_role, self.switch_key, self.change_route, self.change_login)
        )
        act()
        return act.__name__

    # ---- what must be seen --------------------------------------------------------------------------------------

    def expected(self) -> tuple[int, str | None, str | None]:
        if not self.enabled:
            return 403, None, None
        if self.role in ("NO_ACCESS", "VIEWER"):
            return (404 if self.role == "NO_ACCESS" else 403), None, None
        used = self.other if self.elsewhere else self.base
        return 200, used, self.zones[used]

    def seen(self, replica: Replica) -> tuple[int, str | None, str | None]:
        answer = ask(replica, self.base, self.key)
        if answer.status_code != 200:
            return answer.status_code, None, None
        return 200, answer.headers[USED], answer.json()["rows"][0][0]


@contextmanager
def beside(world: World) -> Iterator[None]:
    """Keep both processes answering this user's queries, so that they always keep something that could be stale."""
    stop = threading.Event()

    def asking(replica: Replica) -> None:
        while not stop.is_set():
            with suppress(httpx.RemoteProtocolError):  # a query that loses its right while its rows are sent is cut off
                ask(replica, world.base, world.key)
            time.sleep(0.01)

    with ThreadPoolExecutor(2) as together:
        asked = [together.submit(asking, each) for each in (world.replicas.first, world.replicas.second)]
        try:
            yield
        finally:
            stop.set()
    for each in asked:
        each.result()


class TestNothingIsStale:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_change_of_access_counts_for_the_very_next_query_on_every_process(self, replicas: Replicas, seed: int):
        world = World.made(replicas, seed)
        changes: list[str] = []
        with beside(world):
            for _ in range(STEPS):
                changes.append(world.change())
                for replica in (replicas.first, replicas.second):
                    assert world.seen(replica) == world.expected(), changes[-3:]


@pytest.fixture(scope="module")
def connection_id(replicas: Replicas) -> str:
    return replicas.first.create(**MEMORY, name="cancelled")


class TestCancel:
    def running(self, together: ThreadPoolExecutor, replica: Replica, connection_id: str, query_id: str) -> Any:
        return together.submit(lambda: ask(replica, connection_id, sql=LONG, **{"moorings-query-id": query_id}))

    def test_reaches_a_query_of_another_process_before_it_has_a_row(self, replicas: Replicas, connection_id: str):
        """The request to cancel may even be there before the query."""
        query_id = str(uuid.uuid4())
        with ThreadPoolExecutor(2) as together:
            cancelled = together.submit(lambda: replicas.second.request("DELETE", f"/queries/{query_id}"))
            answer = self.running(together, replicas.first, connection_id, query_id)
            assert cancelled.result().status_code == 200
            assert answer.result().status_code == 409
        assert self.left(replicas) == 0

    def test_reaches_one_that_waits_for_a_session(self, replicas: Replicas):
        connection_id = replicas.first.create(**MEMORY, name="full")
        ids = [str(uuid.uuid4()) for _ in range(6)]  # a pool has five sessions
        with ThreadPoolExecutor(6) as together:
            answers = [self.running(together, replicas.first, connection_id, each) for each in ids]
            for each in reversed(ids):
                while replicas.second.request("DELETE", f"/queries/{each}").status_code != 200:
                    pass
            assert [answer.result().status_code for answer in answers] == [409] * 6

    def test_of_a_stranger_is_404(self, replicas: Replicas, connection_id: str):
        async def making(session: AsyncSession) -> str:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "Stranger")
            return await access.create_key(session, organization, "k", user.id)

        stranger, query_id = replicas.change(making), str(uuid.uuid4())
        path = f"/queries/{query_id}"
        with ThreadPoolExecutor(1) as together:
            answer = self.running(together, replicas.first, connection_id, query_id)
            for replica in (replicas.first, replicas.second):
                assert replica.request("DELETE", path, key=stranger).status_code == 404
            assert not answer.done()
            assert replicas.second.request("DELETE", path).status_code == 200
            assert answer.result().status_code == 409

    def left(self, replicas: Replicas) -> int:
        async def counting(session: AsyncSession) -> int:
            rows = [
                await session.scalar(select(func.count()).select_from(model)) for model in (CancelRequest, RunningQuery)
            ]
            return sum(number or 0 for number in rows)

        return replicas.change(counting)
