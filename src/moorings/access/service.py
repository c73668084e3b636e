"""Authentication and authorization: keys, users and their roles."""

from __future__ import annotations

import hashlib
import hmac
import secrets as random_secrets
import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, false, func, select, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.actor import Actor, Guarded
from moorings.access.models import ApiKey, ConnectionRole, GroupMember, GroupRole, Organization, User
from moorings.access.policy import Limits, Role, Scope
from moorings.db import page
from moorings.db.folding import folded
from moorings.errors import (
    EmailInUse,
    InvalidToken,
    KeyNotFound,
    NotFound,
    UserNotFound,
)

ORGANIZATION_PREFIX = "moo_osk_"
PERSONAL_PREFIX = "moo_pat_"


def token_hash(token: str) -> bytes:
    """The stored hash of a token. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


async def authenticate(session: AsyncSession, hashed: bytes) -> Actor:
    """The actor of a token's hash; raises InvalidToken for an unknown, disabled or revoked key or user.

    The token before a rotation is valid until its own expiry.
    """
    tokens = (ApiKey.token_hash == hashed) | (ApiKey.previous_token_hash == hashed)
    key = (await session.execute(select(ApiKey).where(tokens))).scalar_one_or_none()
    if key is None or key.disabled_at or key.revoked_at:
        raise InvalidToken
    found = await _actor(session, key)
    if hmac.compare_digest(key.token_hash, hashed):
        return found
    expiries = [instant for instant in (key.previous_expires_at or 0, key.expires_at) if instant is not None]
    return replace(found, expires_at=min(expiries))


async def actor(session: AsyncSession, key_id: str) -> Actor:
    """The actor of a key that was authenticated before; raises InvalidToken if the key is no longer valid."""
    key = await session.get(ApiKey, key_id)
    if key is None or key.disabled_at or key.revoked_at:
        raise InvalidToken
    found = await _actor(session, key)
    found.require_unexpired(clock.now())
    return found


async def _actor(session: AsyncSession, key: ApiKey) -> Actor:
    owner_admin, roles = True, dict[str, Role]()
    if key.user_id is not None:
        user = await session.get_one(User, key.user_id)
        if user.disabled_at:
            raise InvalidToken
        owner_admin, roles = user.organization_role == "ORG_ADMIN", await _roles(session, user.id)
    limits = limits_of(key)
    return Actor(
        organization_id=key.organization_id,
        key_id=key.id,
        user_id=key.user_id,
        admin=owner_admin and not limits.limited,
        roles=roles,
        owner_admin=owner_admin,
        limits=limits,
        expires_at=key.expires_at,
    )


def limits_of(key: ApiKey) -> Limits:
    """The limits of a key."""
    return Limits(
        None if key.scopes is None else frozenset(map(Scope, key.scopes)),
        None if key.connection_ids is None else frozenset(key.connection_ids),
    )


async def _roles(session: AsyncSession, user_id: str) -> dict[str, Role]:
    own = select(ConnectionRole.connection_id, ConnectionRole.role).where(ConnectionRole.user_id == user_id)
    of_groups = (
        select(GroupRole.connection_id, GroupRole.role)
        .join(GroupMember, GroupMember.group_id == GroupRole.group_id)
        .where(GroupMember.user_id == user_id)
    )
    roles: dict[str, Role] = {}
    for connection_id, role in await session.execute(union_all(own, of_groups)):
        roles[connection_id] = max(Role(role), roles.get(connection_id, Role.NO_ACCESS))
    return roles


async def acting_as(session: AsyncSession, actor: Actor, user_id: str) -> Actor:
    """An organization key acting as a user, with the user's rights within the key's limits. Raises UserNotFound."""
    found = await user(session, actor, user_id)
    if found.disabled_at:
        raise UserNotFound
    owner_admin = found.organization_role == "ORG_ADMIN"
    admin = owner_admin and not actor.limits.limited
    return replace(actor, user_id=found.id, admin=admin, owner_admin=owner_admin, roles=await _roles(session, found.id))


async def the_organization(session: AsyncSession) -> str:
    """The id of the one organization, made at the first start."""
    found = (await session.execute(select(Organization.id).order_by(Organization.created_at).limit(1))).scalar()
    if found is not None:
        return found
    organization = Organization(id=str(uuid.uuid4()), name="Default", created_at=clock.now())
    session.add(organization)
    await session.flush()
    return organization.id


async def create_key(session: AsyncSession, organization_id: str, name: str, user_id: str | None = None) -> str:
    """Make a key and return its token, which is shown once and stored only as a hash."""
    token = new_token(personal=user_id is not None)
    session.add(new_key(organization_id, name, token, user_id=user_id))
    await session.flush()
    return token


def new_token(*, personal: bool) -> str:
    """A new token of 256 random bits."""
    return (PERSONAL_PREFIX if personal else ORGANIZATION_PREFIX) + random_secrets.token_urlsafe(32)


async def set_bootstrap_key(session: AsyncSession, organization_id: str, token: str) -> None:
    """Make the operator's token an organization key; the bootstrap key that it replaces stops working."""
    hashed = token_hash(token)
    known = (await session.execute(select(ApiKey).where(ApiKey.origin == "bootstrap"))).scalar_one_or_none()
    if known is not None and known.token_hash == hashed:
        return
    if known is not None:
        known.origin, known.revoked_at = "created", clock.now()
        await session.flush()
    session.add(new_key(organization_id, "Bootstrap", token, origin="bootstrap"))
    await session.flush()


