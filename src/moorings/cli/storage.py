"""Access of commands to the metadata database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.cli import directory, logs
from moorings.cli.configured import prepared
from moorings.db import Database
from moorings.migrations import HEAD, migrate
from moorings.settings import Settings
from moorings.settings.database import parsed

log = structlog.get_logger(__name__)

T = TypeVar("T")
Act = Callable[[AsyncSession, str], Awaitable[T]]
"""The work of a command, given a transaction and the id of the organization."""


def migrated() -> None:
    """Bring the database to this version's schema.

    An empty PostgreSQL database gets the schema too, because its address was set on purpose.
    """
    settings = prepared()
    migrate(settings.database)
    _log(settings, "migrated", {"schema": HEAD})


def reading(act: Act[T]) -> T:
    """The result of `act`, in a transaction that changes nothing."""
    return asyncio.run(_acting(_existing(), act))


def changing(act: Act[T], event: str, facts: Mapping[str, Any]) -> T:
    """The result of `act`, in one committed transaction. The change is logged, with these facts and the database."""
    settings = _existing()
    answer = asyncio.run(_acting(settings, act))
    _log(settings, event, facts)
    return answer


def _existing() -> Settings:
    settings = prepared()
    migrate(settings.database, new=False)
    return settings


async def _acting(settings: Settings, act: Act[T]) -> T:
    database = Database(settings.database)
    try:
        async with database.unit_of_work() as session:
            return await act(session, await access.the_organization(session))
    finally:
        await database.close()


def _log(settings: Settings, event: str, facts: Mapping[str, Any]) -> None:
    """Log the change, its database, and whether a service uses the data directory."""
    logs.configure(settings)
    service = directory.held_by(settings.data_dir)
    running = {"service_pid": service} if service else {}
    known = {name: value for name, value in facts.items() if value is not None}
    log.info(event, **known, database=str(parsed(settings.database)), **running)
