"""Connection tests and refreshes end soon after the right to them is lost, as queries do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from moorings.access.policy import Role
from moorings.settings import Settings
from tests.processes.conftest import Replica, Replicas
from tests.processes.conftest import start as start  # the fixture
from tests.security.servers.silence import Silence, silence
from tests.security.test_lost_rights import Scene, key_revoked, user_disabled

CONNECT_SECONDS = 100
"""A silent server keeps a test or a refresh for so long, if nothing ends it."""
SECONDS = 30.0
"""Far less than that, and enough for a busy machine: a second by the rules."""


@pytest.fixture(scope="module")
def replicas(start: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("service")
    with start(folder, CONNECT_TIMEOUT_SECONDS=str(CONNECT_SECONDS)) as only:
        only.client.timeout = CONNECT_SECONDS
        yield Replicas(only, only, Settings(_env_file=None, data_dir=folder / "data"))


@pytest.fixture
def server() -> Iterator[Silence]:
    with silence() as silent:
        yield silent


def scene_of(replicas: Replicas, server: Silence, role: Role) -> Scene:
    where = SimpleNamespace(host="127.0.0.1", port=server.port, database="d", username="u", password="p")
    return Scene.made(replicas, where, role)


def wait_until(what: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def archived(scene: Scene) -> Callable[[], None]:
    return lambda: scene.request("DELETE", f"/connections/{scene.connection_id}")


@pytest.mark.parametrize("lost", [key_revoked, user_disabled, archived])
def test_of_a_stored_connection(replicas: Replicas, server: Silence, lost: Any) -> None:
    scene = scene_of(replicas, server, Role.QUERIER)
    lose, answers = lost(scene), list[Any]()
    path = f"/connections/{scene.connection_id}/test"
    testing = threading.Thread(
        target=lambda: answers.append(
            replicas.first.client.post(path, headers={"authorization": f"Bearer {scene.key}"})
        )
    )
    testing.start()
    wait_until(lambda: server.open > 0)
    lose()
    testing.join(SECONDS)
    assert not testing.is_alive()
    assert "no longer permitted" in answers[0].json()["detail"], answers[0].text
    wait_until(lambda: not server.open)


class TestRefresh:
    @pytest.fixture
    def scene(self, replicas: Replicas, server: Silence) -> Scene:
        return scene_of(replicas, server, Role.QUERIER)

    def begun(self, replica: Replica, scene: Scene, server: Silence) -> str:
        answer = replica.request("POST", f"/connections/{scene.connection_id}/refresh")
        assert answer.status_code in (200, 202), answer.text
        wait_until(lambda: server.open > 0)
        return answer.json()["job_id"]

    def test_of_an_archived_connection(self, replicas: Replicas, scene: Scene, server: Silence) -> None:
        job_id = self.begun(replicas.first, scene, server)
        archived(scene)()
        wait_until(lambda: not server.open)
        wait_until(lambda: replicas.first.request("GET", f"/jobs/{job_id}").json()["status"] != "IN_PROGRESS")

    def test_of_a_changed_connection(self, replicas: Replicas, scene: Scene, server: Silence) -> None:
        """It begins anew, with the settings of now."""
        self.begun(replicas.first, scene, server)
        with silence() as other:
            body = {"port": other.port, "passwordUnencrypted": "p"}
            scene.request("PATCH", f"/connections/{scene.connection_id}", json=body)
            wait_until(lambda: not server.open)
            archived(scene)()
