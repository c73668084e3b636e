"""The table of schedules."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Milliseconds


class Schedule(Base):
    """One schedule of one connection. It is disabled once it can never run again, and then has no next run.

    `next_run_at` is in the past while a run is due. It changes with every run, so no cache may depend on this table.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("hard_refresh IN (0, 1)", name="hard_refresh"),
        CheckConstraint("(next_run_at IS NULL) <> (disabled_at IS NULL)", name="runs_or_is_disabled"),
        Index("ix_schedules_next_run_at", "next_run_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), index=True)
    cron: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(Text)
    hard_refresh: Mapped[int] = mapped_column(Integer)
    next_run_at: Mapped[int | None] = mapped_column(Milliseconds)
    created_by: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int] = mapped_column(Milliseconds)
    disabled_at: Mapped[int | None] = mapped_column(Milliseconds)
