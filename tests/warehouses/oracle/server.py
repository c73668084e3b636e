"""A stub of Oracle's listener: it reads the connect descriptor that the thin driver sends, and refuses by its number.

Proves the way to a listener, in the clear and over TLS, what is asked of it, and what its refusals become. Proves
nothing of a login, of SQL, of types, of cancel and timeouts: no Oracle runs here.
"""

from __future__ import annotations

import contextlib
import os
import re
import socketserver
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import CONCEPTS, SENTINEL, Broken, Server, Sql, Under
from tests.warehouses.servers.process import certificate, folder

REFUSE = 4
SEEN: list[str] = []
"""The descriptors that listeners were sent."""


class Listeners(socketserver.ThreadingTCPServer):
    """A listener on a free port, which speaks TLS where it has a context for it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, in the connection's own thread; a client that refuses the certificate is let go."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with contextlib.suppress(OSError), self.context.wrap_socket(request, server_side=True) as wire:
            super().finish_request(wire, client_address)


class Listener(socketserver.BaseRequestHandler):
    """One connection: refused with the number at the end of the service's name, else as an unknown service."""

    def handle(self) -> None:
        descriptor = self._descriptor()
        if not descriptor:  # a port that was only dialed
            return
        SEEN.append(descriptor)
        numbered = re.search(r"SERVICE_NAME=refused_(\d+)\)", descriptor)
        number = numbered[1] if numbered else "12514"
        text = f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={number})(ERROR_STACK=(ERROR=(CODE={number})(EMFI=4))))".encode()
        body = struct.pack(">BBH", 0, 0, len(text)) + text
        self.request.sendall(struct.pack(">HHBBH", len(body) + 8, 0, REFUSE, 0, 0) + body)

    def _descriptor(self) -> str:
        """What the CONNECT packet says; a long one follows in a packet of its own."""
        came = b""
        while not (found := re.search(rb"\(DESCRIPTION=.*\)", came, re.DOTALL)):
            more = self.request.recv(65_536)
            if not more:
                return ""
            came += more
        return found[0].decode()


@contextlib.contextmanager
def oracle(*, tls: bool) -> Iterator[Server]:
    """A listener that knows no service."""
    with folder("oracle") as home:
        crt, key = certificate(home) if tls else (None, None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if context and crt:
            context.load_cert_chain(crt, key)
        with Listeners(context) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            yield Server("127.0.0.1", server.server_address[1], "scott", SENTINEL, "ORCLPDB1", home, os.getpid(), crt)
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def oracle_server() -> Iterator[Server]:
    """A listener in the clear."""
    with oracle(tls=False) as server:
        yield server


@pytest.fixture(scope="session")
def oracle_tls_server() -> Iterator[Server]:
    """A listener that speaks TLS; its certificate is `certificate`, for `localhost`."""
    with oracle(tls=True) as server:
        yield server


# ---- under test -------------------------------------------------------------------------------------------------

NO_ORACLE = "never: no Oracle runs here, only a listener that refuses"


class Outside:
    """There is nothing to look at."""

    statements = None

    def __init__(self, server: Server | None, directory: Path) -> None:
        """Nothing is kept."""

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        raise AssertionError(NO_ORACLE)

    def running(self, marker: str) -> int:
        raise AssertionError(NO_ORACLE)

    def tagged(self, query_id: str) -> int:
        raise AssertionError(NO_ORACLE)

    def sessions(self) -> int:
        raise AssertionError(NO_ORACLE)

    def kill(self, session_id: str) -> None:
        raise AssertionError(NO_ORACLE)


SQL = Sql(many="", slow="", mark=":1", echo="", types=dict.fromkeys(CONCEPTS, NO_ORACLE))

UNREACHED = "no Oracle runs here, so no login is answered"
BROKEN = (
    Broken("service", "database", "database_not_found", ["database"]),
    Broken("closed service", "authenticate", "database_starting", (), {"database": "refused_12528"}),
    Broken("full server", "authenticate", "too_many_connections", (), {"database": "refused_12516"}),
    Broken("password", "authenticate", "login_refused", ["username", "passwordUnencrypted"], unproduced=UNREACHED),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], unproduced=UNREACHED),
    Broken("no grant on the schema", "schemas", "schema_forbidden", ["defaultSchema"], unproduced=UNREACHED),
)

UNDER = Under(
    "oracle",
    "oracle_server",
    SQL,
    Outside,
    body=lambda server: {"acceptsLicense": True},
    lacks=dict.fromkeys(("sql", "login", "tls", "tls modes", "writes"), NO_ORACLE),
    broken=BROKEN,
)
