"""The server's side of a WebSocket (RFC 6455), as far as a stub needs it: whole text and binary messages."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept(connection: socket.socket) -> None:
    """Answer the HTTP request that opens it."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _read(connection, 1)
        if not request.startswith(b"G"):  # no HTTP, but perhaps TLS
            raise EOFError
    lines = request.split(b"\r\n")
    key = next(line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:"))
    answer = base64.b64encode(hashlib.sha1(key + GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )


def receive(connection: socket.socket) -> bytes:
    """The next message; raises EOFError when the other side has left."""
    message = b""
    while True:
        first, second = _read(connection, 2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(_read(connection, 2 if size == 126 else 8), "big")
        mask = _read(connection, 4)
        data = _unmasked(_read(connection, size), mask)
        kind = first & 0x0F
        if kind == CLOSE:
            raise EOFError
        if kind == PING:
            send(connection, data, PONG)
        elif kind != PONG:
            message += data
            if first & 0x80:
                return message


def send(connection: socket.socket, data: bytes, kind: int = TEXT) -> None:
    """Send a message in one frame."""
    size = len(data)
    if size < 126:
        header = struct.pack("!BB", 0x80 | kind, size)
    elif size < 65_536:
        header = struct.pack("!BBH", 0x80 | kind, 126, size)
    else:
        header = struct.pack("!BBQ", 0x80 | kind, 127, size)
    connection.sendall(header + data)


def _unmasked(data: bytes, mask: bytes) -> bytes:
    stream = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
