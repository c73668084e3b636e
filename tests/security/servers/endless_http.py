"""A server of HTTP whose answers do not end, or grow to a gigabyte once they are decompressed."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.security.servers.hostile import Certificate, Hostile, exactly

PIECE = bytes(1 << 20)
GIGABYTE = 1 << 30
Headers = Mapping[str, str]


def zeros(size: int = GIGABYTE, begin: bytes = b"") -> bytes:
    """So many zeros behind a beginning, as gzip has them: a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [begin, *[PIECE] * (size // len(PIECE))]
    return b"".join(map(packer.compress, pieces)) + packer.flush()


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What it gets: a body that ends where a real one does; or the beginning of one that does not end, or a bomb."""

    body: bytes = b""
    headers: Headers = field(default_factory=dict[str, str])
    ends: bool = True
    bomb: bytes = b""


class EndlessHttp(Hostile):
    """Answers requests as it is told to."""

    def __init__(self, answer: Callable[[Request], Answer], certificate: Certificate | None = None) -> None:
        super().__init__(certificate)
        self._answer = answer
        self.sent = 0
        """Bytes of endless bodies that clients took."""

    def serve(self, wire: socket.socket) -> None:
        """Answer the requests of one client."""
        if self.certificate is not None:
            wire = self.encrypted(wire)
        while True:
            answer = self._answer(_request(wire))
            encoding = {"Content-Encoding": "gzip"} if answer.bomb else {}
            headers = {**answer.headers, **encoding, "Transfer-Encoding": "chunked"}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            wire.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
            for piece in _pieces(answer):
                wire.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.sent += len(piece)
            wire.sendall(b"0\r\n\r\n")


def _pieces(answer: Answer) -> Iterator[bytes]:
    if piece := answer.bomb or answer.body:
        yield piece
    while not answer.ends:
        yield PIECE


def _request(wire: socket.socket) -> Request:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(wire, 1)
    first, *lines = head.decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    chunked = headers.get("transfer-encoding") == "chunked"
    body = b"".join(_chunks(wire)) if chunked else exactly(wire, int(headers.get("content-length", 0)))
    return Request(first.split()[1], headers, body)


def _chunks(wire: socket.socket) -> Iterator[bytes]:
    while True:
        line = b""
        while not line.endswith(b"\r\n"):
            line += exactly(wire, 1)
        size = int(line, 16)
        yield exactly(wire, size)
        exactly(wire, 2)
        if not size:
            return


def as_json(answer: object) -> bytes:
    """A body of JSON."""
    return json.dumps(answer).encode()
