"""The `user` commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import directory, roles
from moorings.access import service as access
from moorings.access.directory import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, is_email
from moorings.access.policy import Role
from moorings.cli.storage import changing, reading
from moorings.cli.tables import when
from moorings.connections.models import Connection
from moorings.errors import NotFound, OperatorError


def create(email: str, name: str, *, admin: bool) -> str:
    """Add a user; returns their id. Raises OperatorError for an invalid email or name, and EmailInUse."""
    if not is_email(email):
        raise OperatorError(f"an email address needs one @, no space, and at most {MAX_EMAIL_LENGTH} characters")
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise OperatorError(f"a name needs at most {MAX_NAME_LENGTH} characters, all printable")

    async def act(session: AsyncSession, organization_id: str) -> str:
        return (await access.create_user(session, organization_id, email, name, admin=admin)).id

    return changing(act, "user_created", {"email": email, "admin": admin})


def listed() -> list[dict[str, Any]]:
    """Every user, oldest first."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        return [
            {
                "id": user.id,
                "email": user.email,
                "name": user.name,
                "admin": user.organization_role == "ORG_ADMIN",
                "active": user.disabled_at is None,
                "created": when(user.created_at),
            }
            for user in await directory.users(session, organization_id)
        ]

    return reading(act)


def enable(user: str, *, enabled: bool) -> None:
    """Enable or disable a user's keys; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        await directory.enable(session, await access.find_user(session, organization_id, user), enabled=enabled)

    changing(act, "user_enabled" if enabled else "user_disabled", {"user": user})


def make_admin(user: str, *, admin: bool) -> None:
    """Make a user an organization admin or a member; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        found = await access.find_user(session, organization_id, user)
        await directory.replace(session, found, replace(directory.profile(found), admin=admin))

    changing(act, "user_made_admin" if admin else "user_no_longer_admin", {"user": user})


def delete(user: str) -> None:
    """Delete a user with their keys, roles, memberships and values; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        await directory.remove(session, await access.find_user(session, organization_id, user))

    changing(act, "user_deleted", {"user": user})


def roles_of(user: str) -> list[dict[str, Any]]:
    """The roles that a user has on connections that are not archived, with the source of each; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        found = await access.find_user(session, organization_id, user)
        live = select(Connection).where(Connection.organization_id == organization_id, Connection.deleted_at.is_(None))
        connections = {each.id: each for each in await session.scalars(live.order_by(Connection.name, Connection.id))}
        return [
            {
                "connection": connections[each.connection_id].name,
                "id": each.connection_id,
                "role": each.role.name,
                "from": f"group {each.group.name}" if each.group else each.source,
                "counts": each.resolved,
            }
            for each in await roles.of_user(session, found, list(connections.values()))
        ]

    return reading(act)


def give(user: str, connection_id: str, role: str) -> None:
    """Set a user's role on a connection; raises OperatorError for an unknown role, or NotFound."""
    level = read_role(role)

    async def act(session: AsyncSession, organization_id: str) -> None:
        found = await access.find_user(session, organization_id, user)
        connection = await find_connection(session, organization_id, connection_id)
        await access.assign_role(session, found, connection.id, level)

    changing(act, "role_given", {"user": user, "connection_id": connection_id, "role": level.name})


def read_role(role: str) -> Role:
    """A role by its name in any case; raises OperatorError."""
    level = role.upper()
    if level not in Role.__members__:
        raise OperatorError(f"unknown role {role}: use one of {', '.join(Role.__members__)}")
    return Role[level]


async def find_connection(session: AsyncSession, organization_id: str, connection_id: str) -> Connection:
    """A connection by its id; raises NotFound."""
    connection = await session.get(Connection, connection_id)
    if connection is None or connection.organization_id != organization_id:
        raise NotFound(f"There is no connection with id {connection_id}")
    return connection
