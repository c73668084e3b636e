"""A server of PostgreSQL's protocol that asks for the password as it likes, and notes what it gets."""

from __future__ import annotations

import socket
import struct

from tests.security.servers.hostile import Certificate, Hostile, exactly

SSL_REQUEST, CANCEL_REQUEST, GSS_REQUEST = 80877103, 80877102, 80877104
TRUST, CLEARTEXT, MD5 = 0, 3, 5
"""Kinds of AuthenticationRequest."""


class AskingPostgres(Hostile):
    """Refuses every login, after it asked for the password by `asks`; `tls` is `offered`, `refused` or `dropped`."""

    def __init__(
        self,
        asks: int = CLEARTEXT,
        *,
        tls: str = "refused",
        certificate: Certificate | None = None,
        says: str = "password authentication failed",
    ) -> None:
        super().__init__(certificate)
        self._says = says.encode()
        self._asks = asks
        self._tls = tls
        self.ssl_requests = 0
        self.logins: list[bool] = []
        """For each login, whether it came over TLS."""
        self.passwords: list[bytes] = []
        """What clients sent as a password."""

    def serve(self, wire: socket.socket) -> None:
        """Go through the start of one connection."""
        encrypted = False
        while True:
            (length,) = struct.unpack("!i", exactly(wire, 4))
            (code,) = struct.unpack("!i", exactly(wire, length - 4)[:4])
            if code == GSS_REQUEST:
                wire.sendall(b"N")
            elif code == SSL_REQUEST:
                self.ssl_requests += 1
                if self._tls == "dropped":
                    return None
                wire.sendall(b"S" if self._tls == "offered" else b"N")
                if self._tls == "offered":
                    wire, encrypted = self.encrypted(wire), True
            elif code != CANCEL_REQUEST:
                self.logins.append(encrypted)
                return self._ask(wire)

    def _ask(self, wire: socket.socket) -> None:
        salt = b"salt" if self._asks == MD5 else b""
        wire.sendall(b"R" + struct.pack("!ii", 8 + len(salt), self._asks) + salt)
        if self._asks != TRUST:
            kind, length = struct.unpack("!ci", exactly(wire, 5))
            answer = exactly(wire, length - 4)
            if kind == b"p":
                self.passwords.append(answer.rstrip(b"\0"))
        fields = b"SFATAL\0VFATAL\0C28P01\0M" + self._says + b"\0\0"
        wire.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)
