"""What is SAP HANA's own: how its driver verifies, read-only transactions, plans, time limits, exact types."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import SessionContext, Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under
from tests.warehouses.reports import found

Probe = Callable[..., TestReport]


@pytest.fixture(scope="module")
def warehouse(sap_hana_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    warehouse = Warehouse(under("sap_hana"), sap_hana_server, tmp_path_factory.mktemp("unused"))
    warehouse.ask("DROP TABLE IF EXISTS kept", "CREATE TABLE kept (number INT)")
    return warehouse


class TestCertificates:
    def test_another_host_name_is_refused(self, probe: Probe) -> None:
        assert found(probe(host="127.0.0.1")) == ("tls", "certificate_refused", ("host", "sslMode"))

    @pytest.mark.parametrize("changes", [{"sslMode": "require"}, {"trustServerCertificate": True}])
    def test_none_is_verified_where_that_was_asked_for(self, probe: Probe, changes: dict[str, Any]) -> None:
        assert probe(sslRootCert=None, **changes).success

    def test_a_server_without_tls_is_refused(self, probe: Probe, plain_sap_hana_server: Server) -> None:
        assert found(probe(port=plain_sap_hana_server.port)) == ("tls", "tls_refused", ("sslMode",))

    def test_without_tls_it_says_so(self, probe: Probe, plain_sap_hana_server: Server) -> None:
        report = probe(port=plain_sap_hana_server.port, sslMode="disable", sslRootCert=None)
        assert report.success
        assert report.steps[2].message == "The connection is not encrypted."

    def test_a_server_that_wants_tls(self, probe: Probe) -> None:
        assert found(probe(sslMode="disable", sslRootCert=None))[:2] == ("tls", "tls_refused")


class TestReading:
    def test_the_transaction_refuses_what_got_past_the_fence(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("moorings.dialects.sap_hana.session.require_reading", lambda *_, **__: None)
        session = warehouse.dialect.connect(warehouse.config(), SessionContext())
        try:
            with pytest.raises(Exception, match=r"READ ONLY|read-only") as refused:
                session.query(Statement("INSERT INTO kept VALUES (1)"))
            assert isinstance(warehouse.dialect.translate(refused.value, ()), errors.ReadOnly)
        finally:
            session.close()
        assert warehouse.ask("SELECT * FROM kept") == []

    def test_a_plan_leaves_nothing_in_the_plan_table(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> str:
            async with room.engine.lease(room.target()) as lease:
                plan = await lease.ask(lambda session: session.plan(Statement("SELECT count(*) FROM kept")), 5)
            return plan.text

        assert "KEPT" in run_inside(warehouse, work).upper()
        assert warehouse.ask("SELECT * FROM sys.explain_plan_table") == []


def test_a_statement_ends_by_the_servers_own_clock(warehouse: Warehouse) -> None:
    session = warehouse.dialect.connect(warehouse.config(), SessionContext())
    try:
        with pytest.raises(Exception, match="timeout") as ended:
            session.query(Statement("SELECT pause(20) AS a", timeout_seconds=1))
        assert isinstance(warehouse.dialect.translate(ended.value, ()), errors.QueryTimeout)
    finally:
        session.close()


@pytest.mark.parametrize(
    ("sql", "arrow", "value"),
    [
        ("CAST('2020-01-01 00:00:01' AS TIMESTAMP_S)", "timestamp[us]", datetime.datetime(2020, 1, 1, 0, 0, 1)),  # noqa: DTZ001
        ("CAST(200 AS UTINYINT)", "uint8", 200),
        ("CAST(-7 AS SMALLINT)", "int16", -7),
        ("CAST(1.5 AS REAL)", "float", 1.5),
        (
            "CAST('-99999999999999999999999999999999999999' AS DECIMAL(38, 0))",
            "decimal128(38, 0)",
            decimal.Decimal("-9" * 1 + "9" * 37),
        ),
    ],
)
def test_types_that_other_engines_lack(warehouse: Warehouse, sql: str, arrow: str, value: Any) -> None:
    async def work(room: Room) -> tuple[str, Any]:
        async with room.engine.lease(room.target()) as lease:
            schema = await lease.open(Statement(f"SELECT {sql} AS value"))
            batch = await lease.pull(lambda batch: batch)
        return str(schema.field(0).type), batch.column(0)[0].as_py()

    assert run_inside(warehouse, work) == (arrow, value)
