"""Copies the metadata database into an empty one, in batches, and compares every row at the end.

Until every row is equal, the target has a mark in place of a schema's version: no service starts on it, and a copy that
was interrupted continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy import Table, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from moorings.cli.database import rows
from moorings.db import Database
from moorings.db.connecting import AWAY, reason
from moorings.errors import OperatorError
from moorings.migrations import HEAD, UNFINISHED, migrate

MARK = f"{UNFINISHED} {HEAD}"
"""The version of a target that holds a part of the rows."""

KEPT_BY_THE_DATABASE = {"alembic_version", "freshness"}
"""Tables that are no model's: the schema's version, and counters that triggers keep."""

Report = Callable[[str, int], None]
"""Gets a table's name and its number of rows, when all of them are equal."""

T = TypeVar("T")


def copy(source: str, target: str, report: Report) -> int:
    """Copy all rows from one address to the other, or continue to; returns how many there are.

    Raises OperatorError when a database does not answer, when the target holds anything but an unfinished copy of this
    source, and for the first row that differs at the end.
    """
    if not _run(_begun(source, target)):
        migrate(target)
        _run(_marked(target))
    return _run(_copied(source, target, report))


def _run(act: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(act)
    except AWAY as refused:
        raise OperatorError(f"the copy stopped: {reason(refused)}") from None


@contextlib.asynccontextmanager
async def _opened(*urls: str) -> AsyncGenerator[Sequence[Database]]:
    databases = [Database(url) for url in urls]
    try:
        yield databases
    finally:
        for each in databases:
            await each.close()


# ---- before and after ---------------------------------------------------------------------------------------------


async def _begun(source_url: str, target_url: str) -> bool:
    """Whether the target holds an unfinished copy of this source; raises OperatorError when it holds anything else."""
    async with (
        _opened(source_url, target_url) as (source, target),
        source.engine.connect() as reading,
        target.engine.connect() as looking,
    ):
        version = await _version(reading)
        if version != HEAD:
            raise OperatorError(f"{source.address} has schema {version or 'none'}, not {HEAD}: run moorings migrate")
        version = await _version(looking)
        if version is None or not version.startswith(UNFINISHED):
            await _require_empty(looking, target)
            return False
        if version != MARK or not await _continues(reading, looking):
            raise OperatorError(
                f"{target.address} holds an unfinished copy of another database or version: use an empty database"
            )
        return True


async def _version(connection: AsyncConnection) -> str | None:
    if not await connection.run_sync(lambda found: inspect(found).has_table("alembic_version")):
        return None
    return await connection.scalar(text("SELECT version_num FROM alembic_version"))


async def _require_empty(connection: AsyncConnection, target: Database) -> None:
    """Raise OperatorError for a table that is not ours, and for one of ours that holds a row."""
    known = {each.name: each for each in rows.tables()}
    for name in await connection.run_sync(lambda found: inspect(found).get_table_names()):
        if name in KEPT_BY_THE_DATABASE:
            continue
        if name not in known or await rows.count(connection, known[name]):
            raise OperatorError(f"{target.address} is not empty, it has the table {name}: use an empty database")


async def _continues(reading: AsyncConnection, looking: AsyncConnection) -> bool:
    """Whether the facts of the installation, which are copied first, equal the source's."""
    facts = text("SELECT key, value FROM installation")
    there = {tuple(row) for row in await looking.execute(facts)}
    return there <= {tuple(row) for row in await reading.execute(facts)}


async def _marked(target_url: str, version: str = MARK) -> None:
    async with _opened(target_url) as (target,):
        await _set_version(target, version)


async def _set_version(target: Database, version: str) -> None:
    async with target.unit_of_work() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


# ---- rows -----------------------------------------------------------------------------------------------------------


async def _copied(source_url: str, target_url: str, report: Report) -> int:
    total = 0
    async with _opened(source_url, target_url) as (source, target):
        async with _at_one_moment(source) as reading:
            for table in rows.tables():
                await _copy_table(reading, target, table)
            async with target.engine.connect() as written:
                for table in rows.tables():
                    counted = await _verified(reading, written, table)
                    report(table.name, counted)
                    total += counted
        await _set_version(target, HEAD)
    return total


@contextlib.asynccontextmanager
async def _at_one_moment(source: Database) -> AsyncGenerator[AsyncConnection]:
    """A transaction in which the source does not change.

    No one else writes to SQLite, and PostgreSQL shows a snapshot.
    """
    async with source.engine.connect() as connection:
        if source.embedded:
            await connection.execution_options(moorings_writes=True)
        else:
            await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            yield connection


async def _copy_table(reading: AsyncConnection, target: Database, table: Table) -> None:
    """Write the rows after the last one in the target, each batch in its own transaction."""
    async with target.engine.connect() as looking:
        last = await rows.last_key(looking, table)
    while batch := await rows.read(reading, table, last):
        try:
            async with target.unit_of_work() as session:
                await rows.write(await session.connection(), table, batch)
        except AWAY as refused:
            first = _shown(rows.key_of(table, batch[0]))
            raise OperatorError(f"the copy stopped in {table.name}, from row {first} on: {reason(refused)}") from None
        last = rows.key_of(table, batch[-1])
    async with target.unit_of_work() as session:
        await rows.continue_numbering(await session.connection(), table)


async def _verified(reading: AsyncConnection, written: AsyncConnection, table: Table) -> int:
    """How many rows a table has; raises OperatorError unless both sides have the same."""
    number, last = 0, None
    while True:
        batch = await rows.read(reading, table, last)
        copied = await rows.read(written, table, last)
        for row, copy in itertools.zip_longest(batch, copied):
            if row != copy:
                raise _differs(table, row or copy)
        if not batch:
            return number
        number, last = number + len(batch), rows.key_of(table, batch[-1])


def _shown(key: rows.Row) -> str:
    return ", ".join(map(str, key))


def _differs(table: Table, row: rows.Row) -> OperatorError:
    return OperatorError(
        f"row {_shown(rows.key_of(table, row))} of {table.name} is not the same in both databases: the source was "
        "changed after the copy began. Start again with an empty database"
    )
