"""The cursor that executes and fetches at once answers what sqlite3's own does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from moorings.db.sqlite import FIRST_ROWS, Cursor, SqliteConnection, connection

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"


@pytest.fixture
def inside(tmp_path: Path) -> Callable[[Callable[[SqliteConnection], Awaitable[Any]]], Any]:
    """Act on an open connection."""

    def acting(act: Callable[[SqliteConnection], Awaitable[Any]]) -> Any:
        async def opening() -> Any:
            opened = await connection(tmp_path / "some.db")
            try:
                return await act(opened)
            finally:
                await opened.close()

        return asyncio.run(opening())

    return acting


@pytest.mark.parametrize("number", [1, FIRST_ROWS - 1, FIRST_ROWS, FIRST_ROWS + 1, 3 * FIRST_ROWS + 7])
class TestRows:
    def test_all_at_once(self, inside, number: int):
        async def act(opened: SqliteConnection) -> list[Any]:
            return await (await opened.cursor().execute(NUMBERS, [number])).fetchall()

        assert inside(act) == [(each,) for each in range(1, number + 1)]

    def test_part_by_part(self, inside, number: int):
        async def act(opened: SqliteConnection) -> list[Any]:
            cursor, found = await opened.cursor().execute(NUMBERS, [number]), []
            while part := await cursor.fetchmany(300):
                assert len(part) == 300 or len(found) + len(part) == number
                found += part
            return found

        assert inside(act) == [(each,) for each in range(1, number + 1)]

    def test_one_then_the_rest(self, inside, number: int):
        async def act(opened: SqliteConnection) -> Any:
            cursor = await opened.cursor().execute(NUMBERS, [number])
            return await cursor.fetchone(), await cursor.fetchall(), await cursor.fetchone()

        assert inside(act) == ((1,), [(each,) for each in range(2, number + 1)], None)


def test_what_a_statement_says_of_itself(inside):
    async def act(opened: SqliteConnection) -> Any:
        def facts(cursor: Cursor) -> tuple[Any, ...]:
            return cursor.rowcount, cursor.lastrowid, [each[0] for each in cursor.description or ()]

        cursor = opened.cursor()
        await cursor.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        seen = [facts(await cursor.execute("INSERT INTO t (b) VALUES (?)", ["x"]))]
        seen.append(facts(await cursor.execute("INSERT INTO t (b) VALUES ('y'), ('z') RETURNING a, b")))
        assert await cursor.fetchall() == [(2, "y"), (3, "z")]
        seen.append(facts(await cursor.executemany("UPDATE t SET b = ? WHERE a = ?", [("p", 1), ("q", 2), ("r", 9)])))
        return seen

    assert inside(act) == [(1, 1, []), (2, 3, ["a", "b"]), (2, None, [])]


def test_a_refused_statement_leaves_the_connection_usable(inside):
    async def act(opened: SqliteConnection) -> Any:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await opened.cursor().execute("SELECT * FROM absent")
        return await (await opened.cursor().execute("SELECT 1")).fetchall()

    assert inside(act) == [(1,)]


def test_a_cursor_that_was_closed_half_read_holds_no_transaction(inside):
    async def act(opened: SqliteConnection) -> Any:
        cursor = await opened.cursor().execute("CREATE TABLE t (a)")
        await cursor.execute(NUMBERS, [5 * FIRST_ROWS])
        await cursor.close()
        await cursor.execute("DROP TABLE t")  # refused while a statement reads
        return await cursor.fetchall()

    assert inside(act) == []


def test_a_rollback_undoes_and_may_come_without_a_transaction(inside):
    async def act(opened: SqliteConnection) -> Any:
        cursor = await opened.cursor().execute("CREATE TABLE t (a)")
        await opened.rollback()
        await cursor.execute("BEGIN")
        await cursor.execute("INSERT INTO t VALUES (1)")
        await opened.rollback()
        return await (await cursor.execute("SELECT count(*) FROM t")).fetchall()

    assert inside(act) == [(0,)]
