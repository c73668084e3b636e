"""Packets of Oracle's network protocol: one that is longer than any can be ends the connection.

The driver puts a packet together by copying it anew with each part that arrives: one of two gigabytes would occupy the
processor, and Python's lock, for minutes.
"""

from __future__ import annotations

import asyncio
from typing import Any

MIN_BYTES = 8
"""The head of every packet: its length, checks and kind."""
ACCEPT_BYTES = 10
"""The head of an ACCEPT, with its version."""
MAX_BYTES = 2 * 1024 * 1024 + 1024
"""The largest unit of data that a client and a server can agree on, and something for its header."""
ACCEPT, LONG_LENGTHS = 2, 315
"""The version of the protocol from which on lengths have four bytes."""


class Packets(asyncio.Protocol):
    """Hands everything to the driver's protocol, and reads the lengths of packets on the way."""

    def __init__(self, driver: Any, *, long: bool = False) -> None:
        self._driver = driver
        self._transport: Any = None
        self._head = b""
        self._left = 0
        """The bytes of the present packet that are still to come."""
        self._wanted = MIN_BYTES
        """The bytes of the head that is being read."""
        self.long = long
        """Whether lengths have four bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._driver.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Check what arrives, and pass it on; a length that no packet has aborts the connection."""
        if self._fits(data):
            self._driver.data_received(data)
        else:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._driver.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._driver.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._driver.resume_writing()

    def _fits(self, data: bytes) -> bool:
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                step = min(self._wanted - len(self._head), len(data) - at)
                self._head += data[at : at + step]
                if len(self._head) == self._wanted and not self._begins():
                    return False
            at += step
        return True

    def _begins(self) -> bool:
        """Read the head of a packet; returns whether its length is possible."""
        size = int.from_bytes(self._head[: 4 if self.long else 2], "big")
        if not MIN_BYTES <= size <= MAX_BYTES:
            return False
        if self._wanted == MIN_BYTES and self._head[4] == ACCEPT and size >= ACCEPT_BYTES:
            self._wanted = ACCEPT_BYTES
            return True
        if self._wanted == ACCEPT_BYTES and int.from_bytes(self._head[MIN_BYTES:], "big") >= LONG_LENGTHS:
            self.long = True
        self._left, self._head, self._wanted = size - len(self._head), b"", MIN_BYTES
        return True
