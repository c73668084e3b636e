"""Real processes of the service: alone on SQLite, or two of them on one PostgreSQL and one Valkey."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.db import Database
from moorings.settings import Settings
from tests.terminal import Serving, Terminal

TOKEN = "organization-key-of-the-tests"


class Replica:
    """One running process of the service, and a client of it."""

    def __init__(self, serving: Serving, key: str = TOKEN) -> None:
        self.serving = serving
        self.client = httpx.Client(base_url=f"{serving.url}/api/v1", timeout=30, trust_env=False)
        self._key = key

    def request(self, method: str, path: str, *, key: str | None = None, **sent: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key or self._key}"} | sent.pop("headers", {})
        return self.client.request(method, path, headers=headers, **sent)

    def create(self, **body: Any) -> str:
        given = {"dialect": "postgres", "name": "n", "host": "h", "database": "d", "username": "u"}
        answer = self.request("POST", "/connections", json=given | {"passwordUnencrypted": "p"} | body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]


class Replicas:
    """Two doors to one service, which may be one process; and the database behind them."""

    def __init__(self, first: Replica, second: Replica, settings: Settings) -> None:
        self.first = first
        self.second = second
        self._settings = settings

    def change(self, act: Callable[[AsyncSession], Coroutine[Any, Any, Any]]) -> Any:
        """Act on the metadata database from a process of its own: this one."""

        async def acting() -> Any:
            database = Database(self._settings.database)
            try:
                async with database.unit_of_work() as session:
                    return await act(session)
            finally:
                await database.close()

        return asyncio.run(acting())


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., contextlib.AbstractContextManager[Replica]]:
    """Run `moorings serve` with the given settings while the block lasts."""

    @contextlib.contextmanager
    def starting(folder: Path | None = None, **settings: object) -> Iterator[Replica]:
        terminal = Terminal(folder or tmp_path_factory.mktemp("service"))
        defaults = {"BOOTSTRAP_TOKEN": TOKEN, "RATE_LIMIT": "0", "SAMPLE": "false", "HEALTH_PROBE_SECONDS": "0"}
        with terminal.serving(**(defaults | settings)) as serving:
            replica = Replica(serving)
            with replica.client:
                yield replica

    return starting


@pytest.fixture(scope="module")
def replica(start: Any) -> Iterator[Replica]:
    """One server, on SQLite."""
    with start() as running:
        yield running


@pytest.fixture(scope="module")
def valkey_url(valkey_server: Any) -> str:
    return f"valkey://:{quote(valkey_server.password, safe='')}@{valkey_server.host}:{valkey_server.port}"


@pytest.fixture(scope="module", params=["one on SQLite", "two on PostgreSQL"])
def replicas(
    request: pytest.FixtureRequest, start: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    with contextlib.ExitStack() as stack:
        if request.param == "one on SQLite":
            only = stack.enter_context(start(folder))
            yield Replicas(only, only, Settings(_env_file=None, data_dir=folder / "data"))
            return
        shared = {"DATABASE_URL": request.getfixturevalue("new_database")(), "KEYSET": str(folder / "keyset.json")}
        first, second = (stack.enter_context(start(**shared)) for _ in range(2))
        yield Replicas(first, second, Settings(_env_file=None, database_url=shared["DATABASE_URL"]))
