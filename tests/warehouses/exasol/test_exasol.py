"""What is Exasol's own: telemetry that is off, certificates and fingerprints, a rollback after every reading."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyexasol import ExaQueryTimeoutError

from moorings import errors
from moorings.dialects.base import SessionContext, Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import SENTINEL, Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under
from tests.warehouses.reports import found

Probe = Callable[..., TestReport]


@pytest.fixture(scope="module")
def warehouse(exasol_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    warehouse = Warehouse(under("exasol"), exasol_server, tmp_path_factory.mktemp("unused"))
    warehouse.ask("DROP TABLE IF EXISTS kept", "CREATE TABLE kept (number INT)")
    return warehouse


def fingerprint(server: Server) -> str:
    assert server.certificate is not None
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.certificate.read_text())).hexdigest().upper()


class TestCertificates:
    def test_another_host_name_is_refused(self, probe: Probe) -> None:
        assert found(probe(host="127.0.0.1")) == ("tls", "certificate_refused", ("host", "sslMode"))

    def test_verify_ca_does_not_ask_for_the_name(self, probe: Probe) -> None:
        assert probe(host="127.0.0.1", sslMode="verify-ca").success

    @pytest.mark.parametrize("changes", [{"sslMode": "require"}, {"trustServerCertificate": True}])
    def test_none_is_verified_where_that_was_asked_for(self, probe: Probe, changes: dict[str, Any]) -> None:
        assert probe(sslRootCert=None, **changes).success

    def test_a_fingerprint_stands_in_for_authority_and_name(self, probe: Probe, exasol_server: Server) -> None:
        assert probe(host=f"127.0.0.1/{fingerprint(exasol_server)}", sslRootCert=None).success

    def test_another_fingerprint_is_refused(self, probe: Probe) -> None:
        assert found(probe(host=f"127.0.0.1/{'AB' * 32}", sslRootCert=None))[:2] == ("tls", "certificate_refused")

    def test_a_server_without_tls(self, probe: Probe, plain_exasol_server: Server) -> None:
        assert found(probe(port=plain_exasol_server.port)) == ("tls", "tls_refused", ("sslMode",))

    @pytest.mark.parametrize("mode", ["disable", "prefer"])
    def test_tls_cannot_be_left_out(self, warehouse: Warehouse, mode: str) -> None:
        with pytest.raises(errors.InvalidInput):
            warehouse.config(sslMode=mode)


class TestHosts:
    def test_several_hosts_are_left_to_the_driver(self, warehouse: Warehouse) -> None:
        assert warehouse.dialect.address(warehouse.config(host="10.0.0.11..14")) is None
        assert warehouse.dialect.address(warehouse.config(host="db.example/AB12", port=1)) == ("db.example", 1)

    def test_what_no_driver_takes_is_refused(self, warehouse: Warehouse) -> None:
        with pytest.raises(errors.InvalidInput):
            warehouse.config(host="a b:c,d")


class TestReading:
    def test_a_write_that_got_past_the_fence_is_rolled_back(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("moorings.dialects.exasol.session.require_reading", lambda *_, **__: None)
        run_inside(warehouse, lambda room: room.rows("INSERT INTO kept VALUES (1)"))
        assert warehouse.ask("SELECT * FROM kept") == []

    def test_a_session_that_was_set_otherwise_is_not_used_again(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> tuple[str, str]:
            target = room.target(readOnly=False)
            ids = []
            for sql in ("ALTER SESSION SET TIME_ZONE = 'UTC'", "SELECT 1"):
                async with room.engine.lease(target) as lease:
                    await lease.open(Statement(sql, read_only=False))
                    ids.append(lease.session_id)
                await room.settled()
            return tuple(ids)

        first, second = run_inside(warehouse, work, pool_size=1)
        assert first != second

    def test_it_has_no_plan_and_says_so(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                with pytest.raises(errors.StatementRefused, match="no EXPLAIN"):
                    await lease.ask(lambda session: session.plan(Statement("SELECT 1")), 5)

        run_inside(warehouse, work)


def test_a_statement_ends_by_the_servers_own_clock(warehouse: Warehouse) -> None:
    session = warehouse.dialect.connect(warehouse.config(), SessionContext())
    try:
        with pytest.raises(ExaQueryTimeoutError) as ended:
            session.query(Statement("SELECT pause(20) AS a", timeout_seconds=1))
        assert isinstance(warehouse.dialect.translate(ended.value, ()), errors.QueryTimeout)
    finally:
        session.close()


def test_telemetry_sends_nothing(warehouse: Warehouse) -> None:
    """In a process of its own, which would connect to another host than ours if the driver had its way."""
    server = warehouse.server
    assert server is not None
    script = f"""
import socket, sys, threading
seen = []
connect = socket.socket.connect
def watched(self, where):
    seen.append(where)
    return connect(self, where)
socket.socket.connect = watched
from pathlib import Path
from moorings import dialects
from moorings.dialects.base import SessionContext
body = {{"dialect": "exasol", "name": "a", "host": "localhost", "port": {server.port}, "username": {server.username!r}}}
body |= {{"passwordUnencrypted": {SENTINEL!r}, "sslRootCert": Path({str(server.certificate)!r}).read_text()}}
dialect = dialects.named("exasol")
session = dialect.connect(dialect.Config.read(body), SessionContext())
from exasol.telemetry.client import config, worker
assert not config.was_enabled() and worker._worker is None
session.close()
assert {{where[1] for where in seen}} == {{{server.port}}}, seen
assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
"""
    environment = {"PATH": "", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=60)


def test_a_login_that_failed_leaves_no_session(warehouse: Warehouse, probe: Probe) -> None:
    probe(passwordUnencrypted="wrong")

    async def gone() -> None:
        async with asyncio.timeout(10):
            while await asyncio.to_thread(warehouse.sessions):  # noqa: ASYNC110  # the server does not call us
                await asyncio.sleep(0.05)

    asyncio.run(gone())
