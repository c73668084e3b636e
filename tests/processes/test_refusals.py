"""Refusals of requests whose body is still on its way: the client reads the answer, and can go on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.processes.conftest import Replica

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def replica(start: Any) -> Iterator[Replica]:
    with start(FAILED_KEY_LIMIT="0") as running:
        yield running


class TestLargeBodies:
    @pytest.mark.parametrize(
        ("method", "path", "key", "status"),
        [
            ("POST", "/connections", None, 413),
            ("POST", "/nowhere", None, 404),
            ("PUT", "/connections", None, 400),
            ("POST", "/connections", "unknown", 403),
        ],
    )
    def test_the_connection_serves_the_next_request(
        self, replica: Replica, method: str, path: str, key: str | None, status: int
    ) -> None:
        for _ in range(40):  # a connection that the server closes is noticed by about every fifth next request
            assert replica.request(method, path, key=key, content=b"x" * (MEGABYTE + 1)).status_code == status
            assert replica.request("POST", "/connections", json={"dialect": "x"}).status_code == 400

    def test_beyond_all_bounds_the_answer_says_that_the_connection_ends(self, replica: Replica) -> None:
        answer = replica.request("POST", "/connections", content=b"x" * (80 * MEGABYTE))
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")

    def test_a_client_that_waits_for_leave_is_refused_at_once(self, replica: Replica) -> None:
        address = httpx.URL(replica.serving.url)
        with socket.create_connection((address.host, address.port), 10) as wire:
            wire.sendall(
                b"POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
            )
            assert wire.recv(1000).startswith(b"HTTP/1.1 404")
