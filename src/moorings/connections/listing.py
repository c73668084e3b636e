"""Lists of connections: a snapshot in memory of everything that lists show, and the filters on it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.policy import Permission, Role
from moorings.access.service import Actor
from moorings.connections.models import Connection, EnvironmentValue
from moorings.db.folding import folded


class Listed(NamedTuple):
    """A connection as lists show it."""

    id: str
    name: str
    dialect: str
    database: str | None
    default_schema: str | None
    deleted_at: int | None
    environment_attribute: str | None
    base_role: int
    base_role_alias: str | None
    created_at: int
    updated_at: int
    name_key: str | None
    database_key: str | None
    default_values: tuple[str, ...]

    @property
    def base_role_name(self) -> str:
        """The base role, as it was written."""
        return self.base_role_alias or Role(self.base_role).name


COLUMNS = [Connection.__table__.c[name] for name in Listed._fields if name != "default_values"]


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters and the order of a list. `name` and `database` match any part of the text, in any case."""

    name: str = ""
    database: str = ""
    dialects: frozenset[str] = frozenset()
    include_deleted: bool = False
    sort_field: str = "name"
    descending: bool = False

    def takes(self, connection: Listed) -> bool:
        """Whether a connection matches every filter except `name`."""
        return (
            (connection.deleted_at is None or self.include_deleted)
            and (not self.dialects or connection.dialect in self.dialects)
            and (
                not self.database
                or folded(self.database) in (connection.database_key or folded(connection.database or ""))
            )
        )


class Snapshot:
    """Every connection of an organization, archived ones included."""

    def __init__(self, connections: Sequence[Listed]) -> None:
        self.connections = connections
        self._names = _Texts([connection.name_key or folded(connection.name) for connection in connections])

    def select(self, actor: Actor, criteria: Filter) -> list[Listed]:
        """The connections that the actor may see and that match the filter, in its order (ties by id)."""
        named: Iterable[Listed] = self.connections
        if criteria.name:
            named = [self.connections[place] for place in self._names.containing(folded(criteria.name))]
        found = [one for one in named if criteria.takes(one) and (actor.admin or actor.may(Permission.SEE, one))]
        return _sorted(found, criteria)


class _Texts:
    """Texts joined for one search: searching one long text costs less than searching thousands of short ones."""

    BETWEEN = "\0"
    """A character that no name and no database contains: requests with it are refused."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._joined = self.BETWEEN.join([*texts, ""])
        self._ends = list(accumulate(len(text) + 1 for text in texts))

    def containing(self, part: str) -> list[int]:
        """The places of the texts that contain a part."""
        places: list[int] = []
        at = -1 if self.BETWEEN in part else self._joined.find(part)
        while at >= 0:
            places.append(bisect_right(self._ends, at))
            at = self._joined.find(part, self._ends[places[-1]])
        return places


def _sorted(found: list[Listed], criteria: Filter) -> list[Listed]:
    if criteria.sort_field == "database":
        named = [connection for connection in found if connection.database is not None]
        unnamed = [connection for connection in found if connection.database is None]
        return _by("database", named, criteria.descending) + sorted(unnamed, key=lambda connection: connection.id)
    return _by(criteria.sort_field, found, criteria.descending)


def _by(field: str, found: list[Listed], descending: bool) -> list[Listed]:
    in_id_order = sorted(found, key=lambda connection: connection.id)
    return sorted(in_id_order, key=lambda connection: getattr(connection, field).casefold(), reverse=descending)


async def snapshot(session: AsyncSession, organization_id: str) -> Snapshot:
    """Everything that lists of the organization show.

    Cached under the database's version: searching ten thousand entries in memory costs less than querying for them.
    """
    values = await _default_values(session, organization_id)
    rows = await session.execute(select(*COLUMNS).where(Connection.organization_id == organization_id))
    return Snapshot([Listed._make((*row, tuple(values.get(row[0], ())))) for row in rows])


async def listed(session: AsyncSession, connection: Connection) -> Listed:
    """One connection as lists show it."""
    values = await session.scalars(
        select(EnvironmentValue.value)
        .where(EnvironmentValue.base_connection_id == connection.id, EnvironmentValue.environment_id.is_(None))
        .order_by(EnvironmentValue.position)
    )
    shown = [getattr(connection, name) for name in Listed._fields if name != "default_values"]
    return Listed._make((*shown, tuple(values)))


async def _default_values(session: AsyncSession, organization_id: str) -> dict[str, list[str]]:
    rows = await session.execute(
        select(EnvironmentValue.base_connection_id, EnvironmentValue.value)
        .where(EnvironmentValue.organization_id == organization_id, EnvironmentValue.environment_id.is_(None))
        .order_by(EnvironmentValue.position)
    )
    values: dict[str, list[str]] = {}
    for connection_id, value in rows:
        values.setdefault(connection_id, []).append(value)
    return values
