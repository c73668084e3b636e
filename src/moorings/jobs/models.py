"""Stored: jobs, while they wait, while they run, and what became of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Json, Milliseconds

_WAITING, _RUNNING = text("status = 'waiting'"), text("status = 'running'")
_LIVE = text("status IN ('waiting', 'running')")


class Job(Base):
    """One piece of work on one connection.

    `running` means begun: a worker holds its lease, or the next attempt waits for `run_after`. On each connection, one
    job of a kind is begun at most and one more waits: requests neither get lost nor pile up. `attempt` counts the
    leases; what a worker writes counts only while owner and attempt are still its own.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("kind IN ('REFRESH_SCHEMA')", name="kind"),
        CheckConstraint("hard IN (0, 1)", name="hard"),
        CheckConstraint("status IN ('waiting', 'running', 'completed', 'failed')", name="status"),
        CheckConstraint("(lease_owner IS NULL) = (lease_expires_at IS NULL)", name="lease"),
        CheckConstraint("lease_owner IS NULL OR status = 'running'", name="leased_is_running"),
        CheckConstraint("(finished_at IS NULL) = (status IN ('waiting', 'running'))", name="finished"),
        Index(
            "uq_jobs_waiting",
            "connection_id",
            "kind",
            unique=True,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "uq_jobs_running",
            "connection_id",
            "kind",
            unique=True,
            sqlite_where=_RUNNING,
            postgresql_where=_RUNNING,
        ),
        Index("ix_jobs_live", "run_after", sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("ix_jobs_connection_id", "connection_id", "created_at"),
        Index("ix_jobs_finished_at", "finished_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    kind: Mapped[str] = mapped_column(Text)
    hard: Mapped[int] = mapped_column(Integer)
    schedule_id: Mapped[str | None] = mapped_column(Text)
    """The schedule that asked for it; it may be gone by now, as may be the key and the user who did."""
    key_id: Mapped[str | None] = mapped_column(Text)
    user_id: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[int] = mapped_column(Milliseconds)
    run_after: Mapped[int] = mapped_column(Milliseconds)
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[int | None] = mapped_column(Milliseconds)
    log: Mapped[list[tuple[int, str]]] = mapped_column(Json)
    """What happened, in words: instant and sentence."""
    result: Mapped[dict[str, int] | None] = mapped_column(Json)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The last attempt's: code, message and step."""
    created_at: Mapped[int] = mapped_column(Milliseconds)
    started_at: Mapped[int | None] = mapped_column(Milliseconds)
    finished_at: Mapped[int | None] = mapped_column(Milliseconds)
