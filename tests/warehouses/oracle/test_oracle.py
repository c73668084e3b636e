"""What is Oracle's own: the descriptor, TCPS, and listeners that fall silent. No login can be had here."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import threads_of_sessions
from tests.warehouses.engines import under
from tests.warehouses.oracle import server as oracle
from tests.warehouses.reports import found

Probe = Callable[..., TestReport]

ACCEPT = 2


@pytest.fixture(scope="module")
def warehouse(oracle_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(under("oracle"), oracle_server, tmp_path_factory.mktemp("unused"))


@pytest.fixture
def probe(probe: Probe) -> Probe:
    """Do not wait long for listeners that fall silent."""
    return functools.partial(probe, {"connect_timeout_seconds": 1})


def accepted() -> bytes:
    """A listener's ACCEPT, behind which the login begins."""
    body = struct.pack(">HHHHHHHBB", 319, 0, 8192, 65535, 1, 0, 41, 0, 0) + bytes(8) + struct.pack(">II", 8192, 65535)
    body += bytes(9)
    return struct.pack(">HHBBH", len(body) + 8, 0, ACCEPT, 0, 0) + body


def test_the_descriptor_names_service_and_program(probe: Probe) -> None:
    oracle.SEEN.clear()
    probe(database="sales.example.com")
    (descriptor,) = oracle.SEEN
    assert "(SERVICE_NAME=sales.example.com)" in descriptor
    assert "(PROGRAM=moorings)" in descriptor


class TestTls:
    @pytest.fixture
    def probe(self, probe: Probe, oracle_tls_server: Server) -> Probe:
        return lambda **changes: probe(**{"host": "localhost", "port": oracle_tls_server.port} | changes)

    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
    def test_the_listener_is_asked_over_tls(self, probe: Probe, oracle_tls_server: Server, mode: str) -> None:
        oracle.SEEN.clear()
        report = probe(sslMode=mode, sslRootCert=_authority(oracle_tls_server))
        assert found(report) == ("database", "database_not_found", ("database",))
        assert "(PROTOCOL=tcps)" in oracle.SEEN[0]

    def test_an_unknown_authority_is_refused(self, probe: Probe) -> None:
        assert found(probe(sslMode="verify-ca")) == ("tls", "certificate_refused", ("sslMode", "sslRootCert"))

    def test_another_host_name_is_refused(self, probe: Probe, oracle_tls_server: Server) -> None:
        report = probe(host="127.0.0.1", sslMode="verify-full", sslRootCert=_authority(oracle_tls_server))
        assert found(report) == ("tls", "certificate_refused", ("host", "sslMode"))

    def test_verify_ca_does_not_ask_for_the_name(self, probe: Probe, oracle_tls_server: Server) -> None:
        report = probe(host="127.0.0.1", sslMode="verify-ca", sslRootCert=_authority(oracle_tls_server))
        assert found(report)[0] == "database"

    def test_what_answers_in_the_clear_is_refused(self, probe: Probe) -> None:
        with falling_silent(accepted()) as (port, _):
            assert found(probe(port=port, sslMode="require")) == ("tls", "tls_refused", ("port", "sslMode"))


class TestSilence:
    @pytest.mark.parametrize(
        ("mode", "words"),
        [("disable", b""), ("require", b""), ("disable", accepted())],
        ids=["at once", "over TLS", "in the login"],
    )
    def test_nothing_is_kept_of_a_server_that_falls_silent(self, probe: Probe, mode: str, words: bytes) -> None:
        with falling_silent(words) as (port, hung_up):
            assert found(probe(port=port, sslMode=mode))[1] == "connect_timeout"
            assert hung_up.wait(5), "the socket is still open"
        assert not threads_of_sessions()


@contextlib.contextmanager
def falling_silent(words: bytes) -> Iterator[tuple[int, threading.Event]]:
    """A port behind which something says these words once it was spoken to; and whether its last client hung up."""
    hung_up = threading.Event()

    def listen(server: socket.socket) -> None:
        while True:
            try:
                wire, _ = server.accept()
            except OSError:
                return
            hung_up.clear()
            with wire, contextlib.suppress(OSError):
                if wire.recv(65_536):
                    wire.sendall(words)
                while wire.recv(65_536):
                    pass
            hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, args=(server,), daemon=True).start()
        yield server.getsockname()[1], hung_up
        server.shutdown(socket.SHUT_RDWR)


def _authority(server: Server) -> Any:
    assert server.certificate is not None
    return server.certificate.read_text()
