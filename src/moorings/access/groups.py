"""Groups of users: their members, and the roles that members get from them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.models import GroupMember, GroupRole, User, UserGroup
from moorings.access.policy import Role
from moorings.db.folding import folded
from moorings.errors import GroupInUse, GroupNotFound, NotFound, NotUsers

TOGETHER = 1000
"""Members read between two turns of the event loop: a group may have tens of thousands."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a group."""

    id: str
    name: str


async def find(session: AsyncSession, organization_id: str, group_id: str, *, lock: bool = False) -> UserGroup:
    """The group; raises GroupNotFound. `lock` lets no other transaction change it until this one ends."""
    group = await session.get(UserGroup, group_id, with_for_update=lock)
    if group is None or group.organization_id != organization_id:
        raise GroupNotFound
    return group


async def named(session: AsyncSession, organization_id: str, name_or_id: str) -> UserGroup:
    """The group with this name (in any case) or id; raises NotFound with the name or id."""
    called = (UserGroup.name_key == folded(name_or_id)) | (UserGroup.id == name_or_id)
    found = await session.scalars(select(UserGroup).where(UserGroup.organization_id == organization_id, called))
    group = found.first()
    if group is None:
        raise NotFound(f"There is no group {name_or_id}")
    return group


async def add(
    session: AsyncSession, organization_id: str, name: str, external_id: str | None = None, members: Sequence[str] = ()
) -> UserGroup:
    """Add a group of these users; raises GroupInUse, and NotUsers for users who do not exist."""
    group = UserGroup(
        id=str(uuid.uuid4()),
        organization_id=organization_id,
        name=name,
        external_id=external_id,
        created_at=clock.now(),
    )
    session.add(group)
    await _store(session)
    await _join(session, group, members)
    await session.flush()
    return group


async def replace(
    session: AsyncSession, group: UserGroup, name: str, external_id: str | None, members: Sequence[str] | None
) -> None:
    """Set a group's name and its members (None: keep them); writes differences only.

    Raises GroupInUse and NotUsers.
    """
    changed = (group.name, group.external_id) != (name, external_id)
    if changed:
        group.name, group.external_id = name, external_id
        await _store(session)
    if members is not None:
        before = await member_ids(session, group)
        await _leave(session, group, before - set(members))
        await _join(session, group, [each for each in members if each not in before])
        changed = changed or before != set(members)
    if changed:
        group.updated_at = clock.now()
    await session.flush()


async def remove(session: AsyncSession, group: UserGroup) -> None:
    """Delete a group and its roles; its members stay as users."""
    await session.execute(delete(GroupMember).where(GroupMember.group_id == group.id))
    await session.execute(delete(GroupRole).where(GroupRole.group_id == group.id))
    await session.delete(group)
    await session.flush()


async def _store(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError:
        raise GroupInUse from None


async def _join(session: AsyncSession, group: UserGroup, user_ids: Sequence[str]) -> None:
    """Add members; their rows are locked, so that none of them is deleted meanwhile."""
    if not user_ids:
        return
    unique_ids = list(dict.fromkeys(user_ids))
    live = select(User.id).where(User.organization_id == group.organization_id, User.deleted_at.is_(None))
    found = set(await session.scalars(live.where(User.id.in_(unique_ids)).with_for_update(read=True)))
    if strangers := [user_id for user_id in unique_ids if user_id not in found]:
        raise NotUsers(strangers)
    now = clock.now()
    session.add_all(
        GroupMember(
            id=str(uuid.uuid4()),
            organization_id=group.organization_id,
            group_id=group.id,
            user_id=user_id,
            created_at=now,
        )
        for user_id in unique_ids
    )


async def _leave(session: AsyncSession, group: UserGroup, user_ids: Collection[str]) -> None:
    """Remove members from a group."""
    if user_ids:
        gone = GroupMember.user_id.in_(user_ids)
        await session.execute(delete(GroupMember).where(GroupMember.group_id == group.id, gone))


async def member_ids(session: AsyncSession, group: UserGroup) -> set[str]:
    """The members of a group."""
    return set(await session.scalars(select(GroupMember.user_id).where(GroupMember.group_id == group.id)))


async def members(session: AsyncSession, group_ids: Sequence[str]) -> dict[str, list[Member]]:
    """The members of each group, sorted by name."""
    rows = await session.stream(
        select(GroupMember.group_id, User.id, User.name)
        .join(User, User.id == GroupMember.user_id)
        .where(GroupMember.group_id.in_(group_ids))
        .order_by(User.name_key, User.id)
    )
    found: dict[str, list[Member]] = {}
    async for part in rows.partitions(TOGETHER):
        for group_id, user_id, name in part:
            found.setdefault(group_id, []).append(Member(user_id, name))
    return found


async def of_users(session: AsyncSession, user_ids: Sequence[str]) -> dict[str, list[UserGroup]]:
    """The groups of each of several users, by name."""
    rows = await session.execute(
        select(GroupMember.user_id, UserGroup)
        .join(UserGroup, UserGroup.id == GroupMember.group_id)
        .where(GroupMember.user_id.in_(user_ids))
        .order_by(UserGroup.name_key)
    )
    found: dict[str, list[UserGroup]] = {}
    for user_id, group in rows:
        found.setdefault(user_id, []).append(group)
    return found


async def sizes(session: AsyncSession, organization_id: str) -> dict[str, int]:
    """The number of members of each group; empty groups are left out."""
    rows = await session.execute(
        select(GroupMember.group_id, func.count())
        .where(GroupMember.organization_id == organization_id)
        .group_by(GroupMember.group_id)
    )
    return {group_id: int(number) for group_id, number in rows}


# ---- roles ------------------------------------------------------------------------------------------------------


async def assign_role(
    session: AsyncSession, group: UserGroup, connection_id: str, role: Role, alias: str | None = None
) -> None:
    """Set a group's role on a connection. It replaces the previous one."""
    assignment = (
        await session.scalars(
            select(GroupRole).where(GroupRole.group_id == group.id, GroupRole.connection_id == connection_id)
        )
    ).one_or_none()
    if assignment is None:
        assignment = GroupRole(
            id=str(uuid.uuid4()),
            organization_id=group.organization_id,
            connection_id=connection_id,
            group_id=group.id,
        )
        session.add(assignment)
    if (assignment.role, assignment.role_alias) != (role, alias):
        assignment.role, assignment.role_alias, assignment.updated_at = int(role), alias, clock.now()
    await session.flush()


async def roles(session: AsyncSession, of: Iterable[UserGroup]) -> dict[str, dict[str, GroupRole]]:
    """The roles of groups, by connection and then by group."""
    ids = [group.id for group in of]
    rows = await session.scalars(select(GroupRole).where(GroupRole.group_id.in_(ids)))
    found: dict[str, dict[str, GroupRole]] = {}
    for row in rows:
        found.setdefault(row.connection_id, {})[row.group_id] = row
    return found
