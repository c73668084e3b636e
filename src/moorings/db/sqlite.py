"""Connections to SQLite, for which a statement costs one turn of the connection's thread.

aiosqlite runs each call of a connection in a thread, and SQLAlchemy makes four for a SELECT: open a cursor, execute,
fetch, close. Most of what a small statement costs is the way to that thread and back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

T = TypeVar("T")

FIRST_ROWS = 1000
"""How many rows are fetched together with the execution; further ones when they are asked for."""


class SqliteConnection(aiosqlite.Connection):
    """aiosqlite's connection, with cursors that execute and fetch at once."""

    def cursor(self) -> Cursor:  # pyright: ignore[reportIncompatibleMethodOverride]  # aiosqlite's is one more turn
        """A cursor; what it needs is opened by its first statement."""
        return Cursor(self)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in the connection's thread."""
        execute: Callable[..., Awaitable[T]] = self._execute  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped there
        return await execute(work, self._conn)

    def leave_at_exit(self) -> None:
        """Let the process end although the connection is open, as those that SQLAlchemy opens."""
        self._thread.daemon = True

    async def rollback(self) -> None:
        """Undo the transaction; does nothing if there is none, as after a commit, when a pool asks for it once more."""
        if self.in_transaction:
            await super().rollback()


def connection(path: Path, *_: object, **__: object) -> SqliteConnection:
    """A connection that opens when it is awaited; SQLAlchemy passes the arguments of its URL, too."""
    opened = SqliteConnection(lambda: sqlite3.connect(path, check_same_thread=False), FIRST_ROWS)
    opened.leave_at_exit()
    return opened


class Cursor:
    """The methods of a cursor that SQLAlchemy calls."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._open: sqlite3.Cursor | None = None
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Execute a statement and fetch its first rows."""
        await self._connection.run(lambda database: self._take(database.execute(sql, parameters)))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Execute a statement once for each of the parameters."""
        await self._connection.run(lambda database: self._take(database.executemany(sql, parameters)))
        return self

    async def fetchone(self) -> Any:
        """The next row, or None."""
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows, fewer only at the end."""
        size = size or self.arraysize
        if self._open is not None and len(self._rows) < size:
            missing, opened = size - len(self._rows), self._open
            self._rows += await self._connection.run(lambda _: opened.fetchmany(missing))
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchall(self) -> list[Any]:
        """All further rows."""
        if (opened := self._open) is not None:
            self._rows += await self._connection.run(lambda _: opened.fetchall())
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget what was not fetched."""
        self._rows = []
        if (opened := self._open) is not None:
            self._open = None
            await self._connection.run(lambda _: opened.close())

    def _take(self, executed: sqlite3.Cursor) -> None:
        """Fetch the first rows, and close what has no more; runs in the connection's thread."""
        self._rows = executed.fetchmany(FIRST_ROWS)
        self._open = executed if len(self._rows) == FIRST_ROWS else None
        self.description, self.rowcount, self.lastrowid = executed.description, executed.rowcount, executed.lastrowid
        if self._open is None:
            executed.close()
