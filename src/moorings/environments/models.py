"""Stored: which connections are environments of which base connection."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Milliseconds


class ConnectionEnvironment(Base):
    """One connection as an environment of another one."""

    __tablename__ = "connection_environments"
    __table_args__ = (
        UniqueConstraint("base_connection_id", "connection_id"),
        CheckConstraint("base_connection_id <> connection_id", name="not_itself"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    base_connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), index=True)
    created_at: Mapped[int] = mapped_column(Milliseconds)
