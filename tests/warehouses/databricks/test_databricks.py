"""What only Databricks has: service principals, warehouses by path, catalogs; and that its driver keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.dialects.introspection import Scope
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.databricks.server import CLIENT
from tests.warehouses.engines import under
from tests.warehouses.servers.process import tell

MACHINE = {
    "authenticationType": "databricks-oauth-m2m",
    "username": CLIENT[0],
    "passwordUnencrypted": CLIENT[1],
}


@pytest.fixture
def warehouse(databricks_server: Server, tmp_path: Path) -> Warehouse:
    """The warehouse of the suite."""
    return Warehouse(under("databricks"), databricks_server, tmp_path)


class TestMachine:
    def test_a_service_principal_logs_in(self, probe: Callable[..., TestReport]) -> None:
        assert probe(**MACHINE).success

    def test_the_flag_alone_asks_for_it(self, probe: Callable[..., TestReport]) -> None:
        assert probe(**(MACHINE | {"authenticationType": None, "useMachineAuth": True})).success

    @pytest.mark.parametrize("change", [{"passwordUnencrypted": "wrong-password"}, {"username": "nobody"}])
    def test_a_wrong_one_is_refused(self, probe: Callable[..., TestReport], change: dict[str, str]) -> None:
        report = probe(**(MACHINE | change))
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("authenticate", "login_refused")
        assert set(report.failure.fields) == {"username", "passwordUnencrypted"}
        assert "wrong-password" not in repr(report)

    def test_a_token_is_kept_until_shortly_before_it_expires(self, warehouse: Warehouse) -> None:
        assert warehouse.server is not None
        before = tell(warehouse.server)["tokens"]

        async def work(room: Room) -> None:
            for _ in range(3):
                await room.rows("SELECT 1 AS one", target=room.target(**MACHINE))
                await room.settled()

        run_inside(warehouse, work, pool_size=1)
        assert tell(warehouse.server)["tokens"] - before == 1

    def test_a_user_has_to_sign_in(self, probe: Callable[..., TestReport]) -> None:
        failure = probe(authenticationType="databricks-oauth-user").failure
        assert failure is not None
        assert (failure.name, failure.code, failure.fields) == (
            "authenticate",
            "login_refused",
            ("authenticationType",),
        )


class TestCertificates:
    @pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")  # which is what was asked for
    def test_any_is_taken_where_it_is_trusted(self, probe: Callable[..., TestReport]) -> None:
        assert probe(sslRootCert=None, trustServerCertificate=True).success
        assert probe(sslRootCert=None, trustServerCertificate=True, **MACHINE).success

    def test_its_file_goes_with_the_session(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

        def files() -> list[Path]:
            return list(tmp_path.glob("*.pem"))

        async def work(room: Room) -> int:
            async with room.engine.lease(room.target()):
                return len(files())

        assert run_inside(warehouse, work) == 1
        assert files() == []


class TestStatements:
    def test_the_server_is_told_a_time_limit_only_when_it_changes(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> list[int]:
            counts = []
            async with room.engine.lease(room.target()) as lease:
                for seconds in (900, 900, 8, 8):
                    before = warehouse.statements() if warehouse.statements else 0
                    await lease.open(Statement("SELECT 1 AS one", timeout_seconds=seconds))
                    await lease.pull(lambda batch: batch)
                    counts.append((warehouse.statements() if warehouse.statements else 0) - before)
            return counts

        assert run_inside(warehouse, work) == [2, 2, 3, 2]  # each is parsed as a query before it runs

    @pytest.mark.parametrize(
        "sql",
        [
            "/* SELECT */ DELETE FROM written",
            "-- SELECT\nDELETE FROM written",
            "/* /* */ SHOW */ DELETE FROM written",
            "-- \\\nSHOW\nDELETE FROM written",
            "-- \rDELETE FROM written\nSHOW",
            "RESET",
            "EXECUTE IMMEDIATE 'DELETE FROM written'",
            "BEGIN DELETE FROM written; END",
            "SELECT 1; DELETE FROM written",
        ],
    )
    def test_what_is_no_query_does_not_run(self, warehouse: Warehouse, sql: str) -> None:
        warehouse.ask("CREATE OR REPLACE TABLE written (number INT)", "INSERT INTO written VALUES (7)")
        with pytest.raises((errors.ReadOnly, errors.StatementRefused)):
            run_inside(warehouse, lambda room: room.rows(sql))
        assert warehouse.ask("SELECT * FROM written") == [(7,)]

    def test_other_catalogs_are_read_where_asked_for(self, warehouse: Warehouse) -> None:
        warehouse.ask('CREATE OR REPLACE TABLE other_catalog."default".beyond (a INT)')

        async def work(room: Room) -> list[set[str | None]]:
            async with room.engine.lease(room.target()) as lease:
                return [
                    {table.catalog for table in await lease.ask(lambda session, scope=scope: session.tables(scope), 30)}
                    for scope in (Scope(), Scope(catalogs=("OTHER*",)))
                ]

        own, both = run_inside(warehouse, work)
        assert "other_catalog" not in own
        assert "other_catalog" in both


class TestManners:
    def test_the_driver_writes_no_files_and_tells_nobody(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, str(tmp_path))

        async def work(room: Room) -> Any:
            await room.rows("SELECT 1 AS one")
            with pytest.raises(errors.StatementRefused):
                await room.rows("SELECT * FROM no_such_table")

        assert warehouse.server is not None
        before = tell(warehouse.server)["unknown"]
        run_inside(warehouse, work)
        assert list(tmp_path.rglob("*")) == []
        assert tell(warehouse.server)["unknown"] == before
