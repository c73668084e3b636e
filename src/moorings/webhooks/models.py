"""Tables of webhooks and their messages."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Json, Milliseconds, SealedBytes
from moorings.secrets import Sealed

EVENTS = ("connection.health", "job.failed", "schedule.failed", "key.expiring")
"""The events: a connection fails or is healthy again, a requested refresh failed, a scheduled one failed, a key expires
soon."""


class WebhookEndpoint(Base):
    """A URL and the events that it gets. The URL is sealed like the secret: it can contain a token."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("enabled IN (0, 1)", name="enabled"),
        Index("ix_webhook_endpoints_organization_id", "organization_id", "created_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    url: Mapped[Sealed] = mapped_column(SealedBytes)
    secret: Mapped[Sealed] = mapped_column(SealedBytes)
    previous_secret: Mapped[Sealed | None] = mapped_column(SealedBytes)
    """The secret before the last change: it signs too until `previous_secret_until`."""
    previous_secret_until: Mapped[int | None] = mapped_column(Milliseconds)
    events: Mapped[list[str]] = mapped_column(Json)
    enabled: Mapped[int] = mapped_column(Integer)
    gone_at: Mapped[int | None] = mapped_column(Milliseconds)
    """When the URL answered 410, which disabled the webhook; None once it was enabled again."""
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class WebhookMessage(Base):
    """A message for one webhook.

    `next_at` is the time of the next attempt; None once the message arrived or all attempts failed.
    """

    __tablename__ = "webhook_messages"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        CheckConstraint("(status = 'pending') = (next_at IS NOT NULL)", name="next_at"),
        Index("ix_webhook_messages_webhook_id", "webhook_id", "created_at"),
        Index("ix_webhook_messages_next_at", "next_at"),
        Index("ix_webhook_messages_created_at", "created_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[int | None] = mapped_column(Milliseconds)
    created_at: Mapped[int] = mapped_column(Milliseconds)
    attempted_at: Mapped[int | None] = mapped_column(Milliseconds)
    answer: Mapped[str | None] = mapped_column(Text)
    """The result of the last attempt: `status 204`, or the kind of failure."""
