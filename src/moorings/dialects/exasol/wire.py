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

SWITCHING_PROTOCOLS = 101
FIELDS = ("host", "port")


class Wire(ExaConnection):
    """One login to one of the hosts that the rules allow."""

    def __init__(self, way: Network, **how: Any) -> None:
        self._network = way
        self._refusal: errors.EgressRefused | None = None
        super().__init__(**how)

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
        wire = dialing.dial([ipaddr], port, how["timeout"])
        try:
            wire = tls.wrap_socket(wire, server_hostname=hostname)
            return _speaking(wire, f"wss://{in_url(hostname)}:{port}", how)
        except BaseException:
            wire.close()
            raise


def _speaking(wire: socket.socket, url: str, how: dict[str, Any]) -> websocket.WebSocket:
    speaking = websocket.create_connection(url, socket=wire, redirect_limit=0, **how)
    if speaking.getstatus() != SWITCHING_PROTOCOLS:  # the library treats a redirect as an answer
        raise errors.AnotherService(*FIELDS)
    return speaking
