"""Read-only: kept by the database session against every way around it that we know of, as the table itself shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorings import errors
from tests.warehouses.conftest import Room
from tests.warehouses.engines import Warehouse

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
POSTGRES = [
    f"/* hidden */ WITH w AS ({WRITE} RETURNING number) SELECT * FROM w",
    f"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; {WRITE}",
    f"EXPLAIN ANALYZE {WRITE}",
    f"DO $$ BEGIN {WRITE}; END $$",
    f"DO $$ BEGIN COMMIT; {WRITE}; END $$",
    f"DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); {WRITE}; END $$",
    "CALL write_after_commit()",
    "SELECT write_in_a_function()",
    "COPY written FROM PROGRAM 'echo 1'",
    "SELECT 1) TO STDOUT; INSERT INTO written VALUES (1); COPY (SELECT 1",
    "SELECT nextval('counting')",
    "SELECT lo_create(4711)",
]
MYSQL = [
    f"BEGIN NOT ATOMIC COMMIT; {WRITE}; END",
    f"BEGIN NOT ATOMIC ROLLBACK; SET SESSION tx_read_only = 0; {WRITE}; COMMIT; END",
    f"BEGIN NOT ATOMIC XA END ''; XA ROLLBACK ''; {WRITE}; END",
    f"SET STATEMENT tx_read_only = 0 FOR {WRITE}",
    f"EXECUTE IMMEDIATE '{WRITE}'",
    "CALL write_after_commit()",
    "TRUNCATE TABLE written",
    "LOCK TABLES written WRITE",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE written",
    "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE written",
    "REPLACE INTO written VALUES (1)",
    "CREATE USER another",
]
DUCKDB = [
    "CREATE OR REPLACE TABLE written AS SELECT 1 AS number",
    "CREATE MACRO made() AS 1",
    "CREATE SEQUENCE made",
    "DROP SCHEMA main CASCADE",
    "ATTACH ':memory:' AS elsewhere; CREATE TABLE elsewhere.made (a INT)",
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
    warehouse.ask("DROP TABLE IF EXISTS written", "CREATE TABLE written (number INT)", "INSERT INTO written VALUES (7)")
    if warehouse.under.server == "postgres_server":
        warehouse.ask(
            "CREATE SEQUENCE IF NOT EXISTS counting",
            "CREATE OR REPLACE PROCEDURE write_after_commit() LANGUAGE plpgsql AS"
            f" $$ BEGIN COMMIT; {WRITE}; COMMIT; END $$",
            "CREATE OR REPLACE FUNCTION write_in_a_function() RETURNS int LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); {WRITE}; RETURN 1; END $$",
        )
    elif warehouse.under.server == "mariadb_server":
        warehouse.ask(f"CREATE OR REPLACE PROCEDURE write_after_commit() BEGIN COMMIT; {WRITE}; COMMIT; END")


def own(warehouse: Warehouse) -> list[str]:
    return {"postgres_server": POSTGRES, "mariadb_server": MYSQL, None: DUCKDB}[warehouse.under.server]


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
            for sql in EVERYWHERE + own(warehouse):
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

    def test_what_it_wrote_with_a_parameter_stays(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        mark = "%s" if warehouse.under.server == "mariadb_server" else "$1"
        sql = f"INSERT INTO written VALUES ({mark})"
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

    def test_nothing_of_a_session_reaches_the_next_one(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            target = room.target(readOnly=False)
            await room.rows("CREATE TEMPORARY TABLE mine (a INT)", target=target, read_only=False)
            await room.settled()
            with pytest.raises(errors.StatementRefused):
                await room.rows("SELECT * FROM mine", target=target, read_only=False)

        inside(work, pool_size=1)
