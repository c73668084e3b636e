"""The table of jobs: waiting, running and finished."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Json, Milliseconds

_WAITING, _RUNNING = text("status = 'waiting'"), text("status = 'running'")
_LIVE = text("status IN ('waiting', 'running')")


class Job(Base):
    """One piece of work on one connection.

    `running` means started: a worker has its lease, or the next attempt waits for `run_after`. Each connection has at
    most one started job of a kind and one that waits: requests are neither lost nor piled up. `attempt` counts the
    leases. A worker can write only while owner and attempt are still its own.
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
    """The schedule that requested it.

    The schedule may be deleted by now, like the key and the user that requested a job.
    """
    key_id: Mapped[str | None] = mapped_column(Text)
    user_id: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[int] = mapped_column(Milliseconds)
    run_after: Mapped[int] = mapped_column(Milliseconds)
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[int | None] = mapped_column(Milliseconds)
    log: Mapped[list[tuple[int, str]]] = mapped_column(Json)
    """The log: lines of time and sentence."""
    result: Mapped[dict[str, int] | None] = mapped_column(Json)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The error of the last attempt: code, message and step."""
    created_at: Mapped[int] = mapped_column(Milliseconds)
    started_at: Mapped[int | None] = mapped_column(Milliseconds)
    finished_at: Mapped[int | None] = mapped_column(Milliseconds)
