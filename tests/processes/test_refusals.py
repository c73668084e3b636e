"""Requests whose body is still on its way when they are refused, or never comes to its end."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.processes.conftest import TOKEN, Replica

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

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("POST", "/connections", 413), ("POST", "/nowhere", 404), ("PUT", "/connections", 400)],
    )
    def test_a_client_that_sends_all_before_it_reads_gets_its_answer(
        self, replica: Replica, method: str, path: str, status: int
    ) -> None:
        address = httpx.URL(replica.serving.url)
        for _ in range(5):
            client = http.client.HTTPConnection(address.host, address.port, timeout=30)
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            client.request(method, f"/api/v1{path}", b"x" * (20 * MEGABYTE), headers)
            answer = client.getresponse()
            assert (answer.status, json.load(answer)["status"]) == (status, status)
            client.close()


CUT = [
    pytest.param(b"Content-Length: %d\r\n", b"%s", id="fewer bytes than its length"),
    pytest.param(b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n", id="no last chunk"),
]


class TestCutOffBodies:
    """A first part that would be a whole body by itself is none: the client may have meant more than that."""

    @pytest.mark.parametrize("leaves", [True, False], ids=["it closes", "it only stops sending"])
    @pytest.mark.parametrize(("framing", "part"), CUT)
    def test_change_nothing(self, replica: Replica, framing: bytes, part: bytes, leaves: bool) -> None:
        path = f"/connections/{replica.create(name='before')}"
        before = replica.request("GET", path).json()
        self.cut_off(replica, "PATCH", path, {"baseRole": "MODELER"}, framing, part, leaves)
        self.cut_off(replica, "POST", "/connections", created("cut off"), framing, part, leaves)
        assert replica.request("GET", path).json() == before
        assert replica.request("GET", "/connections", params={"name": "cut off"}).json() == {"connections": []}

    def cut_off(
        self, replica: Replica, method: str, path: str, body: Any, framing: bytes, part: bytes, leaves: bool
    ) -> None:
        sent = json.dumps(body).encode()
        head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
        framing = framing % (len(sent) + 1) if b"%" in framing else framing
        framed = part % ((len(sent), sent) if b"%x" in part else sent)
        address, logged = httpx.URL(replica.serving.url), over(replica)
        with socket.create_connection((address.host, address.port), 10) as wire:
            wire.sendall(head + framing + b"\r\n" + framed)
            if not leaves:
                wire.shutdown(socket.SHUT_WR)
            answer = b"" if leaves else wire.makefile("rb").read()
        until = time.monotonic() + 10
        while over(replica) == logged:
            assert time.monotonic() < until, "the request did not end"
            time.sleep(0.01)
        if leaves:
            return
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.endswith(b'{"detail":"Bad Request: Invalid JSON","status":400}')


class TestProtocolFaults:
    """What docs/reference/errors.md says that the server answers itself, with an empty body."""

    @pytest.mark.parametrize(
        ("line", "headers", "status"),
        [
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"", 414),
            (b"GET /health HTTP/1.1", b"X: " + b"a" * 900_000 + b"\r\n", 431),
            (b"GET /health HTTP/1.1", b"X: a\r\n" * 200, 431),
            (b"POST /health HTTP/1.1", b"Content-Length: 18446744073709551615\r\n", 431),
            (b"POST /health HTTP/1.1", b"Content-Length: 99999999999999999999\r\n", 400),
            (b"POST /health HTTP/1.1", b"Content-Length: -1\r\n", 400),
            (b"POST /health HTTP/1.1", b"Content-Length: 1\r\nContent-Length: 2\r\n", 400),
            (b"POST /health HTTP/1.1", b"Transfer-Encoding: gzip\r\n", 400),
            (b"GET /\xff HTTP/1.1", b"", 400),
            (b"GET /health HTTP/9.1", b"", 400),
            (b"G@T /health HTTP/1.1", b"", 400),
            (b"GET /health HTTP/1.1", b"A b: c\r\n", 400),
        ],
    )
    def test_have_an_empty_body_and_end_the_connection(
        self, replica: Replica, line: bytes, headers: bytes, status: int
    ) -> None:
        address = httpx.URL(replica.serving.url)
        with socket.create_connection((address.host, address.port), 10) as wire:
            with contextlib.suppress(ConnectionError):  # refused before all of it was sent
                wire.sendall(line + b"\r\nHost: h\r\n" + headers + b"\r\n")
            head, _, body = wire.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d" % status)
        assert body == b""


def over(replica: Replica) -> int:
    """How many writing requests have ended, by the log."""
    return len(re.findall(r" method=(?:POST|PATCH) .* milliseconds=", replica.serving.err))


def created(name: str) -> dict[str, Any]:
    given = {"dialect": "postgres", "name": name, "host": "h", "database": "d", "username": "u"}
    return given | {"passwordUnencrypted": "p"}
