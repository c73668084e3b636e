"""A query whose caller loses the right to it ends: running or waiting, on every replica, in the warehouse too."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import directory, groups
from moorings.access import service as access
from moorings.access.models import ApiKey, User
from moorings.access.policy import Role
from moorings.settings import Settings
from tests.processes.conftest import TOKEN, Replica, Replicas
from tests.terminal import Terminal
from tests.warehouses.postgres.server import login

ARROW, JSON = "application/vnd.apache.arrow.stream", "application/json"
PROMISED_SECONDS = 1.0
PLACES = ("one process on SQLite", "several workers on SQLite", "two replicas on PostgreSQL")


@pytest.fixture(scope="module", params=PLACES)
def replicas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """A service in each of the ways in which it can run: queries go to the first door, changes through the second."""
    given: dict[str, Any] = {
        "BOOTSTRAP_TOKEN": TOKEN,
        "RATE_LIMIT": "0",
        "SAMPLE": "false",
        "HEALTH_PROBE_SECONDS": "0",
        "POOL_SIZE": "2",
    }
    folder = tmp_path_factory.mktemp("service")
    settings = Settings(_env_file=None, data_dir=folder / "data")
    with contextlib.ExitStack() as stack:

        def started(**more: Any) -> Replica:
            replica = Replica(stack.enter_context(Terminal(folder).serving(**given, **more)))
            return stack.enter_context(_closing(replica))

        if request.param == PLACES[0]:
            only = started()
            yield Replicas(only, only, settings)
        elif request.param == PLACES[1]:
            valkey = request.getfixturevalue("valkey_server")
            url = f"valkey://:{quote(valkey.password, safe='')}@{valkey.host}:{valkey.port}"
            only = started(WORKERS="2", RATE_LIMIT_URL=url)
            yield Replicas(only, only, settings)
        else:
            url = request.getfixturevalue("new_database")()
            first = started(DATABASE_URL=url, KEYSET=str(folder / "keyset.json"))
            folder = tmp_path_factory.mktemp("second")
            second = started(DATABASE_URL=url, KEYSET=str(settings.data_dir.parent / "keyset.json"))
            yield Replicas(first, second, Settings(_env_file=None, database_url=url))


@contextlib.contextmanager
def _closing(replica: Replica) -> Iterator[Replica]:
    with replica.client:
        yield replica


class Asking(threading.Thread):
    """A query in the background: `status` and `body` of its answer, and whether that broke off."""

    def __init__(self, replica: Replica, connection_id: str, key: str, sql: str, accept: str) -> None:
        super().__init__(daemon=True)
        self._replica, self._path, self._key = replica, f"/connections/{connection_id}/query", key
        self._sql, self._accept = sql, accept
        self.status = 0
        self.body: Any = None
        self.broke_off = False
        self.pause = 0.02
        """Between two chunks, so that an endless result leaves the machine to others."""
        self.start()

    def run(self) -> None:
        headers = {"authorization": f"Bearer {self._key}", "accept": self._accept}
        body = {"sql": self._sql, "rowLimit": 10**9}
        with (
            httpx.Client(base_url=self._replica.client.base_url, timeout=60, trust_env=False) as client,
            client.stream("POST", self._path, json=body, headers=headers) as answer,
        ):
            self.status = answer.status_code
            if self.status == 200:
                try:
                    for _ in answer.iter_raw():
                        time.sleep(self.pause)
                except httpx.RemoteProtocolError:
                    self.broke_off = True
            else:
                self.body = (answer.read(), answer.json())[1]


@dataclass
class Scene:
    """A connection to a real PostgreSQL, a user who may query it, and everything that a right can hang on."""

    replicas: Replicas
    server: Any
    connection_id: str
    user_id: str
    key: str
    mark: str

    @classmethod
    def made(cls, replicas: Replicas, server: Any, role: Role = Role.QUERIER, **connection: Any) -> Scene:
        where = {"host": server.host, "port": server.port, "database": server.database, "username": server.username}
        settings = {"passwordUnencrypted": server.password, "sslMode": "disable", "baseRole": "NO_ACCESS"}
        connection_id = replicas.first.create(**(where | settings | connection))

        async def making(session: AsyncSession) -> tuple[str, str]:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "Member")
            if role > Role.NO_ACCESS:
                await access.assign_role(session, user, connection_id, role)
            return user.id, await access.create_key(session, organization, user.email, user.id)

        user_id, key = replicas.change(making)
        return cls(replicas, server, connection_id, user_id, key, uuid.uuid4().hex)

    def request(self, method: str, path: str, **sent: Any) -> Any:
        answer = self.replicas.second.request(method, path, **sent)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    def change(self, act: Callable[[AsyncSession, User], Any]) -> None:
        async def acting(session: AsyncSession) -> None:
            await act(session, await session.get_one(User, self.user_id))

        self.replicas.change(acting)

    def scim(self, method: str, body: Any = None) -> None:
        second = self.replicas.second
        url = f"{second.serving.url}/api/scim/v2/Users/{self.user_id}"
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = second.client.request(method, url, json=body, headers=headers)
        assert answer.status_code in (200, 204), answer.text

    @property
    def key_id(self) -> str:
        me = self.replicas.first.request("GET", "/api-keys", key=self.key).json()["records"]
        return me[0]["id"]

    def silent(self) -> Asking:
        return Asking(self.replicas.first, self.connection_id, self.key, f"SELECT pg_sleep(50) /* {self.mark} */", JSON)

    def endless(self) -> Asking:
        sql = f"SELECT generate_series(1, 1000000000000), repeat('x', 50) /* {self.mark} */"
        return Asking(self.replicas.first, self.connection_id, self.key, sql, ARROW)

    def running(self) -> int:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s"
        with login(self.server) as connection:
            return connection.execute(sql, [f"%/* {self.mark} *%"]).fetchone()[0]

    def wait_for(self, number: int, within: float = 10) -> None:
        until = time.monotonic() + within
        while (now := self.running()) != number:
            assert time.monotonic() < until, f"{now} run"
            time.sleep(0.02)


# ---- what takes a right away: each is given a scene, makes sure that the right hangs on it, and returns the act ------


def user_disabled(scene: Scene) -> Callable[[], None]:
    return lambda: scene.change(lambda session, user: directory.enable(session, user, enabled=False))


def user_deactivated_by_scim(scene: Scene) -> Callable[[], None]:
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }
    return lambda: scene.scim("PATCH", body)


def user_deleted(scene: Scene) -> Callable[[], None]:
    return lambda: scene.scim("DELETE")


def key_disabled(scene: Scene) -> Callable[[], None]:
    disabling = update(ApiKey).where(ApiKey.id == scene.key_id).values(disabled_at=1)
    return lambda: scene.replicas.change(lambda session: session.execute(disabling))


def key_revoked(scene: Scene) -> Callable[[], None]:
    path = f"/api-keys/{scene.key_id}"
    return lambda: scene.request("DELETE", path)


def own_role_lowered(scene: Scene) -> Callable[[], None]:
    body = {"roleName": "VIEWER", "connectionId": scene.connection_id}
    return lambda: scene.request("POST", f"/users/{scene.user_id}/model-roles", json=body)


def admin_demoted(scene: Scene) -> Callable[[], None]:
    async def set_role(session: AsyncSession, role: str) -> None:
        await session.execute(update(User).where(User.id == scene.user_id).values(organization_role=role))

    own_role_lowered(scene)()
    scene.replicas.change(lambda session: set_role(session, "ORG_ADMIN"))
    return lambda: scene.replicas.change(lambda session: set_role(session, "MEMBER"))


def base_role_lowered(scene: Scene) -> Callable[[], None]:
    path = f"/connections/{scene.connection_id}"
    scene.request("PATCH", path, json={"baseRole": "QUERIER"})
    own_role_lowered(scene)()
    return lambda: scene.request("PATCH", path, json={"baseRole": "VIEWER"})


def _group(scene: Scene) -> str:
    """A group that alone gives the user the right."""

    async def making(session: AsyncSession) -> str:
        organization = await access.the_organization(session)
        group = await groups.add(session, organization, uuid.uuid4().hex, None, [scene.user_id])
        await groups.assign_role(session, group, scene.connection_id, Role.QUERIER)
        return group.id

    own_role_lowered(scene)()
    return scene.replicas.change(making)


def _with_group(scene: Scene, act: Callable[[AsyncSession, Any], Any]) -> Callable[[], None]:
    group_id = _group(scene)

    async def acting(session: AsyncSession) -> None:
        organization = await access.the_organization(session)
        await act(session, await groups.find(session, organization, group_id))

    return lambda: scene.replicas.change(acting)


def groups_role_lowered(scene: Scene) -> Callable[[], None]:
    path = f"/user-groups/{_group(scene)}/model-roles"
    body = {"roleName": "NO_ACCESS", "connectionId": scene.connection_id}
    return lambda: scene.request("POST", path, json=body)


def left_the_group(scene: Scene) -> Callable[[], None]:
    return _with_group(scene, lambda session, group: groups.replace(session, group, group.name, None, []))


def group_deleted(scene: Scene) -> Callable[[], None]:
    return _with_group(scene, groups.remove)


def connection_archived(scene: Scene) -> Callable[[], None]:
    return lambda: scene.request("DELETE", f"/connections/{scene.connection_id}")


def _routed(scene: Scene) -> tuple[str, str]:
    """Let the connection be an environment, and ask for its base; returns the attribute's name and the environment."""
    environment, base = scene.connection_id, Scene.made(scene.replicas, scene.server).connection_id
    body = {"baseConnectionId": base, "environmentConnectionIds": environment}
    made = scene.request("POST", "/connection-environments", json=body)["data"][0]["id"]
    scene.request("PUT", f"/connection-environments/{made}", json={"userAttributeValues": "mine"})
    attribute = scene.request("POST", "/user-attributes", json={"name": f"a{uuid.uuid4().hex}"})["name"]
    chooses = {"attributeName": attribute, "defaultValues": None}
    scene.request("PATCH", f"/connections/{base}", json={"environmentUserAttribute": chooses})
    scene.request("PUT", f"/users/{scene.user_id}/attributes", json={attribute: "mine"})
    body = {"roleName": "QUERIER", "connectionId": base}
    scene.request("POST", f"/users/{scene.user_id}/model-roles", json=body)
    scene.connection_id = base
    return attribute, made


