"""Closes sessions that were opened with credentials which their connection no longer has.

The process that changes credentials drops its own sessions with the change. Other processes detect it here: not by the
age of anything, but because the database's version has moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Hashable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from moorings.connections.models import Connection
from moorings.db import Database
from moorings.engine.service import Engine
from moorings.errors import OperatorError

LOOK_SECONDS = 1.0
"""How often a process with sessions checks the database's version; it reads revisions only after a change."""


class Revisions:
    """Compares the sessions of this process with the revisions of their connections, while it runs."""

    def __init__(self, db: Database, engine: Engine) -> None:
        self._db = db
        self._engine = engine
        self._version: Hashable = None
        self._good: set[tuple[str, int]] = set()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to compare."""
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Stop comparing."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # While the database is unreachable nothing in it can change, and requests report the outage.
            with contextlib.suppress(OperatorError, SQLAlchemyError, OSError):
                await self.compare()

    async def compare(self) -> None:
        """Drop the sessions of connections that have another revision now, are archived or do not exist any more.

        The version alone is not enough: a session may be opened with credentials that were read before a change, after
        that change was seen. So the sessions that were found current are remembered with it.
        """
        pooled = set(self._engine.revisions().items())
        if not pooled:
            return
        version = await self._db.version()
        if version == self._version and pooled <= self._good:
            return
        current = await self._current([connection_id for connection_id, _ in pooled])
        good = {(each, revision) for each, revision in pooled if revision >= current.get(each, math.inf)}
        for connection_id, _ in (pooled - good) & set(self._engine.revisions().items()):
            await self._engine.drop(connection_id)
        self._version, self._good = version, good

    async def _current(self, connection_ids: Sequence[str]) -> Mapping[str, int]:
        query = select(Connection.id, Connection.revision).where(
            Connection.id.in_(connection_ids), Connection.deleted_at.is_(None)
        )
        async with self._db.reading() as session:
            return {row.id: row.revision for row in await session.execute(query)}