def new_key(
    organization_id: str, name: str, token: str, *, user_id: str | None = None, origin: str = "created"
) -> ApiKey:
    """A key to store, without limits."""
    return ApiKey(
        id=str(uuid.uuid4()),
        organization_id=organization_id,
        user_id=user_id,
        name=name,
        origin=origin,
        token_hash=token_hash(token),
        created_at=clock.now(),
    )


async def list_keys(session: AsyncSession, organization_id: str) -> list[ApiKey]:
    """Every key of the organization, oldest first."""
    rows = await session.scalars(
        select(ApiKey).where(ApiKey.organization_id == organization_id).order_by(ApiKey.created_at, ApiKey.id)
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Keys:
    """The filters and the order of a list of keys. `kind` is organization, personal, or a kind that no key has."""

    kind: str | None = None
    by_name: bool = False
    descending: bool = True


async def visible_keys(
    session: AsyncSession, actor: Actor, listed: Keys, after: tuple[Any, ...] | None, number: int
) -> tuple[list[ApiKey], int]:
    """A page of the keys that the actor may see, after a cursor (instant or name, and id); and their total.

    Organization admins see every key that was not revoked, users their own, a limited organization key itself.
    """
    conditions = [ApiKey.organization_id == actor.organization_id, ApiKey.revoked_at.is_(None)]
    if not actor.admin:
        conditions.append(_own(actor))
    if listed.kind is not None:
        kinds = {"organization": ApiKey.user_id.is_(None), "personal": ApiKey.user_id.is_not(None)}
        conditions.append(kinds.get(listed.kind, false()))
    by: Any = ApiKey.name if listed.by_name else ApiKey.created_at
    return await page(
        session, select(ApiKey).where(*conditions), [(by, listed.descending), (ApiKey.id, False)], after, number
    )


async def visible_key(session: AsyncSession, actor: Actor, key_id: str) -> ApiKey:
    """A key that was not revoked; raises KeyNotFound for one that the actor may not see."""
    key = await session.get(ApiKey, key_id)
    if key is None or key.organization_id != actor.organization_id or key.revoked_at is not None:
        raise KeyNotFound
    if not actor.admin and key.id != actor.key_id and (key.user_id is None or key.user_id != actor.user_id):
        raise KeyNotFound
    return key


def _own(actor: Actor) -> ColumnElement[bool]:
    """The keys of a user; an organization key that is no admin has itself only."""
    return ApiKey.id == actor.key_id if actor.user_id is None else ApiKey.user_id == actor.user_id


async def enable_key(session: AsyncSession, actor: Actor, key: ApiKey, *, enabled: bool) -> None:
    """Enable or disable a key.

    Raises PermissionDenied if a user who is no admin enables a disabled key: an admin may have disabled it.
    """
    if enabled and key.disabled_at is not None:
        actor.require_admin()
    key.disabled_at = None if enabled else key.disabled_at or clock.now()
    await session.flush()


def service_identity(organization_id: str) -> str:
    """The id of the user that organization keys without a user act as: always the same for one organization."""
    return str(uuid.uuid5(uuid.UUID(organization_id), "service"))


async def has_keys(session: AsyncSession) -> bool:
    """Whether any key exists, revoked ones included; False at the very first start only."""
    return bool((await session.execute(select(func.count()).select_from(ApiKey))).scalar())


async def revoke_key(session: AsyncSession, organization_id: str, key_id: str) -> None:
    """Revoke a key; raises NotFound."""
    key = await session.get(ApiKey, key_id)
    if key is None or key.organization_id != organization_id:
        raise NotFound(f"There is no key with id {key_id}")
    key.revoked_at = key.revoked_at or clock.now()
    await session.flush()


async def create_user(
    session: AsyncSession, organization_id: str, email: str, name: str, *, admin: bool = False
) -> User:
    """Create a user. The email is its name at logins, unique in the organization in any case; raises EmailInUse."""
    user = User(
        id=str(uuid.uuid4()),
        organization_id=organization_id,
        email=email,
        name=name,
        organization_role="ORG_ADMIN" if admin else "MEMBER",
        created_at=clock.now(),
    )
    session.add(user)
    try:
        await session.flush()
    except IntegrityError:
        raise EmailInUse from None
    return user


async def find_user(session: AsyncSession, organization_id: str, email_or_id: str) -> User:
    """The user with this email (in any case) or id; raises NotFound."""
    named = (User.email_key == folded(email_or_id)) | (User.id == email_or_id)
    found = await session.scalars(
        select(User).where(User.organization_id == organization_id, User.deleted_at.is_(None), named)
    )
    user = found.first()
    if user is None:
        raise NotFound(f"There is no user {email_or_id}")
    return user


async def user(session: AsyncSession, actor: Actor, user_id: str, *, lock: bool = False) -> User:
    """A user of the actor's organization who was not deleted; raises UserNotFound.

    `lock` lets no other transaction change them until this one ends.
    """
    found = await session.get(User, user_id, with_for_update=lock)
    if found is None or found.organization_id != actor.organization_id or found.deleted_at is not None:
        raise UserNotFound
    return found


async def organization_key(session: AsyncSession, actor: Actor, key_id: str, *, lock: bool = False) -> ApiKey:
    """An active organization key; raises KeyNotFound, also for a personal key: its user has the attributes.

    `lock` lets no other transaction change it until this one ends.
    """
    key = await visible_key(session, actor, key_id)
    if lock:
        await session.refresh(key, with_for_update=True)
    if key.user_id is not None:
        raise KeyNotFound
    return key


async def role_of(session: AsyncSession, owner: User | ApiKey, connection: Guarded) -> Role:
    """The role of a user, or of an organization key, on a connection."""
    if isinstance(owner, ApiKey):
        return (await _actor(session, owner)).role_on(connection)
    admin = owner.organization_role == "ORG_ADMIN"
    return Actor(owner.organization_id, "", owner.id, admin, await _roles(session, owner.id)).role_on(connection)


async def roles_on(session: AsyncSession, connection_id: str) -> tuple[int, int]:
    """The numbers of users and of groups with their own role on a connection."""
    users = select(func.count()).select_from(ConnectionRole).where(ConnectionRole.connection_id == connection_id)
    groups = select(func.count()).select_from(GroupRole).where(GroupRole.connection_id == connection_id)
    return (await session.execute(users)).scalar_one(), (await session.execute(groups)).scalar_one()


async def owner(session: AsyncSession, actor: Actor) -> User | ApiKey:
    """The owner of an actor's attributes: the user, or the organization key."""
    if actor.user_id is not None:
        return await session.get_one(User, actor.user_id)
    return await session.get_one(ApiKey, actor.key_id)


async def assign_role(
    session: AsyncSession, user: User, connection_id: str, role: Role, alias: str | None = None
) -> None:
    """Set a user's own role on a connection. It replaces the previous one."""
    assignment = (
        await session.scalars(
            select(ConnectionRole).where(
                ConnectionRole.user_id == user.id, ConnectionRole.connection_id == connection_id
            )
        )
    ).one_or_none()
    if assignment is None:
        assignment = ConnectionRole(
            id=str(uuid.uuid4()),
            organization_id=user.organization_id,
            connection_id=connection_id,
            user_id=user.id,
        )
        session.add(assignment)
    if (assignment.role, assignment.role_alias) != (role, alias):
        assignment.role, assignment.role_alias, assignment.updated_at = int(role), alias, clock.now()
    await session.flush()
