"""How commands reach the metadata database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.cli.configured import prepared
from moorings.db import Database
from moorings.migrations import migrate
from moorings.settings import Settings

T = TypeVar("T")


def migrated() -> Settings:
    """The settings, with their database at this version's schema."""
    settings = prepared()
    migrate(settings.database)
    return settings


def changing(act: Callable[[AsyncSession, str], Awaitable[T]]) -> T:
    """What `act` answers, given one committed transaction and the id of the organization."""
    return asyncio.run(_changing(migrated(), act))


async def _changing(settings: Settings, act: Callable[[AsyncSession, str], Awaitable[T]]) -> T:
    database = Database(settings.database)
    try:
        async with database.unit_of_work() as session:
            return await act(session, await access.the_organization(session))
    finally:
        await database.close()
