"""What drivers dial over HTTP: checked addresses alone, once, and never where a server sends them."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from moorings import dialects, errors
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.https import fetch
from moorings.dialects.network.relay import Relay
from moorings.engine.service import Engine, TestReport
from moorings.settings import Settings
from tests.security.servers.redirecting import answering, canary

METADATA = "http://169.254.169.254/latest/meta-data/"


def probe(body: dict[str, Any], **settings: Any) -> TestReport:
    """Test a connection of a body that has no name and password yet."""
    named = dialects.named(body["dialect"])
    filled = {"name": "n", "username": "u", "passwordUnencrypted": "p"} | body
    config = named.Config.read({name: value for name, value in filled.items() if value is not None})

    async def probing() -> TestReport:
        given = {"data_dir": Path("unused"), "connect_timeout_seconds": 2} | settings
        engine = Engine(Settings(_env_file=None, **given))
        try:
            return await engine.test(named, config)
        finally:
            await engine.close()

    return asyncio.run(probing())


def plain(dialect: str, port: int) -> dict[str, Any]:
    """A connection over HTTP to a port of this machine."""
    if dialect == "athena":
        return {"dialect": dialect, "region": "us-east-1", "hostOverride": f"http://127.0.0.1:{port}"}
    return {"dialect": dialect, "host": "127.0.0.1", "port": port, "database": "d", "sslMode": "disable"}


@pytest.mark.parametrize("dialect", ["clickhouse", "trino", "athena"])
class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_none_is_followed(self, dialect: str, status: int) -> None:
        with canary() as watched:
            where = {"Location": f"http://127.0.0.1:{watched.port}/"}
            with answering(status, b"secret body", where) as server:
                report = probe(plain(dialect, server.port))
            assert report.failure is not None
            assert report.failure.code == "another_service"
            assert "secret body" not in repr(report)
            assert watched.visits == []


class TestAddresses:
    @pytest.mark.parametrize("dialect", ["clickhouse", "trino", "athena"])
    def test_a_denied_one_is_not_dialled(self, dialect: str) -> None:
        with canary() as watched:
            report = probe(plain(dialect, watched.port), egress_deny="127.0.0.0/8")
            assert watched.visits == []
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("resolve", "egress_refused")

    def test_the_one_that_was_checked_is_dialled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = iter(["127.0.0.1", "169.254.169.254"])
        real = socket.getaddrinfo

        def rebinding(host: str, port: int, *rest: Any, **how: Any) -> Any:
            return real(next(answers) if host == "rebinding.example" else host, port, *rest, **how)

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with answering(200, b"checked") as server:
            url = f"http://rebinding.example:{server.port}/"
            assert fetch(Network(), url, headers={}, timeout_seconds=2).body == b"checked"
            with pytest.raises(errors.EgressRefused, match="link-local"):
                fetch(Network(), url, headers={}, timeout_seconds=2)

    @pytest.mark.parametrize(
        "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]"]
    )
    def test_metadata_is_never_dialled(self, host: str) -> None:
        with pytest.raises(errors.EgressRefused):
            fetch(Network(), f"http://{host}/", headers={}, timeout_seconds=2)


class TestRelay:
    """The proxy that the Snowflake driver is given."""

    def test_it_serves_nobody_without_its_password(self) -> None:
        relay = Relay(Network(), 2, ("host",), None)
        try:
            with canary() as watched:
                with socket.create_connection(("127.0.0.1", relay.port), 2) as wire:
                    wire.sendall(f"CONNECT 127.0.0.1:{watched.port} HTTP/1.1\r\n\r\n".encode())
                    assert wire.recv(100).startswith(b"HTTP/1.1 407")
                assert watched.visits == []
        finally:
            relay.close()

    def test_no_caller_may_name_it(self) -> None:
        relay = Relay(Network(), 2, ("host",), None)
        try:
            with pytest.raises(errors.EgressRefused, match="Moorings itself"):
                Network().addresses("127.0.0.1", relay.port, "host")
        finally:
            relay.close()


class TestProxy:
    def test_names_that_it_resolves_are_checked_as_names(self) -> None:
        with canary() as watched:
            settings = {"https_proxy": f"http://127.0.0.1:{watched.port}", "egress_deny": "*.invalid"}
            body = {"dialect": "clickhouse", "host": "warehouse.invalid", "port": 8443}
            report = probe(body, **settings)
            assert watched.visits == []
            assert report.failure is not None
            assert report.failure.code == "egress_refused"
            probe(body, https_proxy=settings["https_proxy"])
            assert watched.visits != []


class TestRefusalsInsideOfDrivers:
    @pytest.mark.parametrize("dialect", dialects.names())
    def test_a_refusal_that_a_driver_wraps_stays_one(self, dialect: str) -> None:
        refusal = errors.EgressRefused("host", message="169.254.169.254 is a link-local address.")
        wrapped = RuntimeError("cannot log in")
        wrapped.__cause__ = OSError("connection failed", refusal)
        assert dialects.named(dialect).translate(wrapped, ["secret"]) is refusal
