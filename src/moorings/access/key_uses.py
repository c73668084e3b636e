"""When keys were last used: noted in memory, written for all of them together."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from moorings.access.actor import Actor
from moorings.db import Database
from moorings.errors import MooringsError

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 60.0
"""How long a use may wait until it is written."""

_WRITE = text(
    "INSERT INTO api_key_uses (key_id, organization_id, used_at) VALUES (:key_id, :organization_id, :used_at)"
    " ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at WHERE excluded.used_at > api_key_uses.used_at"
)


class KeyUses:
    """The uses of keys in this process. `note` costs a request one entry in a dictionary, and no write."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._noted: dict[str, tuple[str, int]] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, actor: Actor, now: int) -> None:
        """The actor's key was used."""
        self._noted[actor.key_id] = actor.organization_id, now

    def start(self) -> None:
        """Write from time to time, until `close`."""
        self._task = asyncio.create_task(self._repeat())

    async def close(self) -> None:
        """Write what is noted, and stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def flush(self) -> None:
        """Write what is noted, in one transaction; it is kept for the next time if the database does not answer."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        rows = [
            {"key_id": key_id, "organization_id": organization_id, "used_at": used_at}
            for key_id, (organization_id, used_at) in sorted(noted.items())
        ]
        try:
            async with self._db.unit_of_work() as session:
                await session.execute(_WRITE, rows)
        except (SQLAlchemyError, OSError, MooringsError) as refused:
            self._noted = noted | self._noted
            log.warning("key_uses_not_written", reason=type(refused).__name__)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
