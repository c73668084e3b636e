"""Read-only: kept by the database session against every way around it that we know of, as the table itself shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorings import errors
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room

pytestmark = pytest.mark.needs("sql", "writes", "read only")

WRITE = "INSERT INTO written VALUES (1)"

EVERYWHERE = [
    WRITE,
    "UPDATE written SET number = 2",
    "DELETE FROM written",
    "CREATE TABLE made (a INT)",
    "CREATE VIEW made AS SELECT 1 AS a",
    "DROP TABLE written",
    "ALTER TABLE written ADD COLUMN more INT",
    f"COMMIT; {WRITE}",
    f"ROLLBACK; {WRITE}",
    f"SELECT 1; {WRITE}",
    f"COMMIT; BEGIN; {WRITE}; COMMIT",
]
LEAVES_NO_TRACE = [
    "SET default_transaction_read_only = off",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET TRANSACTION READ WRITE",
    "BEGIN READ WRITE",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SET SESSION transaction_read_only = 0",
    "SET SESSION tx_read_only = 0",
    "SET autocommit = 0",
    "SET GLOBAL tx_read_only = 0",
    "START TRANSACTION READ WRITE",
    "SET SESSION TRANSACTION READ WRITE",
    "XA END 'guessed'",
    f"BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; COMMIT; ROLLBACK; {WRITE}; COMMIT; END",
    "BEGIN TRANSACTION",
    "SET access_mode = 'READ_WRITE'",
]
"""Statements that may pass on some engine; what counts is that the next one still cannot write."""


@pytest.fixture(autouse=True)
def table(warehouse: Warehouse) -> None:
    """One row, and procedures that try to write."""
    warehouse.ask("DROP TABLE IF EXISTS written", warehouse.sql.written, "INSERT INTO written VALUES (7)")
    if warehouse.sql.bypass_setup:
        warehouse.ask(*warehouse.sql.bypass_setup)


async def attempt(room: Room, sql: str) -> errors.WarehouseError | None:
    try:
        await room.rows(sql)
    except errors.WarehouseError as refused:
        return refused
    return None


class TestBypasses:
    def test_no_statement_writes(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> list[str]:
            passed = []
            for sql in (*EVERYWHERE, *warehouse.sql.bypasses):
                if await attempt(room, sql) is None:
                    passed.append(sql)
                await room.settled()
            return passed

        assert inside(work, pool_size=1) == []
        assert warehouse.ask("SELECT * FROM written") == [(7,)]

    def test_no_statement_opens_the_door_for_the_next(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            for sql in LEAVES_NO_TRACE:
                await attempt(room, sql)
                await room.settled()
                assert isinstance(await attempt(room, WRITE), errors.ReadOnly), sql

        inside(work, pool_size=1)
        assert warehouse.ask("SELECT * FROM written") == [(7,)]

    def test_a_write_is_told_as_what_it_is(self, inside: Callable[..., Any]) -> None:
        with pytest.raises(errors.ReadOnly, match="only reads"):
            inside(lambda room: room.rows(WRITE))


class TestWriting:
    def test_a_connection_that_may_write_does(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        inside(lambda room: room.rows(WRITE, target=room.target(readOnly=False), read_only=False))
        assert sorted(warehouse.ask("SELECT * FROM written")) == [(1,), (7,)]

    @pytest.mark.needs("parameters")
    def test_what_it_wrote_with_a_parameter_stays(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        sql = f"INSERT INTO written VALUES ({warehouse.sql.mark})"
        inside(lambda room: room.rows(sql, 3, target=room.target(readOnly=False), read_only=False))
        assert sorted(warehouse.ask("SELECT * FROM written")) == [(3,), (7,)]

    def test_a_read_only_statement_on_it_still_only_reads(
        self, inside: Callable[..., Any], warehouse: Warehouse
    ) -> None:
        async def work(room: Room) -> None:
            target = room.target(readOnly=False)
            await room.rows("SELECT 1 AS one", target=target, read_only=False)
            with pytest.raises(errors.ReadOnly):
                await room.rows(WRITE, target=target)

        inside(work, pool_size=1)
        assert warehouse.ask("SELECT * FROM written") == [(7,)]

    @pytest.mark.needs("temporary tables")
    def test_nothing_of_a_session_reaches_the_next_one(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            target = room.target(readOnly=False)
            await room.rows("CREATE TEMPORARY TABLE mine (a INT)", target=target, read_only=False)
            await room.settled()
            with pytest.raises(errors.StatementRefused):
                await room.rows("SELECT * FROM mine", target=target, read_only=False)

        inside(work, pool_size=1)
