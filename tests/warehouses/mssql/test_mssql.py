"""SQL Server's own: certificates, Entra ID, the application's name, long values, what a session leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from moorings import errors
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under
from tests.warehouses.mssql.server import STUBS
from tests.warehouses.mssql.stub import Stub


@pytest.fixture
def warehouse(mssql_server: Server, tmp_path: Any) -> Warehouse:
    return Warehouse(under("mssql"), mssql_server, tmp_path)


@pytest.fixture
def stub(mssql_server: Server) -> Stub:
    return STUBS[mssql_server.port]


class TestTls:
    def test_a_certificate_that_the_machine_knows(
        self, probe: Callable[..., Any], mssql_server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(mssql_server.certificate))
        assert probe(host="localhost", trustServerCertificate=False).success
        failure = probe(trustServerCertificate=False).failure
        assert (failure.name, failure.code) == (
            "tls",
            "certificate_refused",
        )
        assert set(failure.fields) == {"host", "trustServerCertificate"}

    def test_a_server_without_tls(self, probe: Callable[..., Any], plain_mssql_server: Server) -> None:
        failure = probe(port=plain_mssql_server.port).failure
        assert (failure.name, failure.code, failure.fields) == ("tls", "tls_refused", ("sslMode",))
        assert probe(port=plain_mssql_server.port, sslMode="disable").success


class TestARefusedLogin:
    def test_a_probe_tries_it_once_and_a_test_finds_out_what_is_to_blame(
        self, warehouse: Warehouse, stub: Stub
    ) -> None:
        async def logins(room: Room, kind: str) -> int:
            before = len(stub.logins)
            target = room.target(passwordUnencrypted="wrong")
            requested = (
                room.engine.probe(target) if kind == "probe" else room.engine.test(target.dialect, target.config)
            )
            report = await requested
            assert report.failure.code == "login_refused"
            return len(stub.logins) - before

        assert run_inside(warehouse, lambda room: logins(room, "probe")) == 1
        assert run_inside(warehouse, lambda room: logins(room, "test")) == 2


class TestEntra:
    def test_a_principal_asks_for_a_token_where_the_server_says(self, probe: Callable[..., Any], stub: Stub) -> None:
        stub.tokens_at = "https://localhost:1/tenant"
        for kind in ("service-principal", "password"):
            failure = probe(authenticationType=f"mssql-active-directory-{kind}", username="client").failure
            assert (failure.name, failure.code) == ("authenticate", "login_refused")
            assert "https://localhost:1/" in failure.message


class TestSession:
    def test_the_login_names_us_and_what_it_is_for(self, warehouse: Warehouse, stub: Stub) -> None:
        run_inside(warehouse, lambda room: room.rows("SELECT 1 AS one"))
        login = stub.logins[-1]
        assert (login.application, login.read_only_intent, login.encrypted) == ("moorings", True, True)

    def test_long_values_money_and_ids_are_exact(self, warehouse: Warehouse) -> None:
        sql = (
            "SELECT CAST('long' AS nvarchar(max)) AS a, CAST(12.3456 AS money) AS b,"
            " CAST('3f333df6-90a4-4fda-8dd3-9485d27cee36' AS uniqueidentifier) AS c, NULL AS d"
        )
        ((text, money, identifier, nothing),) = run_inside(warehouse, lambda room: room.rows(sql))
        assert (text, str(money), nothing) == ("long", "12.3456", None)
        assert identifier.lower() == "3f333df6-90a4-4fda-8dd3-9485d27cee36"

    def test_a_transaction_left_open_is_gone_for_the_next(self, warehouse: Warehouse, stub: Stub) -> None:
        async def work(room: Room) -> None:
            target = room.target(readOnly=False)
            await room.rows("BEGIN TRANSACTION", target=target, read_only=False)
            await room.settled()
            await asyncio.sleep(0)
            assert await room.rows("SELECT @@TRANCOUNT AS open_now", target=target, read_only=False) == [(0,)]

        run_inside(warehouse, work, pool_size=1)

    def test_only_the_first_result_comes_but_later_faults_are_told(self, warehouse: Warehouse) -> None:
        sql = "SELECT 1 AS one; THROW 50001, 'too late', 1"
        with pytest.raises(errors.StatementRefused):
            run_inside(warehouse, lambda room: room.rows(sql))
