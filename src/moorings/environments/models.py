"""Tables of base connections' environments."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Milliseconds


class ConnectionEnvironment(Base):
    """One connection as an environment of another one.

    The foreign keys include the dialect and the side of both connections. So the database guarantees, also under
    concurrent changes, that both have one dialect and that no base is itself an environment.
    """

    __tablename__ = "connection_environments"
    __table_args__ = (
        UniqueConstraint("base_connection_id", "connection_id"),
        CheckConstraint("base_connection_id <> connection_id", name="not_itself"),
        CheckConstraint("base_side = 'base'", name="base_side"),
        CheckConstraint("side = 'environment'", name="side"),
        ForeignKeyConstraint(
            ["base_connection_id", "dialect", "base_side"],
            ["connections.id", "connections.dialect", "connections.side"],
            name="fk_connection_environments_base",
        ),
        ForeignKeyConstraint(
            ["connection_id", "dialect", "side"],
            ["connections.id", "connections.dialect", "connections.side"],
            name="fk_connection_environments_own",
        ),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    base_connection_id: Mapped[str] = mapped_column(Text)
    connection_id: Mapped[str] = mapped_column(Text, index=True)
    dialect: Mapped[str] = mapped_column(Text)
    base_side: Mapped[str] = mapped_column(Text, default="base")
    side: Mapped[str] = mapped_column(Text, default="environment")
    created_at: Mapped[int] = mapped_column(Milliseconds)
