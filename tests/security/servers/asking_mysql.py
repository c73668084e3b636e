"""A server of MySQL's protocol that asks for the password, or for a file, as it likes, and notes what it gets."""

from __future__ import annotations

import socket
import struct

from tests.security.servers.hostile import Certificate, Hostile, exactly

PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH = 1 << 9, 1 << 11, 1 << 15, 1 << 19
LOCAL_FILES = 1 << 7
SALT = b"saltsaltsaltsaltsalt"
OK = b"\0\0\0\0\0\0\0"
REFUSED = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"
FULL_AUTHENTICATION = b"\x01\x04"
WANTED_FILE = "/etc/hostname"


class AskingMySQL(Hostile):
    """Greets with one plugin, switches to another (or None), and refuses the login; `key` is its RSA key in PEM."""

    def __init__(
        self,
        greets: str = "mysql_native_password",
        switches_to: str | None = None,
        *,
        certificate: Certificate | None = None,
        key: bytes = b"",
    ) -> None:
        super().__init__(certificate)
        self._greets = greets
        self._switches_to = switches_to
        self._key = key
        self.logins: list[bool] = []
        """For each login, whether it came over TLS."""
        self.flags = 0
        """The client's capabilities."""
        self.answers: list[bytes] = []
        """What clients sent of the password, in whatever form."""

    def serve(self, wire: socket.socket) -> None:
        """Go through the start of one connection."""
        wire = self._greeted(wire)
        plugin = self._greets
        if self._switches_to is not None:
            plugin = self._switches_to
            requested = b"\x02Password: " if plugin == "dialog" else SALT + b"\0"
            self._send(wire, b"\xfe" + plugin.encode() + b"\0" + requested)
            self.answers.append(self._receive(wire))
        if plugin in ("caching_sha2_password", "sha256_password"):
            self._ask_in_full(wire, plugin)
        self._send(wire, REFUSED)

    def _greeted(self, wire: socket.socket) -> socket.socket:
        flags = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | (SSL if self.certificate else 0)
        halves = flags & 0xFFFF, flags >> 16
        self._sequence = 0
        greeting = b"\x0a8.4.0\0" + struct.pack("<I", 7) + SALT[:8] + b"\0" + struct.pack("<H", halves[0])
        greeting += struct.pack("<BHH", 45, 0, halves[1]) + bytes([21]) + b"\0" * 10 + SALT[8:] + b"\0"
        self._send(wire, greeting + self._greets.encode() + b"\0")
        response = self._receive(wire)
        (self.flags,) = struct.unpack("<I", response[:4])
        encrypted = bool(self.flags & SSL and self.certificate)
        if encrypted:
            wire = self.encrypted(wire)
            response = self._receive(wire)
        self.logins.append(encrypted)
        _, _, rest = response[32:].partition(b"\0")
        self.answers.append(rest[1 : 1 + rest[0]])
        return wire

    def _ask_in_full(self, wire: socket.socket, plugin: str) -> None:
        """Have the password itself: inside of TLS, or under a key of ours."""
        if plugin == "caching_sha2_password":
            self._send(wire, FULL_AUTHENTICATION)
            self.answers.append(self._receive(wire))
        if self.answers[-1] in (b"\x02", b"\x01"):  # asks for the key
            self._send(wire, b"\x01" + self._key)
            self.answers.append(self._receive(wire))

    def _send(self, wire: socket.socket, payload: bytes) -> None:
        wire.sendall(struct.pack("<I", len(payload))[:3] + bytes([self._sequence]) + payload)
        self._sequence += 1

    def _receive(self, wire: socket.socket) -> bytes:
        head = exactly(wire, 4)
        self._sequence = head[3] + 1
        return exactly(wire, int.from_bytes(head[:3], "little"))


class FileAskingMySQL(AskingMySQL):
    """Lets everybody in, and answers the statement that holds `at` with a request for a file of the client."""

    def __init__(self, at: bytes) -> None:
        super().__init__()
        self._at = at
        self.files: list[bytes] = []
        """What clients sent when they were asked for the file."""
        self.connections = 0

    def serve(self, wire: socket.socket) -> None:
        """Go through one session."""
        wire = self._greeted(wire)
        self._send(wire, OK)
        while True:
            statement = self._receive(wire)
            if self._at in statement:
                self.connections += 1
                self._send(wire, b"\xfb" + WANTED_FILE.encode())
                self.files.append(wire.recv(65_536))
                return
            self._send(wire, OK)
