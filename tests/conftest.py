"""What every test may ask for: the real app, with a data directory of its own, spoken to over HTTP in-process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.policy import Role
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.settings import Settings

TOKEN = "organization-key-of-the-tests"
API = "/api/v1"


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start an ASGI app, and stop it at the end, as a server does."""
    received: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    running = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, received.get, sent.put))
    for stage in ("startup", "shutdown"):
        await received.put({"type": f"lifespan.{stage}"})
        answer = asyncio.ensure_future(sent.get())
        await asyncio.wait({answer, running}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await running
        assert answer.result()["type"] == f"lifespan.{stage}.complete"
        if stage == "startup":
            yield
    await running


class Service:
    """One running app, in a loop of its own, for tests that are not async."""

    def __init__(self, settings: Settings) -> None:
        from moorings.app import prepare  # unit tests do without the app

        self.settings = settings
        self.first_key = prepare(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._stack = contextlib.AsyncExitStack()
        self.client = self.run(self._start())

    async def _start(self) -> httpx.AsyncClient:
        from moorings.app import create_app

        app = create_app(self.settings)
        await self._stack.enter_async_context(lifespan(app))
        self.database = Database(self.settings.database)
        self._stack.push_async_callback(self.database.close)
        transport = httpx.ASGITransport(app)
        return await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://moorings", trust_env=False)
        )

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Await something in the app's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def close(self) -> None:
        """Stop the app."""
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def request(self, method: str, path: str, *, key: str | None = TOKEN, **sent: Any) -> httpx.Response:
        """Send one request below `/api/v1` with a key; `key=None` sends none."""
        headers = {"authorization": f"Bearer {key}"} if key is not None else {}
        headers |= sent.pop("headers", {})
        return self.run(self.client.request(method, API + path, headers=headers, **sent))

    def create(self, **body: Any) -> str:
        """Create a connection (a PostgreSQL one unless said); returns its id."""
        given = {"dialect": "postgres", "name": "base", "host": "h", "database": "d", "username": "u"}
        answer = self.request("POST", "/connections", json=given | {"passwordUnencrypted": "p"} | body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    def change(self, act: Callable[[AsyncSession], Coroutine[Any, Any, Any]]) -> Any:
        """Act on the metadata database itself, for what no endpoint offers yet."""

        async def acting() -> Any:
            async with self.database.unit_of_work() as session:
                return await act(session)

        return self.run(acting())

    def archive(self, connection_id: str) -> None:
        """Mark a connection as archived."""
        archived = update(Connection).where(Connection.id == connection_id).values(deleted_at=1_700_000_000_000)
        self.change(lambda session: session.execute(archived))

    def patch(self, connection_id: str, body: Any, **sent: Any) -> httpx.Response:
        """Change a connection."""
        return self.request("PATCH", f"/connections/{connection_id}", json=body, **sent)

    def shown(self, connection_id: str) -> dict[str, Any]:
        """A connection as it is shown."""
        return self.request("GET", f"/connections/{connection_id}").json()["connection"]

    def new_user(self, *, admin: bool = False, **roles: Role) -> tuple[str, str]:
        """The key and the id of a new user; `roles` by connection id."""

        async def making(session: AsyncSession) -> tuple[str, str]:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "Member", admin=admin)
            for connection_id, role in roles.items():
                await access.assign_role(session, user, connection_id, role)
            return await access.create_key(session, organization, "Member's", user.id), user.id

        return self.change(making)

    def member(self, **roles: Role) -> str:
        """The key of a new user who is no admin; `roles` by connection id."""
        return self.new_user(**roles)[0]


def settings_for(directory: Path, **given: Any) -> Settings:
    """Settings of a service that is alone in a directory, without limits unless said."""
    defaults = {"data_dir": directory, "bootstrap_token": TOKEN, "rate_limit": "0", "sample": False}
    defaults |= {"health_probe_seconds": 0}  # what no test asked for is not dialled
    defaults |= {"log_level": "warning"}  # no line for each request: tests of these lines start a process
    return Settings(_env_file=None, **(defaults | given))


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Start a service with the given settings; it stops when the module's tests are done."""
    with contextlib.ExitStack() as stack:

        def starting(**given: Any) -> Service:
            service = Service(settings_for(tmp_path_factory.mktemp("data"), **given))
            stack.callback(service.close)
            return service

        yield starting


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service]) -> Service:
    """A service that the tests of one module share."""
    return serve()


@pytest.fixture(scope="session")
def new_database(postgres_server: Any) -> Callable[[], str]:
    """Make an empty database on a real PostgreSQL; returns its address, as MOORINGS_DATABASE_URL takes it."""
    from tests.warehouses.postgres.server import login

    numbers = itertools.count(1)

    def making() -> str:
        name = f"metadata_{next(numbers)}"
        with login(postgres_server) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        user, password = postgres_server.username, quote(postgres_server.password, safe="")
        return f"postgresql://{user}:{password}@{postgres_server.host}:{postgres_server.port}/{name}"

    return making
