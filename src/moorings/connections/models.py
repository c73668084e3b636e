"""Tables of connections and, separate from them, of their sealed secrets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from moorings.access.policy import Role
from moorings.db import STRICT, Base, Json, Milliseconds, SealedBytes
from moorings.db.folding import folded
from moorings.secrets import Sealed


class Connection(Base):
    """One warehouse. `settings` holds the fields of its dialect's Config that have no column, without any secret.

    `revision` grows with every change of a field that sessions are opened with, so that older pools are closed.
    `side` says on which side of environments it stands: none is an environment of an environment.
    """

    __tablename__ = "connections"
    __table_args__ = (
        CheckConstraint("base_role BETWEEN 0 AND 5", name="base_role"),
        CheckConstraint("side IN ('base', 'environment')", name="side"),
        Index("uq_connections_side", "id", "dialect", "side", unique=True),
        Index("ix_connections_organization_id", "organization_id"),
        Index("ix_connections_name_key", "organization_id", "name_key"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str | None] = mapped_column(Text)
    """The name and the database as filters compare them; None where an older version wrote the row."""
    database_key: Mapped[str | None] = mapped_column(Text)
    dialect: Mapped[str] = mapped_column(Text)
    database: Mapped[str | None] = mapped_column(Text)
    default_schema: Mapped[str | None] = mapped_column(Text)
    base_role: Mapped[int] = mapped_column(Integer)
    base_role_alias: Mapped[str | None] = mapped_column(Text)
    settings: Mapped[dict[str, Any]] = mapped_column(Json)
    config_version: Mapped[int] = mapped_column(Integer, default=1)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    environment_attribute: Mapped[str | None] = mapped_column(Text)
    side: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int] = mapped_column(Milliseconds)
    deleted_at: Mapped[int | None] = mapped_column(Milliseconds)

    @property
    def base_role_name(self) -> str:
        """The base role, as it was written."""
        return self.base_role_alias or Role(self.base_role).name

    @validates("name", "database")
    def _fold(self, column: str, value: str | None) -> str | None:
        setattr(self, f"{column}_key", None if value is None else folded(value))
        return value


class ConnectionSecret(Base):
    """One secret field of one connection, sealed for this very row."""

    __tablename__ = "connection_secrets"
    __table_args__ = (UniqueConstraint("connection_id", "field"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    field: Mapped[str] = mapped_column(Text)
    sealed: Mapped[Sealed] = mapped_column(SealedBytes)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class EnvironmentValue(Base):
    """A user attribute's value, and the environment of a base connection that it selects; None selects the base itself.

    One table for both kinds, so that the database itself keeps a value from being claimed twice on one base.
    """

    __tablename__ = "environment_values"
    __table_args__ = (UniqueConstraint("base_connection_id", "value"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    base_connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    environment_id: Mapped[str | None] = mapped_column(ForeignKey("connection_environments.id"), index=True)
    value: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer)
