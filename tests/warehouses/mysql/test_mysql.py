"""MySQL's own answers where they differ from MariaDB's, by a server that imitates it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import SessionContext, Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under
from tests.warehouses.servers.stubs import BackDoor


@pytest.fixture(scope="module")
def warehouse(mysql_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    imitated = replace(under("mysql"), server="mysql_server", outside=BackDoor)
    warehouse = Warehouse(imitated, mysql_server, tmp_path_factory.mktemp("unused"))
    warehouse.ask("DROP TABLE IF EXISTS main.kept", "CREATE TABLE main.kept (number INT)")
    return warehouse


def code(report: TestReport) -> tuple[str, str | None]:
    assert report.failure is not None
    return report.failure.name, report.failure.code


class TestCachingSha2:
    def test_the_password_goes_over_tls(self, probe: Callable[..., TestReport]) -> None:
        report = probe(sslMode="require")
        assert report.success, report
        assert report.steps[2].status == "passed"

    def test_a_wrong_one_is_refused(self, probe: Callable[..., TestReport]) -> None:
        assert code(probe(passwordUnencrypted="wrong")) == ("authenticate", "login_refused")

    def test_an_unknown_database(self, probe: Callable[..., TestReport]) -> None:
        assert code(probe(database="nowhere")) == ("database", "database_not_found")


class TestLimits:
    def test_they_are_set_in_milliseconds(self, warehouse: Warehouse) -> None:
        rows = run_inside(
            warehouse, lambda room: room.rows("SELECT @@max_execution_time AS milliseconds", timeout_seconds=8)
        )
        assert rows == [("8000",)]

    def test_the_server_stops_at_them(self, warehouse: Warehouse) -> None:
        session = warehouse.dialect.connect(warehouse.config(), SessionContext())
        try:
            with pytest.raises(Exception, match="3024") as ended:
                session.query(Statement("SELECT pause(20) AS a", timeout_seconds=1))
            assert isinstance(warehouse.dialect.translate(ended.value, ()), errors.QueryTimeout)
        finally:
            session.close()


def test_a_transaction_that_only_reads_refuses_with_its_own_number(warehouse: Warehouse) -> None:
    async def work(room: Room) -> None:
        with pytest.raises(errors.ReadOnly):
            await room.rows("INSERT INTO main.kept VALUES (1)")

    run_inside(warehouse, work)
    assert warehouse.ask("SELECT * FROM main.kept") == []


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (1045, errors.LoginRefused),
        (1049, errors.DatabaseNotFound),
        (3159, errors.TlsRefused),
        (3024, errors.QueryTimeout),
        (1317, errors.QueryCancelled),
        (1792, errors.ReadOnly),
        (3169, errors.SessionLost),
        (1146, errors.StatementRefused),
    ],
)
def test_numbers_have_their_meanings(warehouse: Warehouse, number: int, meant: type[errors.WarehouseError]) -> None:
    from asyncmy.errors import OperationalError

    error: Any = OperationalError(number, "said")
    assert type(warehouse.dialect.translate(error, ())) is meant
