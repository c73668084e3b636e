"""Ports where another service listens, or a server that lets nobody in: the test says no step passed that did not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings import dialects
from moorings.engine.probe import STEPS
from moorings.engine.service import Engine, TestReport
from moorings.settings import Settings
from tests.warehouses.postgres.server import login

SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
SMTP = b"220 mail.example ESMTP\r\n"
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
OLD_MYSQL = b"\x05\x00\x00\x00\x09abcd"
TOO_MANY = b"\x17\x00\x00\x00\xff\x10\x04Too many connections"


@contextlib.contextmanager
def listening(banner: bytes = b"", answer: bytes = b"") -> Iterator[int]:
    """A port where something says a banner, answers the first bytes it gets, and then hangs up."""

    def serve(wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            wire.settimeout(10)
            wire.sendall(banner)
            if wire.recv(4096):
                wire.sendall(answer)

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed, at the end of the block
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def probe(dialect: str, port: int, **changes: Any) -> TestReport:
    """Test a connection to a port of this machine."""
    body: dict[str, Any] = {"dialect": dialect, "name": "n", "host": "127.0.0.1", "port": port}
    body |= {"database": "d", "username": "u", "passwordUnencrypted": "p"} | changes
    named = dialects.named(dialect)

    async def probing() -> TestReport:
        engine = Engine(Settings(_env_file=None, data_dir=Path("unused"), connect_timeout_seconds=2))
        try:
            return await engine.test(named, named.Config.read(body))
        finally:
            await engine.close()

    return asyncio.run(probing())


def statuses(report: TestReport) -> list[str]:
    return [step.status for step in report.steps]


class TestMySql:
    @pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
    @pytest.mark.parametrize("banner", [SSH, SMTP, HTTP, OLD_MYSQL], ids=["ssh", "smtp", "http", "old mysql"])
    def test_what_greets_otherwise_is_another_service(self, dialect: str, banner: bytes) -> None:
        with listening(banner) as port:
            report = probe(dialect, port)
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("connect", "another_service")
        assert report.failure.fields == ("host", "port")
        assert statuses(report) == ["passed", "failed", *["skipped"] * 5]

    def test_a_server_that_says_nothing_passes_no_step(self) -> None:
        with listening() as port:
            report = probe("mysql", port)
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("connect", "connect_timeout")
        assert statuses(report) == ["passed", "failed", *["skipped"] * 5]

    def test_a_server_without_a_free_connection(self) -> None:
        with listening(TOO_MANY) as port:
            report = probe("mysql", port)
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("authenticate", "too_many_connections")


MYSQL = b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(66)
ASKING_FIRST = ("postgres", "redshift", "databricks_lakebase", "clickhouse", "trino", "databricks", "mssql", "exasol")
FURTHER: dict[str, dict[str, Any]] = {
    "databricks": {"warehouse": "/sql/1.0/warehouses/1"},
    "mssql": {"defaultSchema": "dbo"},
}


class TestServersThatSpeakFirst:
    @pytest.mark.parametrize("dialect", ASKING_FIRST)
    @pytest.mark.parametrize("banner", [SSH, SMTP, MYSQL], ids=["ssh", "smtp", "mysql"])
    def test_is_another_service_at_once(self, dialect: str, banner: bytes) -> None:
        with listening(banner) as port:
            report = probe(dialect, port, **FURTHER.get(dialect, {}))
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("connect", "another_service")
        assert report.failure.fields == ("host", "port")
        assert statuses(report) == ["passed", "failed", *["skipped"] * 5]
        assert report.failure.duration_ms < 1000  # the connect timeout is two seconds


class TestPostgres:
    @pytest.mark.parametrize("banner", [SSH, b""], ids=["ssh", "silent"])
    @pytest.mark.parametrize("answer", [HTTP, b""], ids=["http", "hangs up"])
    def test_no_step_passes_behind_the_port(self, banner: bytes, answer: bytes) -> None:
        with listening(banner, answer) as port:
            report = probe("postgres", port)
        assert report.failure is not None
        told = bool(banner or answer)  # what only hangs up may be a server of PostgreSQL that cannot go on
        assert report.failure.name == ("connect" if told else "tls")
        assert report.failure.code == ("another_service" if told else "session_lost")
        assert set(statuses(report)[STEPS.index(report.failure.name) + 1 :]) == {"skipped"}

    def test_nor_where_the_server_has_no_free_connection(self, postgres_server: Any) -> None:
        with login(postgres_server) as connection:
            connection.execute("CREATE ROLE crowded LOGIN PASSWORD 'p' CONNECTION LIMIT 0")
            try:
                report = probe("postgres", postgres_server.port, username="crowded", database="app")
            finally:
                connection.execute("DROP ROLE crowded")
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("authenticate", "too_many_connections")
        assert [status for status in statuses(report) if status != "skipped"] == ["passed"] * 2 + ["passed", "failed"]
