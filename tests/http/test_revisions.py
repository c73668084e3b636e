"""Sessions are kept as long as their connection's credentials are what they were opened with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import update

from moorings import dialects
from moorings.access.service import Actor, the_organization
from moorings.app import prepare
from moorings.connections import service as connections
from moorings.connections.models import Connection
from moorings.connections.revisions import Revisions
from moorings.db import Database
from moorings.engine.service import Engine, Target
from moorings.secrets import Keyset
from tests.conftest import settings_for


class Process:
    """What one process has: its door to the database, its sessions, and what compares the two."""

    def __init__(self, directory: Path) -> None:
        settings = settings_for(directory)
        self.db = Database(settings.database)
        self.engine = Engine(settings)
        self.revisions = Revisions(self.db, self.engine)
        self._keyset = Keyset.read(settings.keyset_path)

    async def create(self) -> str:
        config = dialects.read({"dialect": "duckdb", "name": "n", "database": "kept.duckdb"})
        async with self.db.unit_of_work() as session:
            admin = Actor(await the_organization(session), "key", None, admin=True, roles={})
            return await connections.create(session, self._keyset, admin, config)

    async def set(self, connection_id: str, **values: Any) -> None:
        """Change a row behind the back of this process."""
        async with self.db.unit_of_work() as session:
            await session.execute(update(Connection).where(Connection.id == connection_id).values(values))

    async def target(self, connection_id: str) -> Target:
        async with self.db.reading() as session:
            return await connections.opened(session, self._keyset, await session.get_one(Connection, connection_id))

    async def use(self, target: Target) -> None:
        """Lease a session, and wait until it is idle."""
        async with self.engine.lease(target):
            pass
        async with asyncio.timeout(5):
            while self.engine.sessions()[target.connection_id].in_use:  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0.01)

    def idle(self, connection_id: str) -> int:
        counts = self.engine.sessions().get(connection_id)
        return counts.idle if counts else 0


def run(directory: Path, work: Callable[[Process], Awaitable[None]]) -> None:
    prepare(settings_for(directory))
    duckdb.connect(str(directory / "duckdb" / "kept.duckdb")).close()

    async def running() -> None:
        process = Process(directory)
        try:
            await work(process)
        finally:
            await process.engine.close()
            await process.db.close()

    asyncio.run(running())


class TestComparing:
    def test_other_changes_close_nothing(self, tmp_path: Path) -> None:
        async def work(process: Process) -> None:
            connection_id = await process.create()
            await process.use(await process.target(connection_id))
            await process.revisions.compare()
            await process.set(connection_id, name="other")
            await process.revisions.compare()
            assert process.idle(connection_id) == 1

        run(tmp_path, work)

    def test_new_credentials_close_what_is_idle(self, tmp_path: Path) -> None:
        async def work(process: Process) -> None:
            changed, unchanged = await process.create(), await process.create()
            for connection_id in (changed, unchanged):
                await process.use(await process.target(connection_id))
            await process.revisions.compare()
            await process.set(changed, revision=2)
            await process.revisions.compare()
            assert (process.idle(changed), process.idle(unchanged)) == (0, 1)

        run(tmp_path, work)

    def test_archived_ones_are_closed(self, tmp_path: Path) -> None:
        async def work(process: Process) -> None:
            connection_id = await process.create()
            await process.use(await process.target(connection_id))
            await process.set(connection_id, deleted_at=1)
            await process.revisions.compare()
            assert process.idle(connection_id) == 0

        run(tmp_path, work)

    def test_so_is_a_session_that_is_opened_late_with_what_was_read_before(self, tmp_path: Path) -> None:
        async def work(process: Process) -> None:
            connection_id = await process.create()
            before = await process.target(connection_id)
            await process.use(before)
            await process.set(connection_id, revision=2)
            await process.revisions.compare()
            await process.revisions.compare()
            await process.use(before)
            await process.revisions.compare()
            assert process.idle(connection_id) == 0

        run(tmp_path, work)

    def test_a_newer_session_than_was_read_is_kept(self, tmp_path: Path) -> None:
        async def work(process: Process) -> None:
            connection_id = await process.create()
            before = await process.target(connection_id)
            await process.use(Target(connection_id, before.revision + 1, before.dialect, before.config))
            await process.revisions.compare()
            assert process.idle(connection_id) == 1

        run(tmp_path, work)
