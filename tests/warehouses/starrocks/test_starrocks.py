"""What is StarRocks' own: catalogs, and reading that only the text of a statement and the grants keep."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.dialects.introspection import Scope, Table
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under


@pytest.fixture(scope="module")
def warehouse(starrocks_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(under("starrocks"), starrocks_server, tmp_path_factory.mktemp("unused"))


def tables(warehouse: Warehouse, **changes: str) -> set[tuple[str | None, str | None, str]]:
    async def work(room: Room) -> Sequence[Table]:
        target = room.target(**changes)
        async with room.engine.lease(target) as lease:
            return await lease.ask(lambda session: session.tables(Scope.of(target.config)), 30)

    return {(table.catalog, table.schema, table.name) for table in run_inside(warehouse, work)}


class TestCatalogs:
    def test_only_its_own_catalog_is_read_unless_others_are_included(self, warehouse: Warehouse) -> None:
        warehouse.ask("CREATE TABLE IF NOT EXISTS app.here (a INT)")
        assert ("default_catalog", "app", "here") in tables(warehouse)
        assert {catalog for catalog, _, _ in tables(warehouse)} == {"default_catalog"}

    def test_included_ones_are_read_too(self, warehouse: Warehouse) -> None:
        found = tables(warehouse, includeOtherCatalogs="LAKE, nothing")
        assert ("lake", "sales", "orders") in found
        assert {catalog for catalog, _, _ in found} == {"default_catalog", "lake"}

    def test_the_session_is_back_in_its_own_afterwards(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> list[tuple[str, ...]]:
            target = room.target(includeOtherCatalogs="*")
            async with room.engine.lease(target) as lease:
                await lease.ask(lambda session: session.tables(Scope.of(target.config)), 30)
            return await room.rows("SELECT DISTINCT table_schema FROM information_schema.tables", target=target)

        assert ("sales",) not in run_inside(warehouse, work, pool_size=1)


def test_a_session_whose_settings_changed_is_not_used_again(warehouse: Warehouse) -> None:
    async def work(room: Room) -> list[str]:
        ids = []
        for sql in ("SET query_timeout = 5", "SELECT 1"):
            async with room.engine.lease(room.target(readOnly=False)) as lease:
                await lease.open(Statement(sql, read_only=False))
                ids.append(lease.session_id)
            await room.settled()
        return ids

    first, second = run_inside(warehouse, work, pool_size=1)
    assert first != second


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        ("Query exceeded time limit of 300 seconds", errors.QueryTimeout),
        ("Query reached its timeout of 300 seconds, please increase the 'query_timeout'", errors.QueryTimeout),
        ("Cancelled by user", errors.QueryCancelled),
        ("Access denied; you need (at least one of) the SELECT privilege(s) on TABLE t", errors.StatementForbidden),
        ("Getting analyzing error. Detail message: Unknown table 'a.b'.", errors.StatementRefused),
        ("Getting analyzing error. Detail message: Unknown catalog 'a'.", errors.DatabaseNotFound),
    ],
)
def test_what_it_says_under_one_number_is_told_apart(
    warehouse: Warehouse, message: str, meant: type[errors.WarehouseError]
) -> None:
    from asyncmy.errors import ProgrammingError

    assert type(warehouse.dialect.translate(ProgrammingError(1064, message), ())) is meant
