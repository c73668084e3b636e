"""Delivers messages to webhooks, and retries those that did not arrive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy import select, update

from moorings import clock
from moorings.db import Database
from moorings.dialects.network.dialing import Network
from moorings.secrets import Keyset
from moorings.telemetry import metrics
from moorings.webhooks.models import WebhookEndpoint, WebhookMessage
from moorings.webhooks.sending import GONE, MAX_ATTEMPTS, arrived, pause, post
from moorings.webhooks.service import disable_gone, opened

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""Messages that a process sends at the same time, so that a webhook that does not answer delays few others."""
MAX_BATCH = 20
"""Messages that each of them sends before the process pauses."""
CLAIMED = 60_000
"""Milliseconds for which a process claims the message that it sends."""


@dataclass(frozen=True, slots=True)
class Deliverer:
    """The resources of deliveries. The network applies the rules for hosts that callers name."""

    db: Database
    keyset: Keyset
    network: Network

    async def deliver_due(self) -> None:
        """Send the messages that are due; those that do not arrive are sent again later."""
        if await self.db.finds(select(WebhookMessage.id).where(WebhookMessage.next_at <= clock.now())):
            await asyncio.gather(*(self._deliver() for _ in range(AT_ONCE)))

    async def _deliver(self) -> None:
        for _ in range(MAX_BATCH):
            if (claimed := await self._claim()) is None:
                return
            message, webhook = claimed
            url, secrets = opened(self.keyset, webhook)
            await self._settle(message, await post(self.network, url, secrets, message.id, message.body))

    async def _claim(self) -> tuple[WebhookMessage, WebhookEndpoint] | None:
        async with self.db.alone() as session:
            now = clock.now()
            due = (
                select(WebhookMessage, WebhookEndpoint)
                .join(WebhookEndpoint, WebhookEndpoint.id == WebhookMessage.webhook_id)
                .where(WebhookMessage.next_at <= now)
                .order_by(WebhookMessage.next_at, WebhookMessage.id)
                .limit(1)
            )
            row = (await session.execute(due)).first()
            if row is None:
                return None
            row[0].next_at = now + CLAIMED
            return row[0], row[1]

    async def _settle(self, message: WebhookMessage, answer: str) -> None:
        attempts, now = message.attempts + 1, clock.now()
        given_up = not arrived(answer) and (answer == GONE or attempts >= MAX_ATTEMPTS)
        status = "delivered" if arrived(answer) else "failed" if given_up else "pending"
        next_at = now + pause(attempts) if status == "pending" else None
        values = {"attempts": attempts, "attempted_at": now, "answer": answer, "status": status, "next_at": next_at}
        # Two answers of one webhook that is gone would lock each other's messages.
        async with self.db.alone() if answer == GONE else self.db.unit_of_work() as session:
            if answer == GONE:
                await disable_gone(session, message.webhook_id, now)
            await session.execute(update(WebhookMessage).where(WebhookMessage.id == message.id).values(values))
        metrics.webhook_attempts.labels("given_up" if given_up else "failed" if status == "pending" else status).inc()
        if answer == GONE:
            log.warning("webhook_disabled", webhook=message.webhook_id, delivery=message.id, reason=answer)
        elif not arrived(answer):
            log.warning(
                "webhook_not_delivered", delivery=message.id, attempt=attempts, reason=answer, given_up=given_up
            )
