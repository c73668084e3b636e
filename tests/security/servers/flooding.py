"""A server that stands in front of a real one, and answers one statement with what does not end."""

from __future__ import annotations

import socket
import struct
import threading

from tests.security.servers.hostile import Certificate, Hostile

ANNOUNCED = 2_000_000_000
PIECE = bytes(1 << 20)
POSTGRESQL_ROW = b"D" + struct.pack("!ihi", ANNOUNCED + 10, 1, ANNOUNCED)
"""A DataRow with one value of two gigabytes."""
TDS_PACKET = struct.pack(">BBHHBB", 4, 0, 4096, 0, 1, 0)
TDS_ROW = b"\x81\x01\0" + bytes(4) + b"\x09\0\xe7\xff\xff\x09\x04\xd0\0\x34\x01v\0\xd1" + b"\xfe" + b"\xff" * 7
"""One column of nvarchar(max), and a row whose value has no length."""
TDS_BEGIN = TDS_PACKET + (TDS_ROW + struct.pack("<I", ANNOUNCED)).ljust(4088, b"x")
TDS_PIECE = (TDS_PACKET + b"x" * 4088) * 256
HANA_REPLY = struct.pack("<qiIIhBBII", 1, 1, ANNOUNCED, ANNOUNCED, 1, 0, 0, 0, 0)
"""The header of an answer of two gigabytes."""
WEBSOCKET_FRAME = b"\x81\x7f" + struct.pack(">Q", ANNOUNCED)
"""The same, as WebSockets have it."""
HTTP_BEGIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
HTTP_PIECE = b"100000\r\n" + b" " * len(PIECE) + b"\r\n"
"""A body of blanks, which JSON may begin with."""
MYSQL_COLUMNS = bytes([4, 0, 0, 1]) + b"\xfd" + bytes(2) + b"\xff"
"""The head of a result with nearly 2^24 columns."""
NAMES = b"".join(bytes([len(name)]) + name for name in (b"def", b"", b"", b"", b"v", b"v"))
MYSQL_COLUMN = NAMES + b"\x0c" + struct.pack("<HIBHB", 45, 100, 0xFD, 0, 0) + b"\0\0"


def mysql_columns() -> bytes:
    """Descriptions of many columns, with the sequence numbers that follow those of the head."""
    size = struct.pack("<I", len(MYSQL_COLUMN))[:3]
    return b"".join(size + bytes([number & 255]) + MYSQL_COLUMN for number in range(2, 2 + 256 * 100))


class Flooding(Hostile):
    """Passes bytes on, until a client has sent `mark` so often; then it sends `begin`, and `piece` again and again.

    An empty `mark` stands for any message, once the server is `armed`. With a certificate the client's side has TLS.
    """

    def __init__(
        self,
        behind: tuple[str, int],
        begin: bytes,
        *,
        times: int = 1,
        piece: bytes = PIECE,
        mark: bytes = b"big",
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__(certificate)
        self._behind = behind
        self._begin = begin
        self._times = times
        self._piece = piece
        self._mark = mark
        self.armed = threading.Event()
        self.sent = 0
        """Bytes of the endless answer that clients took."""

    def serve(self, wire: socket.socket) -> None:
        """Stand between a client and the server."""
        if self.certificate is not None:
            wire = self.encrypted(wire)
        server = socket.create_connection(self._behind)
        self._own.wires.append(server)
        threading.Thread(target=self._pass_answers, args=(server, wire), daemon=True).start()
        seen = 0
        while data := wire.recv(65536):
            seen += self._mark in data and (bool(self._mark) or self.armed.is_set())
            if seen >= self._times:
                self._flood(wire)
                break
            server.sendall(data)

    def _pass_answers(self, server: socket.socket, wire: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                wire.sendall(data)
        except OSError:
            pass

    def _flood(self, wire: socket.socket) -> None:
        wire.sendall(self._begin)
        while self.sent < ANNOUNCED:
            wire.sendall(self._piece)
            self.sent += len(self._piece)
