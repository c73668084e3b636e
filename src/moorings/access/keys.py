"""Creates, changes and rotates keys: their limits, their expiry and their last use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access import attributes
from moorings.access.models import ApiKey, ApiKeyUse
from moorings.access.service import Actor, enable_key, new_key, new_token, owner, token_hash
from moorings.errors import BootstrapKey, PermissionDenied

NOTICE = 7 * clock.DAY
"""Milliseconds before the expiry of a key at which webhooks are notified; a quarter of its life, if that is less."""
DEFAULT_OVERLAP = clock.DAY
LONGEST_OVERLAP = 30 * clock.DAY
"""Milliseconds for which the token before a rotation stays valid."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create; None: not limited."""

    name: str
    scopes: Sequence[str] | None = None
    connection_ids: Sequence[str] | None = None
    expires_at: int | None = None

    def limits(self) -> Mapping[str, Any]:
        """The columns of the limits."""
        return {"scopes": self.scopes, "connection_ids": self.connection_ids, "expires_at": self.expires_at}


async def create_personal(session: AsyncSession, actor: Actor, requested: NewKey) -> tuple[ApiKey, str]:
    """Create a personal key of the actor's user; returns it and its token.

    Raises PermissionDenied for an organization key: it is no user, and nobody creates a key of somebody else.
    """
    if actor.user_id is None:
        raise PermissionDenied
    return await create(session, actor.organization_id, requested, user_id=actor.user_id)


async def create_organization(session: AsyncSession, actor: Actor, requested: NewKey) -> tuple[ApiKey, str]:
    """Create an organization key, with the user attributes of its creator; returns it and its token."""
    actor.require_admin()
    key, token = await create(session, actor.organization_id, requested, created_by=actor.user_id)
    values = await attributes.values_of(session, await owner(session, actor))
    await attributes.assign(session, key, values, await attributes.defined(session, actor.organization_id))
    return key, token


async def create(
    session: AsyncSession,
    organization_id: str,
    requested: NewKey,
    *,
    user_id: str | None = None,
    created_by: str | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; returns it and its token, which is stored only as a hash."""
    token = new_token(personal=user_id is not None)
    key = new_key(organization_id, requested.name, token, user_id=user_id)
    key.created_by = created_by
    _set(key, requested.limits())
    session.add(key)
    await session.flush()
    return key, token


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a key. `limits` has the columns to change: scopes, connection_ids, expires_at."""

    enabled: bool | None = None
    limits: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def change(session: AsyncSession, actor: Actor, key: ApiKey, changes: Changes) -> None:
    """Change an organization key; raises BootstrapKey if the key of the settings would be limited."""
    if changes.limits:
        actor.require_admin()
        _require_created(key)
        _set(key, changes.limits)
    if changes.enabled is not None:
        await enable_key(session, actor, key, enabled=changes.enabled)
    await session.flush()


async def rotate(
    session: AsyncSession, actor: Actor, key: ApiKey, overlap: int = DEFAULT_OVERLAP, expires_at: int | None = None
) -> str:
    """Give a key a new token and return it. The token before it stays valid for `overlap` milliseconds.

    Without `expires_at`, an expiring key gets a new period of the same length. Raises PermissionDenied for the
    personal key of somebody else, and BootstrapKey.
    """
    if key.user_id is not None and key.user_id != actor.user_id:
        raise PermissionDenied
    return await renew(session, key, overlap, expires_at)


async def renew(session: AsyncSession, key: ApiKey, overlap: int, expires_at: int | None = None) -> str:
    """Renew a key without a check of the actor's rights, for the operator's commands."""
    _require_created(key)
    now = clock.now()
    if expires_at is None and key.expires_at is not None:
        expires_at = now + key.expires_at - (key.rotated_at or key.created_at)
    key.previous_token_hash = key.token_hash if overlap else None
    key.previous_expires_at = min(now + overlap, key.expires_at or now + overlap) if overlap else None
    token = new_token(personal=key.user_id is not None)
    key.token_hash, key.rotated_at = token_hash(token), now
    _set(key, {"expires_at": expires_at})
    await session.flush()
    return token


def _require_created(key: ApiKey) -> None:
    if key.origin == "bootstrap":
        raise BootstrapKey


def _set(key: ApiKey, limits: Mapping[str, Any]) -> None:
    for column, value in limits.items():
        setattr(key, column, value)
    if "expires_at" in limits:
        now, expires_at = clock.now(), key.expires_at
        key.expiry_notice_at = None if expires_at is None else expires_at - min(NOTICE, (expires_at - now) // 4)


async def last_uses(session: AsyncSession, keys: Sequence[ApiKey]) -> dict[str, int]:
    """The instant of the last use of each key that was used."""
    ids = [key.id for key in keys]
    rows = await session.scalars(select(ApiKeyUse).where(ApiKeyUse.key_id.in_(ids)))
    return {use.key_id: use.used_at for use in rows}


async def expiring(session: AsyncSession, now: int) -> list[ApiKey]:
    """The keys whose notice is due, each of them once."""
    due = select(ApiKey).where(ApiKey.expiry_notice_at <= now).with_for_update(skip_locked=True)
    found = list(await session.scalars(due))
    for key in found:
        key.expiry_notice_at = None
    await session.flush()
    return [key for key in found if not (key.revoked_at or key.disabled_at)]
