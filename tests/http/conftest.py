"""The real app on each database that can hold its metadata; the schema is Alembic's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> Callable[[], dict[str, Any]]:
    """The settings that choose a database, a new one with each call."""
    if request.param == "sqlite":
        return dict
    new_database = request.getfixturevalue("new_database")
    return lambda: {"database_url": new_database()}


@pytest.fixture(scope="module")
def service(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """A service that the tests of one module share."""
    return serve(**storage())


@pytest.fixture(scope="module")
def at_once() -> Callable[..., list[httpx.Response]]:
    """Send several requests at the same moment."""

    def sending(service: Any, requests: Sequence[tuple[str, str, Any]]) -> list[httpx.Response]:
        token = service.settings.bootstrap_token.get_secret_value()
        headers = {"authorization": f"Bearer {token}"}

        async def together() -> list[httpx.Response]:
            return await asyncio.gather(
                *(
                    service.client.request(method, f"/api/v1{path}", json=body, headers=headers)
                    for method, path, body in requests
                )
            )

        return service.run(together())

    return sending


@pytest.fixture(scope="module")
def raw() -> Callable[..., tuple[int, Any]]:
    """Send bytes that no HTTP client would; returns the status and what the body says."""

    def sending(
        service: Any,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        parts: Sequence[bytes] = (b"",),
        headers: Sequence[tuple[bytes, bytes]] = (),
        key: bytes | None = None,
    ) -> tuple[int, Any]:
        token = service.settings.bootstrap_token.get_secret_value()
        given = [(b"authorization", key or f"Bearer {token}".encode()), *headers]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query,
            "headers": given,
            "client": ("127.0.0.1", 1),
            "server": ("moorings", 80),
        }
        arriving = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        arriving[-1]["more_body"] = False
        answered: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return arriving.pop(0)

        async def send(message: dict[str, Any]) -> None:
            answered.append(message)

        service.run(service.client._transport.app(scope, receive, send))
        return answered[0]["status"], json.loads(b"".join(message.get("body", b"") for message in answered[1:]))

    return sending


@pytest.fixture(scope="module")
def ended() -> Callable[..., Any]:
    """What became of a job, as soon as it has ended."""

    def waiting(service: Any, job_id: str, seconds: float = 20) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            job = service.request("GET", f"/jobs/{job_id}/status").json()
            if job["status"] != "IN_PROGRESS":
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)

    return waiting


@pytest.fixture(scope="module")
def refresh(ended: Callable[..., Any]) -> Callable[..., Any]:
    """Refresh a connection's catalog; returns the job when it has ended."""

    def refreshing(service: Any, connection_id: str, **body: Any) -> Any:
        started = service.request("POST", f"/connections/{connection_id}/refresh", json=body)
        assert started.status_code == 202, started.text
        return ended(service, started.json()["jobId"])

    return refreshing
