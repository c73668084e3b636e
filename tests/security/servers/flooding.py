"""A server that stands in front of a real one, and answers one statement with what does not end."""

from __future__ import annotations

import socket
import struct
import threading

from tests.security.servers.hostile import Hostile

ANNOUNCED = 2_000_000_000
PIECE = bytes(1 << 20)
POSTGRESQL_ROW = b"D" + struct.pack("!ihi", ANNOUNCED + 10, 1, ANNOUNCED)
"""A DataRow with one value of two gigabytes."""
MYSQL_COLUMNS = bytes([4, 0, 0, 1]) + b"\xfd" + bytes(2) + b"\xff"
"""The head of a result with nearly 2^24 columns."""
NAMES = b"".join(bytes([len(name)]) + name for name in (b"def", b"", b"", b"", b"v", b"v"))
MYSQL_COLUMN = NAMES + b"\x0c" + struct.pack("<HIBHB", 45, 100, 0xFD, 0, 0) + b"\0\0"


def mysql_columns() -> bytes:
    """Descriptions of many columns, with the sequence numbers that follow those of the head."""
    size = struct.pack("<I", len(MYSQL_COLUMN))[:3]
    return b"".join(size + bytes([number & 255]) + MYSQL_COLUMN for number in range(2, 2 + 256 * 100))


class Flooding(Hostile):
    """Passes bytes on, until a client has sent `big` so often; then it sends `begin`, and `piece` again and again."""

    def __init__(self, behind: tuple[str, int], begin: bytes, *, times: int = 1, piece: bytes = PIECE) -> None:
        super().__init__()
        self._behind = behind
        self._begin = begin
        self._times = times
        self._piece = piece
        self.sent = 0
        """Bytes of the endless answer that clients took."""

    def serve(self, wire: socket.socket) -> None:
        """Stand between a client and the server."""
        server = socket.create_connection(self._behind)
        self._own.wires.append(server)
        threading.Thread(target=self._pass_answers, args=(server, wire), daemon=True).start()
        seen = 0
        while data := wire.recv(65536):
            seen += b"big" in data
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
