"""The driver's connection over our sockets. Imports the driver.

The driver resolves names by itself and verifies the canonical name's certificate; the WebSocket library below it takes
proxies from the environment and follows redirects. Here each host is checked, and a checked address is dialled.
"""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import websocket
from pyexasol import ExaConnection
from pyexasol.connection import Host

from moorings import errors
from moorings.dialects.config.hosts import in_url
from moorings.dialects.network import dialing
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.values import check_values

SWITCHING_PROTOCOLS = 101
FIELDS = ("host", "port")
MAX_HEAD_BYTES = 65_536


class _Encrypted(ssl.SSLSocket):
    """A socket whose first bytes are counted: the WebSocket library reads a head of any length, byte by byte."""

    head_left: int | None = MAX_HEAD_BYTES
    """The bytes that the head may still have; None once it was read."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive bytes; raises AnotherService for a head that is too long."""
        data = super().recv(buflen, flags)
        if self.head_left is not None:
            self.head_left -= len(data)
            if self.head_left < 0:
                raise errors.AnotherService(*FIELDS)
        return data


class Wire(ExaConnection):
    """One login to one of the hosts that the rules allow."""

    def __init__(self, way: Network, **how: Any) -> None:
        self._network = way
        self._refusal: errors.EgressRefused | None = None
        super().__init__(**how)

    def _init_json(self) -> None:
        """Decode only answers whose values fit into memory."""
        super()._init_json()
        decode, most = self.json_decode, self._network.longest_answer

        def decoded(text: str | bytes) -> Any:
            check_values(text, most)
            return decode(text)

        self.json_decode = decoded

    def _process_dsn(self, dsn: str) -> list[Host]:
        """Every address of every host that may be dialled; raises EgressRefused when there is none."""
        found = super()._process_dsn(dsn)
        if not found and self._refusal is not None:
            raise self._refusal
        return found

    def _resolve_hostname(self, hostname: str, port: int, fingerprint: str | None) -> list[Host]:
        """The checked addresses of one host; none when all are refused."""
        try:
            found: Sequence[str] = self._network.addresses(hostname, port, *FIELDS)
        except errors.EgressRefused as refusal:
            self._refusal = refusal
            return []
        return [Host(hostname, address, port, fingerprint) for address in random.sample(found, len(found))]

    def _create_websocket_connection(
        self, hostname: str, ipaddr: str, port: int, fingerprint: str | None
    ) -> websocket.WebSocket:
        """Dial the address, and speak TLS and WebSocket with the host there."""
        how = self._get_ws_options(fingerprint=fingerprint)
        tls: ssl.SSLContext = how.pop("sslopt")["context"]
        tls.sslsocket_class = _Encrypted
        wire = dialing.dial([ipaddr], port, how["timeout"])
        try:
            wire = encrypted = tls.wrap_socket(wire, server_hostname=hostname)
            assert isinstance(encrypted, _Encrypted)  # noqa: S101  # the class that was asked for
            speaking = _speaking(encrypted, f"wss://{in_url(hostname)}:{port}", how)
        except BaseException:
            wire.close()
            raise
        encrypted.head_left = None
        return speaking


def _speaking(wire: socket.socket, url: str, how: dict[str, Any]) -> websocket.WebSocket:
    speaking = websocket.create_connection(url, socket=wire, redirect_limit=0, **how)
    if speaking.getstatus() != SWITCHING_PROTOCOLS:  # the library treats a redirect as an answer
        raise errors.AnotherService(*FIELDS)
    return speaking
