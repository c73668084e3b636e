"""Tables of dbt repositories with their deploy keys, of environments, and of their variables."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Milliseconds, SealedBytes
from moorings.secrets import Sealed


class DbtRepository(Base):
    """The repository of a connection's dbt project; archiving the connection erases the deploy key."""

    __tablename__ = "dbt_repositories"
    __table_args__ = (
        UniqueConstraint("connection_id"),
        CheckConstraint("dbt_version IN ('Auto', '1.10', '1.11')", name="dbt_version"),
        CheckConstraint("(public_key IS NULL) = (private_key IS NULL)", name="key_pair"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    ssh_url: Mapped[str] = mapped_column(Text)
    branch: Mapped[str] = mapped_column(Text)
    project_root_path: Mapped[str | None] = mapped_column(Text)
    dbt_version: Mapped[str] = mapped_column(Text)
    autogen_relationships: Mapped[int] = mapped_column(Integer)
    enable_semantic_layer: Mapped[int] = mapped_column(Integer)
    enable_virtual_schemas: Mapped[int] = mapped_column(Integer)
    public_key: Mapped[str | None] = mapped_column(Text)
    private_key: Mapped[Sealed | None] = mapped_column(SealedBytes)
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class DbtEnvironment(Base):
    """An environment of a dbt project: the schema to build in, and values that replace the connection's.

    None keeps the connection's.
    """

    __tablename__ = "dbt_environments"
    __table_args__ = (STRICT,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    target_schema: Mapped[str] = mapped_column(Text)
    target_database: Mapped[str | None] = mapped_column(Text)
    target_name: Mapped[str | None] = mapped_column(Text)
    target_role: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    is_deferral_enabled: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class DbtVariable(Base):
    """A variable of an environment: in the clear, or sealed. Archiving the connection erases sealed values."""

    __tablename__ = "dbt_variables"
    __table_args__ = (
        UniqueConstraint("environment_id", "name"),
        CheckConstraint("is_secret IN (0, 1)", name="is_secret"),
        CheckConstraint("(is_secret = 0) = (value IS NOT NULL)", name="clear_value"),
        CheckConstraint("is_secret = 1 OR sealed IS NULL", name="sealed_secret"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("dbt_environments.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    is_secret: Mapped[int] = mapped_column(Integer)
    value: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[Sealed | None] = mapped_column(SealedBytes)
    position: Mapped[int] = mapped_column(Integer)
