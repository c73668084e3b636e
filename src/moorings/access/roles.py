"""The sources of a role on a connection: assigned to the user, assigned to one of their groups, or the base role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import groups
from moorings.access.models import ConnectionRole, GroupRole, User, UserGroup
from moorings.access.policy import Role
from moorings.access.service import Guarded


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role on one connection; `resolved` marks the effective one, `group` names the group it comes from.

    `name` is the role's name as the caller wrote it.
    """

    connection_id: str
    role: Role
    name: str
    source: Literal["user", "group", "base"]
    resolved: bool
    group: UserGroup | None = None


async def of_user(session: AsyncSession, user: User, connections: Sequence[Guarded]) -> list[Assignment]:
    """Every role that a user has on these connections; the highest on each comes first and is effective."""
    rows = await session.scalars(select(ConnectionRole).where(ConnectionRole.user_id == user.id))
    own = {row.connection_id: _role_on(row, "user") for row in rows}
    theirs = {group.id: group for group in (await groups.of_users(session, [user.id])).get(user.id, ())}
    by_group = await groups.roles(session, theirs.values())
    found: list[Assignment] = []
    for connection in connections:
        here = [own[connection.id]] if connection.id in own else []
        here += [_role_on(row, "group", theirs[group_id]) for group_id, row in by_group.get(connection.id, {}).items()]
        here.append(
            Assignment(connection.id, Role(connection.base_role), connection.base_role_name, "base", resolved=False)
        )
        found += _resolved(here)
    return found


def _role_on(
    row: ConnectionRole | GroupRole, source: Literal["user", "group"], group: UserGroup | None = None
) -> Assignment:
    role = Role(row.role)
    return Assignment(row.connection_id, role, row.role_alias or role.name, source, resolved=False, group=group)


def _resolved(here: Iterable[Assignment]) -> list[Assignment]:
    ordered = sorted(here, key=lambda each: each.role, reverse=True)  # ties as they came: own role, groups, base
    return [replace(each, resolved=place == 0) for place, each in enumerate(ordered)]


async def of_group(session: AsyncSession, group: UserGroup, connections: Sequence[Guarded]) -> list[Assignment]:
    """The roles that a group has on these connections."""
    assigned = await groups.roles(session, [group])
    return [
        replace(_role_on(row, "group", group), resolved=True)
        for connection in connections
        for row in assigned.get(connection.id, {}).values()
    ]
