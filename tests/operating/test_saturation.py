"""Connection tests at once, beyond what the operator allows: 503, as the OpenAPI document says."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from moorings.api.http import openapi
from moorings.app import ROUTES
from tests.conftest import API, TOKEN

HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def service(serve: Any) -> Any:
    return serve(max_tests=1, pool_wait_seconds=0, connect_timeout_seconds=0.5)


@pytest.mark.parametrize("path", ["/connections/test", "/connections", "/connections/{id}/test"])
def test_one_test_too_many(service: Any, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        body = {"dialect": "mysql", "name": "n", "host": "127.0.0.1", "port": port}
        body |= {"username": "u", "passwordUnencrypted": "p"}
        address = API + path.format(id=service.create(**body)) + ("?test=true" if path == "/connections" else "")
        sent = {} if "{id}" in path else body

        async def twice() -> Any:
            asking = (service.client.post(address, json=sent, headers=HEADERS) for _ in range(2))
            return await asyncio.gather(*asking)

        answers = {answer.status_code: answer for answer in service.run(twice())}
    assert set(answers) == {503, 400 if path == "/connections" else 200}
    assert answers[503].headers["retry-after"] == "1"
    reason = "All places for connection tests are in use. Try again shortly, or raise MOORINGS_MAX_TESTS"
    assert answers[503].json() == {"detail": reason, "status": 503}
    assert "503" in openapi.document(ROUTES)["paths"][API + path.replace("{id}", "{connectionId}")]["post"]["responses"]
