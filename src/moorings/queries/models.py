"""Tables of running queries, so that any replica can cancel one."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Milliseconds, SealedBytes
from moorings.secrets import Sealed


class RunningQuery(Base):
    """One query while it runs. `owner` is the process that runs it and checks `cancel_requested_at`."""

    __tablename__ = "running_queries"
    __table_args__ = (Index("ix_running_queries_owner", "owner"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    owner: Mapped[str] = mapped_column(Text)
    session_id: Mapped[str] = mapped_column(Text)
    started_at: Mapped[int] = mapped_column(Milliseconds)
    cancel_requested_at: Mapped[int | None] = mapped_column(Milliseconds)


class CancelRequest(Base):
    """A request to cancel a query that no process has registered; the process that runs it claims the request."""

    __tablename__ = "cancel_requests"
    __table_args__ = (STRICT,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    query_id: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    requested_at: Mapped[int] = mapped_column(Milliseconds)
    claimed_at: Mapped[int | None] = mapped_column(Milliseconds)


class StoredQueryJob(Base):
    """A job of `/query/run`, for replicas that did not run it. `request` and `outcome` are JSON."""

    __tablename__ = "query_jobs"
    __table_args__ = (Index("ix_query_jobs_seen_at", "seen_at"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    key_id: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    request: Mapped[Sealed] = mapped_column(SealedBytes)
    outcome: Mapped[Sealed | None] = mapped_column(SealedBytes)
    seen_at: Mapped[int] = mapped_column(Milliseconds)
    ended_at: Mapped[int | None] = mapped_column(Milliseconds)
