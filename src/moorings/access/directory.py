"""Users as a directory keeps them: found by what an identity provider knows of them, changed and deleted."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from moorings import clock
from moorings.access.models import ApiKey, ConnectionRole, GroupMember, User, UserAttributeValue, UserGroup
from moorings.errors import EmailInUse

EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
LONGEST_EMAIL, LONGEST_NAME = 254, 255
"""The longest address that mail can be sent to, and the longest name of anything here."""

Narrowed = Sequence[Mapping[str, str]]
"""What rows may be looked for by: alternatives, each field → the value that it must have."""

T = TypeVar("T", User, UserGroup)


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that is kept of a user, but for their attributes, groups and roles on connections."""

    email: str
    name: str
    given_name: str | None
    family_name: str | None
    external_id: str | None
    active: bool
    admin: bool


def is_email(text: str) -> bool:
    """Whether a text can be a user's email."""
    return len(text) <= LONGEST_EMAIL and text.isprintable() and EMAIL.fullmatch(text) is not None


def profile(user: User) -> Profile:
    """What is kept of a user."""
    return Profile(
        user.email,
        user.name,
        user.given_name,
        user.family_name,
        user.external_id,
        user.disabled_at is None,
        user.organization_role == "ORG_ADMIN",
    )


async def add(session: AsyncSession, organization_id: str, wanted: Profile) -> User:
    """Add a user; raises EmailInUse."""
    user = User(id=str(uuid.uuid4()), organization_id=organization_id, created_at=clock.now())
    _set(user, wanted)
    session.add(user)
    await _store(session)
    return user


async def replace(session: AsyncSession, user: User, wanted: Profile) -> None:
    """Let a user be as wanted; nothing is written where nothing differs. Raises EmailInUse."""
    if profile(user) != wanted:
        _set(user, wanted)
        user.updated_at = clock.now()
        await _store(session)


async def enable(session: AsyncSession, user: User, *, enabled: bool) -> None:
    """Let a user's keys work, or not, until this is said again."""
    if enabled is not (user.disabled_at is None):
        user.disabled_at = None if enabled else clock.now()
        user.updated_at = clock.now()
    await session.flush()


def _set(user: User, wanted: Profile) -> None:
    user.email, user.name = wanted.email, wanted.name
    user.given_name, user.family_name = wanted.given_name, wanted.family_name
    user.external_id = wanted.external_id
    user.organization_role = "ORG_ADMIN" if wanted.admin else "MEMBER"
    user.disabled_at = None if wanted.active else user.disabled_at or clock.now()


async def _store(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError:
        raise EmailInUse from None


async def remove(session: AsyncSession, user: User) -> None:
    """Delete a user: their keys are revoked, and what they were called, belonged to and might do is erased.

    A nameless row stays, because keys and running queries name it. The email can be taken again, by another user.
    """
    now = clock.now()
    for table in (GroupMember, ConnectionRole, UserAttributeValue):
        await session.execute(delete(table).where(table.user_id == user.id))
    live = ApiKey.revoked_at.is_(None)
    await session.execute(update(ApiKey).where(ApiKey.user_id == user.id, live).values(revoked_at=now))
    user.email, user.name = user.id, "Deleted user"
    user.email_key = user.name_key = user.given_name = user.family_name = user.external_id = None
    user.organization_role = "MEMBER"
    user.disabled_at = user.disabled_at or now
    user.deleted_at = user.updated_at = now
    await session.flush()


# ---- finding ----------------------------------------------------------------------------------------------------

Columns = Mapping[str, InstrumentedAttribute[str | None] | InstrumentedAttribute[str]]

USER_COLUMNS: Columns = {
    "id": User.id,
    "email": User.email_key,
    "name": User.name_key,
    "external_id": User.external_id,
}
GROUP_COLUMNS: Columns = {
    "id": UserGroup.id,
    "name": UserGroup.name_key,
    "external_id": UserGroup.external_id,
}
FOLDED = ("email", "name")
"""Fields that are compared in any case."""


async def users(session: AsyncSession, organization_id: str, narrowed: Narrowed | None) -> list[User]:
    """Users, oldest first: all of them, or those that some alternative fits."""
    return list(await session.scalars(_narrowed(_users(organization_id), USER_COLUMNS, narrowed)))


async def user_page(session: AsyncSession, organization_id: str, skipped: int, number: int) -> tuple[list[User], int]:
    """So many users, oldest first, from behind those that are skipped; and how many there are in all."""
    return await _page(session, _users(organization_id), skipped, number)


async def user_groups(session: AsyncSession, organization_id: str, narrowed: Narrowed | None) -> list[UserGroup]:
    """Groups, oldest first: all of them, or those that some alternative fits."""
    return list(await session.scalars(_narrowed(_groups(organization_id), GROUP_COLUMNS, narrowed)))


async def group_page(
    session: AsyncSession, organization_id: str, skipped: int, number: int
) -> tuple[list[UserGroup], int]:
    """So many groups, oldest first, from behind those that are skipped; and how many there are in all."""
    return await _page(session, _groups(organization_id), skipped, number)


def _users(organization_id: str) -> Select[User]:
    found = select(User).where(User.organization_id == organization_id, User.deleted_at.is_(None))
    return found.order_by(User.created_at, User.id)


def _groups(organization_id: str) -> Select[UserGroup]:
    found = select(UserGroup).where(UserGroup.organization_id == organization_id)
    return found.order_by(UserGroup.created_at, UserGroup.id)


async def _page(session: AsyncSession, found: Select[T], skipped: int, number: int) -> tuple[list[T], int]:
    counted = select(func.count()).select_from(found.order_by(None).subquery())
    total = (await session.execute(counted)).scalar_one()
    return list(await session.scalars(found.offset(skipped).limit(number))), total


def _narrowed(
    found: Select[T],
    columns: Columns,
    narrowed: Narrowed | None,
) -> Select[T]:
    if narrowed is None:
        return found
    return found.where(or_(*(_all(columns, alternative) for alternative in narrowed)))


def _all(
    columns: Columns,
    alternative: Mapping[str, str],
) -> ColumnElement[bool]:
    return and_(
        *(columns[field] == (value.casefold() if field in FOLDED else value) for field, value in alternative.items())
    )
