"""Facts of the metadata database, read once for all checks."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.db import Database
from moorings.db.connecting import AWAY, reason
from moorings.errors import OperatorError
from moorings.settings import Settings


@dataclass(frozen=True, slots=True)
class Stored:
    """Facts of a database that has Moorings' schema, of any version."""

    schema: str
    keyset: str | None
    dialects: frozenset[str]
    """The dialects of connections that are not archived."""
    tls: str | None
    """The version of TLS of a session with PostgreSQL; None without TLS."""
    ahead: float | None
    """Seconds by which this machine's clock is ahead of PostgreSQL's."""


def stored(settings: Settings) -> Stored | None:
    """The facts of the database; None if there is none yet. Raises OperatorError if it does not answer."""
    found = _look(settings.database)
    if isinstance(found, str):
        raise OperatorError(f"cannot read the metadata database: {found}")
    return found


@functools.lru_cache(maxsize=1)
def _look(url: str) -> Stored | str | None:
    """The same, or the error: all checks together wait only once for a database that does not answer."""
    opened = Database(url)
    if opened.file and not opened.file.exists():
        return None
    try:
        return asyncio.run(_read(opened))
    except AWAY as refused:
        return reason(refused)


async def _read(opened: Database) -> Stored | None:
    try:
        async with opened.reading() as session:
            connection = await session.connection()
            if not await connection.run_sync(lambda found: inspect(found).has_table("alembic_version")):
                return None
            keyset = await session.scalar(text("SELECT value FROM installation WHERE key = 'keyset'"))
            used = await session.scalars(text("SELECT DISTINCT dialect FROM connections WHERE deleted_at IS NULL"))
            tls, ahead = (None, None) if opened.embedded else await _of_server(session)
            schema = await session.scalar(text("SELECT version_num FROM alembic_version"))
            return Stored(str(schema), keyset, frozenset(used), tls, ahead)
    finally:
        await opened.close()


async def _of_server(session: AsyncSession) -> tuple[str | None, float]:
    before = clock.now()
    asked = "SELECT extract(epoch FROM clock_timestamp())::float8 * 1000, s.version FROM pg_stat_ssl s WHERE s.pid = "
    row = (await session.execute(text(asked + "pg_backend_pid()"))).one()
    return row[1], ((before + clock.now()) / 2 - row[0]) / 1000
