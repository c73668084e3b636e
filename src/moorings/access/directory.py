"""Users as an identity provider manages them: found by its own names for them, changed and deleted."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from sqlalchemy import Select, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.models import ApiKey, ConnectionRole, GroupMember, User, UserAttributeValue, UserGroup
from moorings.errors import EmailInUse

EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
MAX_EMAIL_LENGTH, MAX_NAME_LENGTH = 254, 255
"""The longest email address, and the longest name of a user, group or key."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The stored fields of a user, except attributes, groups and roles on connections."""

    email: str
    name: str
    given_name: str | None
    family_name: str | None
    external_id: str | None
    active: bool
    admin: bool


def is_email(text: str) -> bool:
    """Whether a text can be a user's email."""
    return len(text) <= MAX_EMAIL_LENGTH and text.isprintable() and EMAIL.fullmatch(text) is not None


def is_user_name(text: str) -> bool:
    """Whether a text can be a user's login name: an email, or the identity provider's own name of the user."""
    return len(text) <= MAX_EMAIL_LENGTH and text.isprintable() and text == text.strip() != ""


def profile(user: User) -> Profile:
    """The stored profile of a user."""
    return Profile(
        user.email,
        user.name,
        user.given_name,
        user.family_name,
        user.external_id,
        user.disabled_at is None,
        user.organization_role == "ORG_ADMIN",
    )


async def add(session: AsyncSession, organization_id: str, attributes: Profile) -> User:
    """Add a user; raises EmailInUse."""
    user = User(id=str(uuid.uuid4()), organization_id=organization_id, created_at=clock.now())
    _set(user, attributes)
    session.add(user)
    await _store(session)
    return user


async def replace(session: AsyncSession, user: User, attributes: Profile) -> None:
    """Replace a user's profile; writes nothing if nothing differs. Raises EmailInUse."""
    if profile(user) != attributes:
        _set(user, attributes)
        user.updated_at = clock.now()
        await _store(session)


async def enable(session: AsyncSession, user: User, *, enabled: bool) -> None:
    """Enable or disable a user's keys."""
    if enabled is not (user.disabled_at is None):
        user.disabled_at = None if enabled else clock.now()
        user.updated_at = clock.now()
    await session.flush()


def _set(user: User, attributes: Profile) -> None:
    user.email, user.name = attributes.email, attributes.name
    user.given_name, user.family_name = attributes.given_name, attributes.family_name
    user.external_id = attributes.external_id
    user.organization_role = "ORG_ADMIN" if attributes.admin else "MEMBER"
    user.disabled_at = None if attributes.active else user.disabled_at or clock.now()


async def _store(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError:
        raise EmailInUse from None


async def remove(session: AsyncSession, user: User) -> None:
    """Delete a user: revoke their keys, and erase their names, group memberships and roles.

    A nameless row stays, because keys and running queries name it. The email can be taken again, by another user.
    """
    now = clock.now()
    await session.refresh(user, with_for_update=True)  # otherwise another request could add them to a group meanwhile
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


def rows_of_users(organization_id: str) -> Select[User]:
    """The users of an organization who were not deleted."""
    return select(User).where(User.organization_id == organization_id, User.deleted_at.is_(None))


def rows_of_groups(organization_id: str) -> Select[UserGroup]:
    """The groups of an organization."""
    return select(UserGroup).where(UserGroup.organization_id == organization_id)


async def users(session: AsyncSession, organization_id: str) -> list[User]:
    """Every user, oldest first."""
    return list(await session.scalars(rows_of_users(organization_id).order_by(User.created_at, User.id)))


async def user_groups(session: AsyncSession, organization_id: str) -> list[UserGroup]:
    """Every group, oldest first."""
    return list(await session.scalars(rows_of_groups(organization_id).order_by(UserGroup.created_at, UserGroup.id)))
