"""The wire of TDS 7.4 as a server speaks it: packets, TLS wrapped in them, and the tokens of an answer.

Source: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-tds/.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path

BATCH, RPC, ANSWER, ATTENTION, FEDAUTH, TRANSACTION, LOGIN, PRELOGIN = 1, 3, 4, 6, 8, 14, 16, 18
PACKET_BYTES = 4096
RESET = 0x08
MORE, ERROR, COUNT, ATTENTION_DONE = 0x01, 0x02, 0x10, 0x20
COLLATION = bytes.fromhex("0904d00034")


def utf16(text: str) -> bytes:
    """Text as TDS has it."""
    return text.encode("utf-16-le")


def short(text: str) -> bytes:
    """Text with its length in one byte."""
    return bytes([len(text)]) + utf16(text)


def token(kind: int, body: bytes) -> bytes:
    """A token whose length takes two bytes."""
    return struct.pack("<BH", kind, len(body)) + body


def message(number: int, text: str, *, severity: int = 16) -> bytes:
    """An ERROR token; an INFO token for a severity of 10 and below."""
    body = struct.pack("<iBB", number, 1, severity) + struct.pack("<H", len(text)) + utf16(text)
    return token(0xAA if severity > 10 else 0xAB, body + short("stub") + short("") + struct.pack("<i", 1))


def changed(what: int, new: str, old: str = "") -> bytes:
    """An ENVCHANGE token."""
    return token(0xE3, bytes([what]) + short(new) + short(old))


def done(status: int = 0, rows: int = 0, *, kind: int = 0xFD, command: int = 0xC1) -> bytes:
    """A DONE token; DONEPROC and DONEINPROC by their kinds."""
    return struct.pack("<BHHQ", kind, status, command, rows)


class Wire:
    """One client's packets. One thread reads, another one writes."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._tls: ssl.SSLObject | None = None
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._lock = threading.Lock()
        self._plain = b""
        self._waiting = b""
        self._number = 0
        self.reset_asked = False
        """Whether the last message said that the session is to be as after its login."""

    def receive(self) -> tuple[int, bytes]:
        """The next message and its kind; raises EOFError when the client has left."""
        body = b""
        while True:
            kind, status, length = struct.unpack(">BBH", self._exactly(8)[:4])
            self.reset_asked = bool(status & RESET) or (self.reset_asked and bool(body))
            body += self._exactly(length - 8)
            if status & 1:
                return kind, body

    def buffer(self, body: bytes) -> None:
        """A part of an answer; whole packets leave at once."""
        self._waiting += body
        room = PACKET_BYTES - 8
        whole = len(self._waiting) // room * room
        for place in range(0, whole, room):
            self._packet(self._waiting[place : place + room], ANSWER, last=False)
        self._waiting = self._waiting[whole:]

    def send(self, body: bytes, kind: int = ANSWER) -> None:
        """The rest of an answer, or a whole message."""
        self.buffer(b"")
        rest, self._waiting = self._waiting + body, b""
        room = PACKET_BYTES - 8
        parts = [rest[place : place + room] for place in range(0, len(rest), room)] or [b""]
        for part in parts[:-1]:
            self._packet(part, kind, last=False)
        self._packet(parts[-1], kind, last=True)

    def _packet(self, part: bytes, kind: int, *, last: bool) -> None:
        self._number = (self._number + 1) & 255
        self._write(struct.pack(">BBHHBB", kind, last, len(part) + 8, 0, self._number, 0) + part)
        if last:
            self._number = 0

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Shake hands, inside of PRELOGIN packets as TDS 7 does; raises ssl.SSLError when the client will not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # the tickets of 1.3 would come after the handshake's packets
        tls = context.wrap_bio(self._came, self._goes, server_side=True)
        finished = False
        while not finished:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                finished = True
            if waiting := self._goes.read():
                self.send(waiting, PRELOGIN)
            if not finished:
                self._came.write(self.receive()[1])
        self._tls = tls

    def decrypt(self) -> None:
        """Go on in the clear, where only the login was to be encrypted."""
        self._tls = None

    def disconnect(self) -> None:
        """End the connection under both threads."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _write(self, packet: bytes) -> None:
        if self._tls is not None:
            with self._lock:
                self._tls.write(packet)
                packet = self._goes.read()
        self._client.sendall(packet)

    def _exactly(self, count: int) -> bytes:
        while len(self._plain) < count:
            self._plain += self._some()
        taken, self._plain = self._plain[:count], self._plain[count:]
        return taken

    def _some(self) -> bytes:
        if self._tls is None:
            return self._received()
        while True:
            with self._lock, contextlib.suppress(ssl.SSLWantReadError):
                return self._tls.read(65_536) or self._ended()
            arrived = self._received()
            with self._lock:
                self._came.write(arrived)

    def _received(self) -> bytes:
        return self._client.recv(65_536) or self._ended()

    @staticmethod
    def _ended() -> bytes:
        raise EOFError
