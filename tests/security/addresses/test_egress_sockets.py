"""Drivers dial the addresses that were checked, and nothing that an answer of a server names is dialled unchecked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings import dialects, errors
from moorings.dialects.base import SessionContext
from moorings.dialects.network.dialing import Network
from moorings.engine.egress import EgressRules
from moorings.engine.service import Engine, TestReport
from moorings.settings import Settings
from tests.security.servers.hostile import Certificate, Hostile
from tests.warehouses.sap_hana import wire as hana_wire
from tests.warehouses.servers.process import certificate as new_certificate

REFUSED, ALLOWED = "127.0.0.2", "127.0.0.1"
Resolve = Callable[[str, int], list[str]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate for `localhost`."""
    return new_certificate(tmp_path_factory.mktemp("certificate"))


class Silent(Hostile):
    """Hangs up on everyone, and counts them."""

    def serve(self, wire: socket.socket) -> None:
        """Nothing."""


@contextlib.contextmanager
def canary() -> Iterator[Silent]:
    """A listener at the refused address, which nothing may dial."""
    silent = Silent()
    with silent.running(REFUSED):
        yield silent
    assert silent.dials == 0


@contextlib.contextmanager
def names(monkeypatch: pytest.MonkeyPatch, **known: list[list[str]]) -> Iterator[None]:
    """A resolver that knows `<name>.test`, with the addresses of each answer in turn; the last one stays."""
    resolve = socket.getaddrinfo

    def resolving(host: Any, port: Any, *further: Any, **named: Any) -> Any:
        answers = known.get(str(host).removesuffix(".test")) if str(host).endswith(".test") else None
        if answers is None:
            return resolve(host, port, *further, **named)
        found = answers.pop(0) if answers[1:] else answers[0]
        return [each for address in found for each in resolve(address, port, *further, **named)]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolving)
        yield


def probe(dialect: str, host: str, port: int, **changes: Any) -> TestReport:
    """The test of a connection, where one address of loopback is refused."""
    body: dict[str, Any] = {"dialect": dialect, "name": "n", "host": host, "port": port, "database": "d"}
    body |= {"username": "u", "passwordUnencrypted": "secret", "acceptsLicense": True, "defaultSchema": "s"} | changes
    named = dialects.named(dialect)
    settings: dict[str, Any] = {"data_dir": Path("unused"), "connect_timeout_seconds": 3, "egress_deny": REFUSED}

    async def probing() -> TestReport:
        engine = Engine(Settings(_env_file=None, **settings))
        try:
            return await engine.test(named, named.Config.read(body))
        finally:
            await engine.close()

    return asyncio.run(probing())


def code(report: TestReport) -> str | None:
    """The code of the step that failed."""
    assert report.failure is not None
    return report.failure.code


DIALLED = ("redshift", "oracle", "exasol", "sap_hana", "mssql")


