"""The `group` commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import directory, groups
from moorings.access import service as access
from moorings.access.directory import MAX_NAME_LENGTH
from moorings.cli.access.users import find_connection, read_role
from moorings.cli.storage import changing, reading
from moorings.cli.tables import when
from moorings.errors import OperatorError


def create(name: str) -> str:
    """Add a group; returns its id. Raises OperatorError for an invalid name, and GroupInUse."""
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise OperatorError(f"a name needs 1 to {MAX_NAME_LENGTH} characters, all printable")

    async def act(session: AsyncSession, organization_id: str) -> str:
        return (await groups.add(session, organization_id, name)).id

    return changing(act, "group_created", {"name": name})


def listed() -> list[dict[str, Any]]:
    """Every group, oldest first."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        sizes = await groups.sizes(session, organization_id)
        return [
            {
                "id": group.id,
                "name": group.name,
                "members": sizes.get(group.id, 0),
                "created": when(group.created_at),
            }
            for group in await directory.user_groups(session, organization_id)
        ]

    return reading(act)


def members(group: str) -> list[dict[str, Any]]:
    """The members of a group, sorted by name; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        found = await groups.named(session, organization_id, group)
        listed = (await groups.members(session, [found.id])).get(found.id, [])
        return [{"id": each.id, "name": each.name} for each in listed]

    return reading(act)


def change(group: str, *, joining: Sequence[str] = (), leaving: Sequence[str] = ()) -> None:
    """Add users (email or id) to a group, and remove users from it; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        named = await groups.named(session, organization_id, group)
        found = await groups.find(session, organization_id, named.id, lock=True)
        come, go = [
            {(await access.find_user(session, organization_id, user)).id for user in users}
            for users in (joining, leaving)
        ]
        before = await groups.member_ids(session, found)
        await groups.replace(session, found, found.name, found.external_id, sorted((before | come) - go))

    changing(act, "group_changed", {"group": group, "joined": list(joining) or None, "left": list(leaving) or None})


def delete(group: str) -> None:
    """Delete a group with its roles; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        await groups.remove(session, await groups.named(session, organization_id, group))

    changing(act, "group_deleted", {"group": group})


def give(group: str, connection_id: str, role: str) -> None:
    """Set a group's role on a connection; raises OperatorError for an unknown role, or NotFound."""
    level = read_role(role)

    async def act(session: AsyncSession, organization_id: str) -> None:
        found = await groups.named(session, organization_id, group)
        connection = await find_connection(session, organization_id, connection_id)
        await groups.assign_role(session, found, connection.id, level)

    changing(act, "role_given", {"group": group, "connection_id": connection_id, "role": level.name})
