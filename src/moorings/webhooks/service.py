"""Webhooks: add, list, change and remove them, and list their deliveries. Organization admins only."""

from __future__ import annotations

import base64
import json
import secrets as random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.service import Actor
from moorings.db import page
from moorings.errors import DeliveryNotFound, WebhookNotFound
from moorings.secrets import Keyset
from moorings.webhooks.models import EVENTS, WebhookEndpoint, WebhookMessage
from moorings.webhooks.sending import GONE

TABLE = "webhook_endpoints"
OVERLAP_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Changes:
    """The fields of a webhook in a request; None leaves a field unchanged."""

    url: str | None = None
    events: Sequence[str] | None = None
    secret: str | None = None
    overlap_seconds: int = OVERLAP_SECONDS
    """How long the previous secret signs messages too, once `secret` replaces it."""
    enabled: bool | None = None


def new_secret() -> str:
    """A secret of 256 random bits, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(random.token_bytes(32)).decode()


async def create(
    session: AsyncSession, keyset: Keyset, actor: Actor, url: str, events: Sequence[str], secret: str
) -> WebhookEndpoint:
    """Add a webhook; no events mean all of them."""
    actor.require_admin()
    now, row = clock.now(), str(uuid.uuid4())
    webhook = WebhookEndpoint(
        id=row,
        organization_id=actor.organization_id,
        url=keyset.seal(url, table=TABLE, column="url", row=row),
        secret=keyset.seal(secret, table=TABLE, column="secret", row=row),
        events=list(events or EVENTS),
        enabled=1,
        created_at=now,
        updated_at=now,
    )
    session.add(webhook)
    await session.flush()
    return webhook


async def find(session: AsyncSession, actor: Actor, webhook_id: str) -> WebhookEndpoint:
    """A webhook; raises WebhookNotFound."""
    actor.require_admin()
    webhook = await session.get(WebhookEndpoint, webhook_id)
    if webhook is None or webhook.organization_id != actor.organization_id:
        raise WebhookNotFound
    return webhook


async def listed(
    session: AsyncSession, actor: Actor, after: tuple[int, str] | None, number: int
) -> tuple[list[WebhookEndpoint], int]:
    """Webhooks, oldest first, after the time and id of one; and the number of all of them."""
    actor.require_admin()
    own = select(WebhookEndpoint).where(WebhookEndpoint.organization_id == actor.organization_id)
    order = [(WebhookEndpoint.created_at, False), (WebhookEndpoint.id, False)]
    return await page(session, own, order, after, number)


async def change(session: AsyncSession, keyset: Keyset, webhook: WebhookEndpoint, changes: Changes) -> None:
    """Change the fields that are given."""
    if changes.url is not None:
        webhook.url = keyset.seal(changes.url, table=TABLE, column="url", row=webhook.id)
    if changes.secret is not None:
        _rotate(keyset, webhook, changes.secret, changes.overlap_seconds)
    if changes.events is not None:
        webhook.events = list(changes.events or EVENTS)
    if changes.enabled is not None:
        webhook.enabled = int(changes.enabled)
        webhook.gone_at = None if changes.enabled else webhook.gone_at
    webhook.updated_at = clock.now()
    await session.flush()


def _rotate(keyset: Keyset, webhook: WebhookEndpoint, secret: str, overlap_seconds: int) -> None:
    previous = keyset.open(webhook.secret, table=TABLE, column="secret", row=webhook.id)
    if previous == secret:
        return
    webhook.previous_secret = keyset.seal(previous, table=TABLE, column="previous_secret", row=webhook.id)
    webhook.previous_secret_until = clock.now() + 1000 * overlap_seconds
    webhook.secret = keyset.seal(secret, table=TABLE, column="secret", row=webhook.id)


async def remove(session: AsyncSession, webhook: WebhookEndpoint) -> None:
    """Remove a webhook, with its deliveries."""
    await session.execute(delete(WebhookMessage).where(WebhookMessage.webhook_id == webhook.id))
    await session.delete(webhook)
    await session.flush()


def opened(keyset: Keyset, webhook: WebhookEndpoint) -> tuple[str, list[str]]:
    """The address, and the secrets that sign messages now, the current one first."""
    secrets = [keyset.open(webhook.secret, table=TABLE, column="secret", row=webhook.id)]
    if webhook.previous_secret is not None and (webhook.previous_secret_until or 0) > clock.now():
        secrets.append(keyset.open(webhook.previous_secret, table=TABLE, column="previous_secret", row=webhook.id))
    return keyset.open(webhook.url, table=TABLE, column="url", row=webhook.id), secrets


async def disable_gone(session: AsyncSession, webhook_id: str, now: int) -> None:
    """Disable a webhook whose URL answered 410: it is gone permanently, and its other messages fail too."""
    disabled = update(WebhookEndpoint).where(WebhookEndpoint.id == webhook_id).values(enabled=0, gone_at=now)
    await session.execute(disabled)
    waiting = (WebhookMessage.webhook_id == webhook_id, WebhookMessage.status == "pending")
    failed = {"status": "failed", "next_at": None, "answer": GONE}
    await session.execute(update(WebhookMessage).where(*waiting).values(failed))


async def deliveries(
    session: AsyncSession, webhook: WebhookEndpoint, after: tuple[int, str] | None, number: int
) -> tuple[list[WebhookMessage], int]:
    """Messages for a webhook, newest first, after the time and id of one; and the number of all of them."""
    own = select(WebhookMessage).where(WebhookMessage.webhook_id == webhook.id)
    return await page(session, own, [(WebhookMessage.created_at, True), (WebhookMessage.id, False)], after, number)


async def resend(session: AsyncSession, webhook: WebhookEndpoint, delivery_id: str) -> WebhookMessage:
    """Send a message again, with the same id and whatever its status. Raises DeliveryNotFound."""
    message = await session.get(WebhookMessage, delivery_id)
    if message is None or message.webhook_id != webhook.id:
        raise DeliveryNotFound
    message.status, message.attempts, message.next_at = "pending", 0, clock.now()
    await session.flush()
    return message


def written(event: str, now: int, data: Mapping[str, Any]) -> str:
    """The body of a message."""
    return json.dumps({"type": event, "timestamp": clock.iso(now), "data": data}, separators=(",", ":"))


async def announce(session: AsyncSession, organization_id: str, event: str, body: str, now: int) -> None:
    """Queue a message for every webhook that has selected an event."""
    enabled = WebhookEndpoint.organization_id == organization_id, WebhookEndpoint.enabled == 1
    for webhook in await session.scalars(select(WebhookEndpoint).where(*enabled)):
        if event in webhook.events:
            session.add(
                WebhookMessage(
                    id=str(uuid.uuid4()),
                    organization_id=organization_id,
                    webhook_id=webhook.id,
                    event=event,
                    body=body,
                    status="pending",
                    attempts=0,
                    next_at=now,
                    created_at=now,
                )
            )
    await session.flush()
