"""The webhook: sends a message when a connection begins to fail, and when it is healthy again.

Messages are signed as the Standard Webhooks specification says (https://www.standardwebhooks.com): HMAC-SHA256 over id,
timestamp and body. Each is stored until it arrives, and sent again for some hours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog
from sqlalchemy import delete, select, update

from moorings import clock
from moorings.db import Database
from moorings.dialects.network.dialing import Network
from moorings.health.models import Delivery
from moorings.telemetry import metrics
from moorings.webhooks.sending import arrived, post

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 10.0
ATTEMPTS = 12
FIRST_PAUSE, MAX_PAUSE = 10_000, 4 * 3600 * 1000
"""Milliseconds between attempts: the pause doubles each time."""
BATCH = 20
"""Messages that a process sends before it pauses."""
CLAIMED = 60_000
"""Milliseconds for which a process claims the message that it sends."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address of messages, and the secret that signs them, if any."""

    db: Database
    url: str
    secret: str | None
    network: Network = field(default_factory=Network)
    """The network for hosts that the operator's settings name."""
    answer_seconds: float = ANSWER_SECONDS

    async def deliver_due(self) -> None:
        """Send the messages that are due; those that do not arrive are sent again later."""
        if not await self.db.finds(select(Delivery.id).where(Delivery.next_at <= clock.now())):
            return
        for _ in range(BATCH):
            if (delivery := await self._claim()) is None:
                return
            await self._settle(delivery, await self.send(delivery))

    async def _claim(self) -> Delivery | None:
        """One message at a time, so that no claim expires while other messages are sent."""
        async with self.db.alone() as session:
            now = clock.now()
            due = select(Delivery).where(Delivery.next_at <= now).order_by(Delivery.created_at, Delivery.id).limit(1)
            delivery = await session.scalar(due)
            if delivery is not None:
                delivery.next_at = now + CLAIMED
        return delivery

    async def send(self, delivery: Delivery) -> str | None:
        """Send one message; returns None, or one word for the reason why it did not arrive.

        The address itself may contain secrets.
        """
        secrets = [self.secret] if self.secret is not None else []
        answer = await post(self.network, self.url, secrets, delivery.id, delivery.body, self.answer_seconds)
        return None if arrived(answer) else answer

    async def _settle(self, delivery: Delivery, refused: str | None) -> None:
        attempts = delivery.attempts + 1
        over = refused is None or attempts >= ATTEMPTS
        mine = Delivery.id == delivery.id
        pause = min(FIRST_PAUSE * 2 ** (attempts - 1), MAX_PAUSE)
        later = update(Delivery).where(mine).values(attempts=attempts, next_at=clock.now() + pause)
        async with self.db.unit_of_work() as session:
            await session.execute(delete(Delivery).where(mine) if over else later)
        outcome = "delivered" if refused is None else "given_up" if over else "failed"
        metrics.webhook_attempts.labels(outcome).inc()
        if refused is not None:
            log.warning("webhook_not_delivered", delivery=delivery.id, attempt=attempts, reason=refused, given_up=over)
