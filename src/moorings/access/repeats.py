"""Idempotent requests: the first response is stored for a day and returned again when the request is repeated."""

from __future__ import annotations

import hmac
import uuid

from sqlalchemy import Select, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.models import RepeatableRequest
from moorings.access.service import Actor
from moorings.errors import RepeatDiffers

RETENTION_MILLISECONDS = clock.DAY


async def earlier(session: AsyncSession, actor: Actor, name: str, fingerprint: bytes) -> bytes | None:
    """The stored response of an earlier request with this Idempotency-Key; None if there was none.

    Raises RepeatDiffers if the earlier request was a different one.
    """
    found = (
        await session.scalars(
            _named(actor, name).where(RepeatableRequest.created_at > clock.now() - RETENTION_MILLISECONDS)
        )
    ).one_or_none()
    return _answer(found, fingerprint) if found else None


def _named(actor: Actor, name: str) -> Select[RepeatableRequest]:
    return select(RepeatableRequest).where(RepeatableRequest.key_id == actor.key_id, RepeatableRequest.name == name)


def _answer(found: RepeatableRequest, fingerprint: bytes) -> bytes:
    if not hmac.compare_digest(found.fingerprint, fingerprint):
        raise RepeatDiffers
    return found.answer


async def claim(session: AsyncSession, actor: Actor, name: str, fingerprint: bytes) -> RepeatableRequest | bytes:
    """Claim the Idempotency-Key for this transaction, or return the response of the earlier request that had it.

    Another transaction that claims it waits until this one ends. Raises RepeatDiffers.
    """
    await session.execute(
        delete(RepeatableRequest).where(RepeatableRequest.created_at <= clock.now() - RETENTION_MILLISECONDS)
    )
    claimed = RepeatableRequest(
        id=str(uuid.uuid4()),
        organization_id=actor.organization_id,
        key_id=actor.key_id,
        name=name,
        fingerprint=fingerprint,
        answer=b"",
        created_at=clock.now(),
    )
    try:
        async with session.begin_nested():
            session.add(claimed)
    except IntegrityError:
        return _answer((await session.scalars(_named(actor, name))).one(), fingerprint)
    return claimed
