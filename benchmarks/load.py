"""A load generator: a few connections, each with one request under way, in one process and one loop.

It costs some ten microseconds a response, a fraction of what the servers cost, and finds rates within a few percent of
those that wrk finds. Responses are checked for their status and read to their last byte.
"""

from __future__ import annotations

import gc
import itertools
import json
import selectors
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WARM_UP_SECONDS = 0.2
LENGTH = b"content-length: "
MAX_SECONDS = 60
CHUNKED, LAST_CHUNK = b"transfer-encoding: chunked", b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What a run found: responses a second, and latencies in seconds."""

    rate: float
    median: float
    p99: float


def get(path: str, token: str) -> bytes:
    """A GET request with a key."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n".encode()


def post(path: str, token: str, body: object, accept: str = "application/json") -> bytes:
    """A POST request with a key and a JSON body."""
    sent = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\naccept: {accept}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n{sent}".encode()


def drive(port: int, requests: Sequence[bytes], *, clients: int = 8, seconds: float = 1.5) -> Load:
    """Send the requests in turn, over and over, for so many seconds after a short warm-up."""
    sending = itertools.cycle(requests)
    _drive(port, sending, clients, WARM_UP_SECONDS)
    return _drive(port, sending, clients, seconds)


def _drive(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Load:
    """Whatever was sent is answered and counted, so that no server is still at work when the next one's turn comes."""
    selector = selectors.DefaultSelector()
    connections = [_Connection(port, requests) for _ in range(clients)]
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    gc.disable()
    started = time.perf_counter()
    until = started + seconds
    for connection in connections:
        connection.send()
    while selector.get_map():
        for key, _ in _readable(selector):
            if not key.data.read(until):
                selector.unregister(key.fileobj)
    taken = time.perf_counter() - started
    gc.enable()
    for connection in connections:
        connection.socket.close()
    return summary(itertools.chain.from_iterable(one.latencies for one in connections), taken)


def _readable(selector: selectors.BaseSelector) -> list[tuple[selectors.SelectorKey, int]]:
    ready = selector.select(MAX_SECONDS)
    if not ready:
        raise RuntimeError(f"no answer within {MAX_SECONDS} s")
    return ready


def summary(latencies: Iterable[float], seconds: float) -> Load:
    ordered = sorted(latencies)
    return Load(len(ordered) / seconds, ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100])


class _Connection:
    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.latencies: list[float] = []
        self._requests = requests
        self._received = b""
        self._sent_at = 0.0

    def send(self) -> None:
        self._sent_at = time.perf_counter()
        self.socket.send(next(self._requests))

    def read(self, until: float) -> bool:
        """Take what came; a whole response is followed by the next request. False at the end of the run."""
        received = self.socket.recv(262_144)
        if not received:
            raise RuntimeError("the server closed the connection")
        if self._received:
            received = self._received + received
        if not _complete(received):
            self._received = received
            return True
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        self._received = b""
        if now < until:
            self.send()
        return now < until


def _complete(received: bytes) -> bool:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not received.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"expected 200, got {received[:300]!r}")
    at = received.find(LENGTH, 0, end)
    if at < 0:  # written otherwise: found in a copy, which servers that write it so do not make slower
        head = received[:end].lower()
        at = head.find(LENGTH)
        if at < 0 and CHUNKED in head:
            return received.endswith(LAST_CHUNK)
        if at < 0:
            raise RuntimeError(f"the response does not say its length: {received[:end]!r}")
    at += len(LENGTH)
    return len(received) >= end + 4 + int(received[at : received.index(b"\r", at)])
