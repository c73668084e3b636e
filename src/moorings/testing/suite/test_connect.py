"""Connection tests: each fault its own code, its field to blame and words that help, and never the password."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from moorings.engine.service import TestReport
from moorings.errors import InvalidInput
from moorings.testing.engines import Broken, Warehouse
from moorings.testing.room import STEPS, Room, appears, disappears, failed, threads_of_sessions


@pytest.fixture
def probe(inside: Callable[..., Any], warehouse: Warehouse) -> Callable[..., TestReport]:
    """Test a configuration that differs from the one that works."""

    def probing(**changes: Any) -> TestReport:
        config = warehouse.config(**changes)
        return inside(lambda room: room.engine.test(warehouse.dialect, config))

    return probing


@pytest.mark.needs("login")
class TestPassing:
    def test_every_step_is_there_and_none_failed(self, probe: Callable[..., TestReport]) -> None:
        report = probe()
        assert report.success, report
        assert [step.name for step in report.steps] == STEPS
        assert [step.status for step in report.steps[-3:]] == ["passed"] * 3

    @pytest.mark.needs("server", "tls")
    def test_a_server_is_dialed_and_tls_is_told(self, probe: Callable[..., TestReport]) -> None:
        assert {step.status for step in probe().steps} == {"passed"}

    @pytest.mark.needs("server", "tls modes")
    def test_without_tls_it_says_so(self, probe: Callable[..., TestReport]) -> None:
        report = probe(sslMode="disable")
        assert report.success
        assert (report.steps[2].status, report.steps[2].message) == ("skipped", "The connection is not encrypted.")


class TestFaults:
    def test_each_has_its_code_its_blamed_fields_and_no_secret(
        self, probe: Callable[..., TestReport], warehouse: Warehouse, broken: Broken
    ) -> None:
        changes = broken.changes(warehouse.server) if callable(broken.changes) else broken.changes
        if broken.setup:
            warehouse.ask(*broken.setup)
        try:
            report = probe(**changes)
        finally:
            if broken.teardown:
                warehouse.ask(*broken.teardown)
        failed(report, broken.step, broken.code, *broken.fields)


@pytest.mark.needs("server")
class TestFaultsOfServers:
    @pytest.mark.parametrize("name", ["no-such-host.invalid", f"{'x' * 63}.invalid"], ids=["unknown", "long"])
    def test_a_host_that_no_dns_knows(self, probe: Callable[..., TestReport], warehouse: Warehouse, name: str) -> None:
        failed(probe(**{warehouse.under.host: name}), "resolve", "host_not_found", "host")

    def test_a_host_of_too_long_a_part(self, warehouse: Warehouse) -> None:
        with pytest.raises(InvalidInput):
            warehouse.config(**{warehouse.under.host: "x" * 64 + ".invalid"})

    def test_closed_port(self, probe: Callable[..., TestReport]) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            report = probe(port=unused.getsockname()[1])
        failed(report, "connect", "port_closed", "host", "port")

    def test_nothing_is_kept_of_a_server_that_says_nothing(self, probe: Callable[..., TestReport]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            report = probe(port=silent.getsockname()[1])
            assert not report.success
            assert report.failure is not None
            assert report.failure.code in ("connect_timeout", "session_lost", "warehouse_slow")
            for thread in threads_of_sessions():
                thread.join(2)
                assert not thread.is_alive()


@pytest.mark.needs("tls modes")
class TestTls:
    def test_verified_with_the_authority_that_was_given(
        self, probe: Callable[..., TestReport], warehouse: Warehouse
    ) -> None:
        report = probe(host="localhost", sslMode="verify-full", sslRootCert=_authority(warehouse))
        assert report.success, report

    def test_an_unknown_authority_is_refused(self, probe: Callable[..., TestReport]) -> None:
        report = probe(host="localhost", sslMode="verify-full")
        failed(report, "tls", "certificate_refused", "sslMode", "sslRootCert")

    def test_another_host_name_is_refused(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        report = probe(sslMode="verify-full", sslRootCert=_authority(warehouse))
        failed(report, "tls", "certificate_refused", "host", "sslMode")

    def test_verify_ca_does_not_ask_for_the_name(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        assert probe(sslMode="verify-ca", sslRootCert=_authority(warehouse)).success

    def test_a_trusted_server_certificate_is_not_verified(self, probe: Callable[..., TestReport]) -> None:
        assert probe(sslMode="verify-full", trustServerCertificate=True).success

    def test_a_server_without_tls_is_refused_where_tls_is_required(
        self, probe: Callable[..., TestReport], warehouse: Warehouse, request: pytest.FixtureRequest
    ) -> None:
        plain = request.getfixturevalue(f"plain_{warehouse.under.server}")
        failed(probe(port=plain.port, sslMode="require"), "tls", "tls_not_offered", "sslMode")
        assert probe(port=plain.port, sslMode="prefer").success

    @pytest.mark.needs("process list")
    def test_a_statement_can_be_cancelled_over_verified_tls(
        self, inside: Callable[..., Any], warehouse: Warehouse
    ) -> None:
        import asyncio

        async def work(room: Room) -> None:
            target = room.target(host="localhost", sslMode="verify-full", sslRootCert=_authority(warehouse))
            task = asyncio.ensure_future(room.rows(warehouse.sql.slow.format(marker="over_tls"), target=target))
            await appears(warehouse, "over_tls")
            task.cancel()
            await disappears(warehouse, "over_tls")

        inside(work)


@pytest.mark.needs("tls modes")
class TestWhatTheTlsStepSays:
    def test_of_a_mode_that_verifies_nothing(self, probe: Callable[..., TestReport]) -> None:
        message = "The connection is encrypted. The certificate is not verified (sslMode require)."
        assert probe(sslMode="require").steps[2].message == message

    def test_of_verified_tls(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        report = probe(host="localhost", sslMode="verify-full", sslRootCert=_authority(warehouse))
        assert report.steps[2].message == (
            "The connection is encrypted. The certificate and its host name are verified (sslMode verify-full)."
        )

    def test_of_an_authority_that_was_given_with_a_weaker_mode(
        self, probe: Callable[..., TestReport], warehouse: Warehouse
    ) -> None:
        report = probe(sslMode="prefer", sslRootCert=_authority(warehouse))
        assert report.steps[2].message == (
            "The connection is encrypted. The authority of the certificate is verified (sslMode prefer)."
        )

    def test_of_a_server_without_tls(
        self, probe: Callable[..., TestReport], warehouse: Warehouse, request: pytest.FixtureRequest
    ) -> None:
        plain = request.getfixturevalue(f"plain_{warehouse.under.server}")
        step = probe(port=plain.port, sslMode="prefer").steps[2]
        assert (step.status, step.message) == (
            "skipped",
            "The connection is not encrypted. The server has no TLS (sslMode prefer).",
        )


@pytest.mark.needs("tls modes")
class TestAddresses:
    """A host with several addresses, of which some are refused, or lead nowhere."""

    @pytest.fixture
    def resolving(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Have `localhost` resolve to these addresses."""
        resolve = socket.getaddrinfo

        def resolving(*addresses: str) -> None:
            def found(host: Any, *further: Any, **named: Any) -> Any:
                hosts = addresses if host == "localhost" else (host,)
                return [place for host in hosts for place in resolve(host, *further, **named)]

            monkeypatch.setattr(socket, "getaddrinfo", found)

        return resolving

    def test_refused_ones_are_skipped(
        self, probe: Callable[..., TestReport], warehouse: Warehouse, resolving: Callable[..., None]
    ) -> None:
        resolving("169.254.169.254", "127.0.0.1")
        report = probe(host="localhost", sslMode="verify-full", sslRootCert=_authority(warehouse))
        assert report.success, report
        assert report.steps[0].message == "localhost is 127.0.0.1."

    @pytest.mark.needs("process list")
    def test_a_statement_is_cancelled_at_the_one_that_answered(
        self, inside: Callable[..., Any], warehouse: Warehouse, resolving: Callable[..., None]
    ) -> None:
        import asyncio

        async def work(room: Room) -> None:
            target = room.target(host="localhost", sslMode="verify-full", sslRootCert=_authority(warehouse))
            task = asyncio.ensure_future(room.rows(warehouse.sql.slow.format(marker="at_address"), target=target))
            await appears(warehouse, "at_address")
            resolving("127.0.0.3")
            task.cancel()
            await disappears(warehouse, "at_address")

        resolving("127.0.0.2", "127.0.0.1")
        inside(work)


def _authority(warehouse: Warehouse) -> str:
    assert warehouse.server is not None
    assert warehouse.server.certificate is not None
    return warehouse.server.certificate.read_text()
