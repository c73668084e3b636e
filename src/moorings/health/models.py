"""Tables of the health of connections, its history, the next probes, and the webhook messages to send."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Json, Milliseconds

STATUSES = "status IN ('healthy', 'failing')"


class ConnectionHealth(Base):
    """The current health of a connection.

    A row changes only with the health itself, because lists of connections show it.
    """

    __tablename__ = "connection_health"
    __table_args__ = (
        CheckConstraint(STATUSES, name="status"),
        CheckConstraint("(status = 'failing') = (error IS NOT NULL)", name="error"),
        STRICT,
    )

    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    status: Mapped[str] = mapped_column(Text)
    since: Mapped[int] = mapped_column(Milliseconds)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Step, code and message of the test that failed."""


class HealthChange(Base):
    """A change of health: a connection became healthy, began to fail, or failed in another way."""

    __tablename__ = "health_changes"
    __table_args__ = (
        CheckConstraint(STATUSES, name="status"),
        Index("ix_health_changes_connection_id", "connection_id", "at"),
        Index("ix_health_changes_at", "at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    at: Mapped[int] = mapped_column(Milliseconds)
    status: Mapped[str] = mapped_column(Text)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)


class HealthProbe(Base):
    """The times of a connection's next probe and last test. `revision` is the connection's at the last claim."""

    __tablename__ = "health_probes"
    __table_args__ = (Index("ix_health_probes_next_at", "next_at"), STRICT)

    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    revision: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[int] = mapped_column(Milliseconds)
    checked_at: Mapped[int | None] = mapped_column(Milliseconds)
    refused: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """The number of consecutive refused logins at this revision."""
    announced: Mapped[str | None] = mapped_column(Text)
    """The last status that was sent to webhooks; None means healthy. A change of the connection keeps it."""


class Delivery(Base):
    """A message for the webhook that has not arrived yet."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index("ix_webhook_deliveries_next_at", "next_at"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    body: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[int] = mapped_column(Milliseconds)
    created_at: Mapped[int] = mapped_column(Milliseconds)
