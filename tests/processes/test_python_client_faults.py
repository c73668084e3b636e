"""The Python client against a server that fails on demand, which a real one cannot."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Iterator, Sequence

import pytest

from moorings.client import (
    AsyncClient,
    Client,
    ClientError,
    ConnectionFailed,
    Retries,
    ServerError,
    StreamBroken,
    TooManyRequests,
    Unavailable,
)

ID = "0b9c1c1e-0000-4000-8000-000000000001"
QUICK = Retries(first_seconds=0.001)
OK = (200, {}, b'{"ok": true}')
BUSY = (503, {"Retry-After": "0"}, b'{"detail": "No session is free", "status": 503}')
LIMITED = (429, {"Retry-After": "0"}, b'{"detail": "Too many requests", "status": 429}')
GATEWAY = (502, {}, b"<html>bad gateway</html>")
CUT = (200, {}, None)


class Fake(socketserver.ThreadingTCPServer):
    """Answers each request with the next of its answers; None breaks the connection off after a chunk."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], bytes | None]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []

    def answer(self, *answers: tuple[int, dict[str, str], bytes | None]) -> None:
        self.answers, self.requests = [*answers], []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def header(self, name: str) -> list[str | None]:
        return [headers.get(name) for _, headers in self.requests]


class Handler(socketserver.StreamRequestHandler):
    server: Fake

    def handle(self) -> None:
        while line := self.rfile.readline().decode().strip():
            headers = dict(self._headers())
            self.rfile.read(int(headers.get("content-length", 0)))
            self.server.requests.append((line.rsplit(" ", 1)[0], headers))
            status, more, body = self.server.answers.pop(0) if self.server.answers else OK
            if body is None:
                self.wfile.write(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/csv\r\n\r\n3\r\nabc\r\n"
                )
                return
            head = {"Content-Type": "application/json", "Content-Length": str(len(body))} | more
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            self.wfile.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)

    def _headers(self) -> Iterator[Sequence[str]]:
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(": ")
            yield name.lower(), value


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with Fake() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(params=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest, fake: Fake):
    """Send one request by either client."""

    def asked(method: str, path: str, retries: Retries = QUICK, **sent: object) -> object:
        if request.param == "Client":
            with Client(fake.url, "k" * 20, retries=retries) as client:
                return client.request(method, path, **sent)

        async def go() -> object:
            async with AsyncClient(fake.url, "k" * 20, retries=retries) as client:
                return await client.request(method, path, **sent)

        return asyncio.run(go())

    return asked


class TestRetries:
    @pytest.mark.parametrize("refusal", [BUSY, LIMITED])
    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
    def test_what_the_service_refused_with_retry_after_is_sent_again(self, fake, ask, refusal, method):
        fake.answer(refusal, refusal, OK)
        assert ask(method, "/queries") == {"ok": True}
        assert len(fake.requests) == 3

    def test_end_with_the_last_error(self, fake, ask):
        fake.answer(*[LIMITED] * 9)
        with pytest.raises(TooManyRequests) as refused:
            ask("GET", "/connections")
        assert (len(fake.requests), refused.value.retry_after, refused.value.code) == (4, 0, "too_many_requests")

    def test_a_wait_that_is_too_long_is_left_to_the_caller(self, fake, ask):
        fake.answer((503, {"Retry-After": "3600"}, BUSY[2]))
        with pytest.raises(Unavailable) as refused:
            ask("GET", "/connections")
        assert (len(fake.requests), refused.value.retry_after) == (1, 3600)

    @pytest.mark.parametrize("fault", [GATEWAY, CUT])
    def test_an_unknown_outcome_repeats_only_what_may_be_repeated(self, fake, ask, fault):
        fake.answer(fault, OK)
        assert ask("GET", "/connections") == {"ok": True}
        for method, path in (("PATCH", f"/connections/{ID}"), ("DELETE", f"/connections/{ID}"), ("POST", "/webhooks")):
            fake.answer(fault, OK)
            with pytest.raises((ServerError, ConnectionFailed)):
                ask(method, path, json={})
            assert len(fake.requests) == 1

    def test_a_post_that_takes_an_idempotency_key_is_repeated_with_the_same_one(self, fake, ask):
        fake.answer(CUT, GATEWAY, OK)
        ask("POST", "/connections", json={})
        keys = fake.header("idempotency-key")
        assert len(keys) == 3
        assert len(set(keys)) == 1
        assert keys[0]

    def test_none_when_switched_off(self, fake, ask):
        fake.answer(BUSY, OK)
        with pytest.raises(Unavailable):
            ask("GET", "/connections", Retries(0))

    def test_an_address_where_nothing_listens(self):
        with Client("http://127.0.0.1:9", "k" * 20, retries=QUICK) as client, pytest.raises(ConnectionFailed) as failed:
            client.whoami()
        assert "/health" in failed.value.next_step


class TestAnswersOfOthers:
    def test_a_redirect_gets_no_key(self, fake, ask):
        fake.answer((301, {"Location": "https://elsewhere.example/"}, b""))
        with pytest.raises(ClientError, match=r"https://elsewhere\.example"):
            ask("GET", "/connections")
        assert len(fake.requests) == 1

    def test_a_page_of_a_proxy_is_an_error(self, fake, ask):
        fake.answer(*[GATEWAY] * 4)
        with pytest.raises(Unavailable, match="502"):
            ask("GET", "/connections")


class TestStreams:
    def test_one_that_breaks_off_raises(self, fake):
        fake.answer(CUT)
        with (
            Client(fake.url, "k" * 20) as client,
            client.download("SELECT 1", ID) as download,
            pytest.raises(StreamBroken),
        ):
            list(download)
        assert len(fake.requests) == 1  # nothing to cancel: the service broke it off

    def test_one_that_breaks_off_raises_for_the_other_client(self, fake):
        async def go() -> None:
            async with AsyncClient(fake.url, "k" * 20) as client, client.download("SELECT 1", ID) as download:
                async for _ in download:
                    pass

        fake.answer(CUT)
        with pytest.raises(StreamBroken):
            asyncio.run(go())

    def test_a_query_is_sent_once(self, fake):
        fake.answer(GATEWAY, OK)
        with Client(fake.url, "k" * 20, retries=QUICK) as client, pytest.raises(Unavailable):
            client.query("DELETE FROM t", ID)
        assert len(fake.requests) == 1