@pytest.mark.parametrize("dialect", DIALLED)
class TestAddresses:
    """The driver is sent to a checked address, whatever the resolver says to it later."""

    def test_of_two_the_refused_one_is_skipped(self, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with canary() as refused, Silent().running(ALLOWED, refused.port) as server:
            with names(monkeypatch, db=[[REFUSED, ALLOWED]]):
                report = probe(dialect, "db.test", server.port)
            assert code(report) != "egress_refused"
            assert server.dials > 1  # the test's own, and the driver's

    def test_a_name_that_changes_is_not_followed(self, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with canary() as refused, Silent().running(ALLOWED, refused.port) as server:
            for looks in range(1, 5):
                with names(monkeypatch, db=[[ALLOWED]] * looks + [[REFUSED]]):
                    probe(dialect, "db.test", server.port)


class TestExasol:
    def test_of_a_list_each_is_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = {"db1": [[REFUSED]], "db2": [[ALLOWED]], "db3": [[REFUSED, ALLOWED]]}
        with (
            canary() as refused,
            Silent().running(ALLOWED, refused.port) as server,
            names(monkeypatch, **known),
        ):
            assert code(probe("exasol", "db1..3.test", server.port)) != "egress_refused"
            assert server.dials == 2
            assert code(probe("exasol", "db1.test,127.0.0.2", server.port)) == "egress_refused"

    def test_a_redirect_is_not_followed(self, certificate: Certificate) -> None:
        with canary() as refused, Redirecting(certificate, refused.port).running() as server:
            changes = {"sslRootCert": certificate[0].read_text()}
            assert code(probe("exasol", "localhost", server.port, **changes)) is not None
            assert server.connections == 1


class Redirecting(Hostile):
    """Answers the WebSocket's handshake with another place."""

    def __init__(self, certificate: Certificate, port: int) -> None:
        super().__init__(certificate)
        self.port_named, self.connections = port, 0

    def serve(self, wire: socket.socket) -> None:
        """Redirect."""
        with contextlib.suppress(ssl.SSLError):
            wire = self.encrypted(wire)
            if wire.recv(4096):
                self.connections += 1
                answer = f"HTTP/1.1 302 Found\r\nLocation: ws://{REFUSED}:{self.port_named}/\r\n\r\n"
                wire.sendall(answer.encode())


class RedirectingListener(Hostile):
    """An Oracle listener that sends on to another address."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.place, self.connections = (host, port), 0

    def serve(self, wire: socket.socket) -> None:
        """Redirect: the address comes in a packet of its own."""
        if not wire.recv(65_536):
            return
        self.connections += 1
        host, port = self.place
        address = f"(ADDRESS=(PROTOCOL=tcp)(HOST={host})(PORT={port}))"
        text = f"{address}\0(DESCRIPTION={address}(CONNECT_DATA=(SERVICE_NAME=d)))".encode()
        wire.sendall(struct.pack(">HHBBHH", 10, 0, 5, 0, 0, len(text)))
        wire.sendall(struct.pack(">HHBBHH", len(text) + 10, 0, 6, 0, 0, 0) + text)
        wire.recv(1)


class TestOracle:
    def test_a_redirect_is_a_dial_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with canary() as refused, names(monkeypatch, node=[[REFUSED]]):
            for host in (REFUSED, "node.test"):
                with RedirectingListener(host, refused.port).running() as server:
                    assert code(probe("oracle", "localhost", server.port)) == "egress_refused"
                    assert server.connections == 1

    def test_a_redirect_to_what_is_allowed_is_followed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Silent().running() as node, names(monkeypatch, node=[[ALLOWED], [REFUSED]]):
            with RedirectingListener("node.test", node.port).running() as server:
                probe("oracle", "localhost", server.port)
            assert node.dials == 1


class RedirectingHana(Hostile):
    """A system database that says a tenant is on another host."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.place, self.connections = (host, port), 0

    def serve(self, wire: socket.socket) -> None:
        """Answer the one question."""
        if not wire.recv(14):
            return
        wire.sendall(b"\x04\x14\x00\x04\x01\x00\x00\x01")
        if wire.recv(4096):
            self.connections += 1
            host, port = self.place
            options = hana_wire.option(2, host) + hana_wire.option(3, port) + hana_wire.option(4, False)
            part = hana_wire.part(hana_wire.PART_DATABASE_CONNECT_INFO, options, 3)
            wire.sendall(hana_wire.reply(0, [part]))
            wire.recv(1)


class TestHana:
    def test_the_host_of_a_tenant_is_a_dial_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with canary() as refused, names(monkeypatch, node=[[REFUSED]]):
            for host in (REFUSED, "node.test"):
                with RedirectingHana(host, refused.port).running() as server:
                    assert code(probe("sap_hana", "localhost", server.port, sslMode="disable")) == "egress_refused"
                    assert server.connections == 1

    def test_a_host_that_is_allowed_is_dialled_at_the_checked_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Silent().running() as node, names(monkeypatch, node=[[ALLOWED], [REFUSED]]):
            with RedirectingHana("node.test", node.port).running() as server:
                probe("sap_hana", "localhost", server.port, sslMode="disable")
            assert node.dials == 1


def test_motherduck_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(EgressRules.of(Settings(_env_file=None, egress_deny="*.motherduck.com")))
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *further, **named: resolve("192.0.2.1", *further, **named))
    dialect = dialects.named("motherduck")
    config = dialect.Config.read({"dialect": "motherduck", "name": "n", "database": "d", "passwordUnencrypted": "t"})
    with pytest.raises(errors.EgressRefused):
        dialect.connect(config, SessionContext(network=network))