def attribute_changed(scene: Scene) -> Callable[[], None]:
    attribute, _ = _routed(scene)
    return lambda: scene.request("PUT", f"/users/{scene.user_id}/attributes", json={attribute: None})


def environment_removed(scene: Scene) -> Callable[[], None]:
    _, environment = _routed(scene)
    return lambda: scene.request("DELETE", f"/connection-environments/{environment}")


def environments_values_changed(scene: Scene) -> Callable[[], None]:
    _, environment = _routed(scene)
    path = f"/connection-environments/{environment}"
    return lambda: scene.request("PUT", path, json={"userAttributeValues": "others"})


TAKES = (
    user_disabled,
    user_deactivated_by_scim,
    user_deleted,
    key_disabled,
    key_revoked,
    own_role_lowered,
    admin_demoted,
    base_role_lowered,
    groups_role_lowered,
    left_the_group,
    group_deleted,
    connection_archived,
    attribute_changed,
    environment_removed,
    environments_values_changed,
)
GONE = "The query was stopped: its key, its user's role or its connection has changed, and it is no longer permitted."


class TestLosesItsRight:
    @pytest.mark.parametrize("take", TAKES, ids=lambda take: take.__name__)
    def test_running_and_waiting_queries_end_within_a_second(
        self, replicas: Replicas, postgres_server: Any, take: Callable[[Scene], Callable[[], None]]
    ):
        scene = Scene.made(replicas, postgres_server)
        take_away = take(scene)
        silent, endless = scene.silent(), scene.endless()
        scene.wait_for(2)
        # With all sessions of the pool in use, this one waits; several workers have a pool each.
        third = scene.silent()
        time.sleep(0.3)
        take_away()
        endless.pause = 0
        scene.wait_for(0, within=PROMISED_SECONDS)
        for asking in (silent, endless, third):
            asking.join(PROMISED_SECONDS)
            assert not asking.is_alive()
        refusal = {"detail": GONE, "status": 403}
        assert (silent.status, silent.body) == (403, refusal)
        assert (third.status, third.body) == (403, refusal)
        assert (endless.status, endless.broke_off) == (200, True)


class TestKeepsItsRight:
    def test_while_others_lose_theirs(self, replicas: Replicas, postgres_server: Any):
        scene, other = Scene.made(replicas, postgres_server), Scene.made(replicas, postgres_server)
        asking = scene.silent()
        scene.wait_for(1)
        for take in (own_role_lowered, key_disabled, user_deleted, connection_archived):
            take(other)()
        body = {"roleName": "MODELER", "connectionId": scene.connection_id}
        scene.request("POST", f"/users/{scene.user_id}/model-roles", json=body)
        scene.request("PATCH", f"/connections/{scene.connection_id}", json={"baseRole": "VIEWER"})
        time.sleep(PROMISED_SECONDS)
        assert (scene.running(), asking.is_alive()) == (1, True)
        user_disabled(scene)()
        asking.join(PROMISED_SECONDS)
        assert asking.status == 403
