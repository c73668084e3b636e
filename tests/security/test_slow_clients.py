"""Clients that stop in the middle of a request, or of an answer, and requests that two readers read differently."""

from __future__ import annotations

import contextlib
import json
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.processes.conftest import TOKEN, Replica
from tests.processes.conftest import start as start  # the fixture

LIMIT = 2
MANY = 8
"""Clients at once: whether the server lets go of a request must not hang on when it collects garbage."""
MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}


@pytest.fixture(scope="module")
def replica(start: Any) -> Iterator[Replica]:
    with start(HEAD_SECONDS=LIMIT, BODY_SECONDS=LIMIT, STALLED_SECONDS=LIMIT, FAILED_KEY_LIMIT="0") as running:
        yield running


@contextlib.contextmanager
def wire(replica: Replica) -> Iterator[socket.socket]:
    address = httpx.URL(replica.serving.url)
    with socket.create_connection((address.host, address.port), 10) as opened:
        opened.settimeout(20)
        yield opened


def everything(opened: socket.socket) -> bytes:
    """What arrives until the server hangs up."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := opened.recv(65536):
            parts.append(part)
    return b"".join(parts)


def head(path: str = "/api/v1/connections", *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: h", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, "", ""]).encode()


KEY = f"Authorization: Bearer {TOKEN}"


class TestHalfSentBodies:
    @pytest.mark.parametrize("path", ["/api/v1/connections", "/api/v1/user-attributes"])
    def test_408_and_the_connection_ends(self, replica: Replica, path: str) -> None:
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(wire(replica)) for _ in range(MANY)]
            for opened in clients:
                opened.sendall(head(path, KEY, "Content-Length: 1000") + b'{"dialect": ')
            answers = [everything(opened) for opened in clients]
        for answer in answers:
            status, _, body = answer.partition(b"\r\n\r\n")
            assert status.startswith(b"HTTP/1.1 408")
            assert b"connection: close" in status.lower()
            assert json.loads(body) == {"detail": "Request body did not arrive in time", "status": 408}
        assert LIMIT - 0.5 < time.monotonic() - started < LIMIT + 4

    def test_a_byte_now_and_then_is_no_way_out(self, replica: Replica) -> None:
        started = time.monotonic()
        with wire(replica) as opened, contextlib.suppress(ConnectionError):
            opened.sendall(head("/api/v1/connections", KEY, "Content-Length: 1000"))
            while time.monotonic() - started < LIMIT + 6:
                opened.sendall(b" ")
                time.sleep(0.2)
            pytest.fail("still connected")


class TestHalfSentHeads:
    @pytest.mark.parametrize("sent", [b"", b"P", b"POST /", head()[:-2]], ids=["none", "one", "line", "head"])
    def test_the_server_hangs_up(self, replica: Replica, sent: bytes) -> None:
        started = time.monotonic()
        with wire(replica) as opened:
            opened.sendall(sent)
            everything(opened)
        assert time.monotonic() - started < LIMIT + 4


class TestStalledReaders:
    def test_the_query_ends_and_its_session_is_free(self, replica: Replica) -> None:
        connection_id = replica.create(**MEMORY)
        query_id = str(uuid.uuid4())
        body = json.dumps({"sql": "SELECT repeat('x', 10000) AS v FROM range(100000)"}).encode()
        with wire(replica) as opened:
            path = f"/api/v1/connections/{connection_id}/query"
            opened.sendall(head(path, KEY, f"Content-Length: {len(body)}", f"Moorings-Query-Id: {query_id}") + body)
            assert opened.recv(10).startswith(b"HTTP/1.1 2")
            deadline = time.monotonic() + LIMIT + 6
            while replica.request("DELETE", f"/queries/{query_id}").status_code != 404:
                assert time.monotonic() < deadline, "the query still runs"
                time.sleep(LIMIT + 1)


class TestTwoReaders:
    @pytest.mark.parametrize("second", [TOKEN, "something else", ""])
    def test_two_authorization_headers_are_401(self, replica: Replica, second: str) -> None:
        with wire(replica) as opened:
            opened.sendall(
                head("/api/v1/connections", KEY, f"Authorization: Bearer {second}", "Connection: close", method="GET")
            )
            answer = everything(opened)
        assert answer.startswith(b"HTTP/1.1 401")
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"detail": "Authentication required", "status": 401}

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/api/v1%2fconnections", 404),
            ("/api/v1/connections%2F{id}", 404),
            ("/api/v1/connections%2f{id}%2fhealth", 404),
            ("/api/v1/connections/{id}%2fhealth", 400),
            ("/api/v1/connections/x%2f..%2f{id}", 400),
            ("/%2fapi/v1/connections", 404),
            ("/api/v1/connections/{id}", 200),
            ("/api%2Fv1/scim/v2/Users", 404),
        ],
    )
    def test_an_escaped_slash_parts_nothing(self, replica: Replica, path: str, status: int) -> None:
        connection_id = replica.create()
        with wire(replica) as opened:
            opened.sendall(head(path.format(id=connection_id), KEY, "Connection: close", method="GET"))
            answer = everything(opened)
        assert answer.startswith(b"HTTP/1.1 %d" % status), answer
