"""The `token` commands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.models import ApiKey
from moorings.cli.storage import changing, reading
from moorings.cli.tables import when


def create(name: str, user: str | None) -> str:
    """Make an organization key, or a personal one for a user (email or id); returns its token."""
    facts: dict[str, str | None] = {"name": name}

    async def act(session: AsyncSession, organization_id: str) -> str:
        owner = await access.find_user(session, organization_id, user) if user else None
        token = await access.create_key(session, organization_id, name, owner.id if owner else None)
        made = select(ApiKey.id).where(ApiKey.token_hash == access.token_hash(token))
        facts.update(key_id=await session.scalar(made), user_id=owner.id if owner else None)
        return token

    return changing(act, "key_created", facts)


def listed() -> list[dict[str, Any]]:
    """Every key, oldest first."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        return [
            {
                "id": key.id,
                "name": key.name,
                "type": "personal" if key.user_id else "organization",
                "user": key.user_id,
                "created": when(key.created_at),
                "state": "revoked" if key.revoked_at else "disabled" if key.disabled_at else "works",
            }
            for key in await access.list_keys(session, organization_id)
        ]

    return reading(act)


def revoke(key_id: str) -> None:
    """Revoke a key; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        await access.revoke_key(session, organization_id, key_id)

    changing(act, "key_revoked", {"key_id": key_id})
