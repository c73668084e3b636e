"""Finds a connection by its name or id, for clients that are configured by people."""

from __future__ import annotations

import uuid

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.connections.models import Connection
from moorings.db.folding import folded
from moorings.errors import AmbiguousName, ConnectionNotFound


async def named(session: AsyncSession, actor: Actor, name: str) -> Connection:
    """The connection with an id or a name. The exact name wins over other spellings.

    Raises ConnectionNotFound if the actor may see no such connection, AmbiguousName if it may see several.
    """
    found = await _with_id(session, actor, name) or await _with_name(session, actor, name)
    if not found:
        raise ConnectionNotFound
    if len(found) > 1:
        raise AmbiguousName(name, [each.id for each in found])
    return found[0]


async def _with_id(session: AsyncSession, actor: Actor, text: str) -> list[Connection]:
    try:
        found = await session.get(Connection, str(uuid.UUID(text)))
    except ValueError:
        return []
    return [found] if found and _is_visible(actor, found) else []


async def _with_name(session: AsyncSession, actor: Actor, name: str) -> list[Connection]:
    live = (Connection.organization_id == actor.organization_id, Connection.deleted_at.is_(None))
    spelled = (
        select(Connection)
        .where(*live, or_(Connection.name_key == folded(name), Connection.name == name))
        .order_by(Connection.id)
    )
    found = [each for each in await session.scalars(spelled) if _is_visible(actor, each)]
    return [each for each in found if each.name == name] or found


def _is_visible(actor: Actor, connection: Connection) -> bool:
    return connection.organization_id == actor.organization_id and actor.may(Permission.SEE, connection)


async def queryable(session: AsyncSession, actor: Actor) -> list[Connection]:
    """The connections on which the actor may run queries, by name."""
    live = (Connection.organization_id == actor.organization_id, Connection.deleted_at.is_(None))
    found = await session.scalars(select(Connection).where(*live).order_by(Connection.name, Connection.id))
    return [each for each in found if actor.may(Permission.QUERY, each)]
