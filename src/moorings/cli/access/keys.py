"""The `token` commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access import keys
from moorings.access import service as access
from moorings.access.models import ApiKey
from moorings.access.policy import Scope
from moorings.cli.storage import changing, reading
from moorings.cli.tables import when
from moorings.connections.models import Connection
from moorings.errors import NotFound, OperatorError

UNITS = {"m": 60_000, "h": 3_600_000, "d": clock.DAY}


def create(
    name: str,
    user: str | None,
    scopes: Sequence[str] | None = None,
    connections: Sequence[str] | None = None,
    expires: str | None = None,
) -> str:
    """Make an organization key, or a personal one for a user (email or id); returns its token."""
    facts: dict[str, str | None] = {"name": name}
    _require_scopes(scopes or (), connections)
    expires_at = _expiry(expires) if expires else None

    async def act(session: AsyncSession, organization_id: str) -> str:
        owner = await access.find_user(session, organization_id, user) if user else None
        ids = [await _connection_id(session, organization_id, each) for each in connections or ()]
        requested = keys.NewKey(name, list(dict.fromkeys(scopes or ())) or None, ids or None, expires_at)
        key, token = await keys.create(session, organization_id, requested, user_id=owner.id if owner else None)
        facts.update(key_id=key.id, user_id=owner.id if owner else None)
        return token

    return changing(act, "key_created", facts)


def rotate(key_id: str, overlap: str) -> str:
    """Give a key a new token and return it; raises NotFound, BootstrapKey."""
    milliseconds = 0 if overlap == "0" else _duration(overlap)
    if milliseconds is None or milliseconds > keys.LONGEST_OVERLAP:
        raise OperatorError(f"--overlap is {overlap!r}. Use 0, or minutes, hours or days up to 30d, such as 12h")

    async def act(session: AsyncSession, organization_id: str) -> str:
        key = await session.get(ApiKey, key_id)
        if key is None or key.organization_id != organization_id or key.revoked_at:
            raise NotFound(f"There is no key with id {key_id}")
        return await keys.renew(session, key, milliseconds)

    return changing(act, "key_rotated", {"key_id": key_id})


def _require_scopes(scopes: Sequence[str], connections: Sequence[str] | None) -> None:
    unknown = [scope for scope in scopes if scope not in tuple(Scope)]
    if unknown:
        raise OperatorError(f"--scope is {unknown[0]!r}. Use one of {', '.join(Scope)}")
    if connections and Scope.SCIM in scopes:
        raise OperatorError("a key with --scope scim cannot be limited to connections. Leave --connection out")


def _duration(written: str) -> int | None:
    """Milliseconds of `90d`, `12h` or `30m`; None for anything else."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", written)
    return int(found[1]) * UNITS[found[2]] if found else None


def _expiry(written: str) -> int:
    now = clock.now()
    if (period := _duration(written)) is not None:
        return now + period
    try:
        moment = datetime.fromisoformat(written)
        expires_at = round(moment.timestamp() * 1000) if moment.tzinfo else now
    except (ValueError, OverflowError):
        expires_at = now
    if expires_at <= now:
        raise OperatorError(
            f"--expires is {written!r}. Use a period such as 90d or 12h, or a time in the future with its zone, such as"
            " 2027-01-31T00:00:00Z"
        )
    return expires_at


async def _connection_id(session: AsyncSession, organization_id: str, id_or_name: str) -> str:
    """The id of the connection with an id or a name; raises NotFound, and OperatorError if several have the name."""
    named = (Connection.id == id_or_name.lower()) | (Connection.name == id_or_name)
    rows = select(Connection.id).where(
        Connection.organization_id == organization_id, Connection.deleted_at.is_(None), named
    )
    found = list(await session.scalars(rows))
    if not found:
        raise NotFound(f"There is no connection {id_or_name}")
    if len(found) > 1:
        raise OperatorError(f"{len(found)} connections have the name {id_or_name}. Use an id: {', '.join(found)}")
    return found[0]


def listed() -> list[dict[str, Any]]:
    """Every key, oldest first."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        found = await access.list_keys(session, organization_id)
        used = await keys.last_uses(session, found)
        return [
            {
                "id": key.id,
                "name": key.name,
                "type": "personal" if key.user_id else "organization",
                "user": key.user_id,
                "created": when(key.created_at),
                "scopes": " ".join(key.scopes or ()) or None,
                "connections": " ".join(key.connection_ids or ()) or None,
                "expires": when(key.expires_at) if key.expires_at else None,
                "last used": when(used[key.id]) if key.id in used else None,
                "state": _state(key),
            }
            for key in found
        ]

    return reading(act)


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    if key.disabled_at:
        return "disabled"
    return "expired" if key.expires_at and key.expires_at <= clock.now() else "works"


def revoke(key_id: str) -> None:
    """Revoke a key; raises NotFound."""

    async def act(session: AsyncSession, organization_id: str) -> None:
        await access.revoke_key(session, organization_id, key_id)

    changing(act, "key_revoked", {"key_id": key_id})
