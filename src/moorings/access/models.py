"""Tables of the organization, its users and groups, their keys and their roles on connections."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from moorings.db import STRICT, Base, Json, Milliseconds
from moorings.db.folding import folded

_BOOTSTRAP = text("origin = 'bootstrap'")


class Organization(Base):
    """The owner of everything; one exists today, and every owned row names it."""

    __tablename__ = "organizations"
    __table_args__ = (STRICT,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Milliseconds)


class User(Base):
    """A person. `organization_role` is MEMBER or ORG_ADMIN.

    `email_key` and `name_key` are the folded forms for lookups in any case; None once deleted. The row of a deleted
    user stays, nameless, because keys and queries name it.
    """

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("organization_id", "email"),
        CheckConstraint("organization_role IN ('MEMBER', 'ORG_ADMIN')", name="organization_role"),
        Index("uq_users_email_key", "organization_id", "email_key", unique=True),
        Index("ix_users_name_key", "organization_id", "name_key"),
        Index("ix_users_external_id", "organization_id", "external_id"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    email: Mapped[str] = mapped_column(Text)
    email_key: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str | None] = mapped_column(Text)
    given_name: Mapped[str | None] = mapped_column(Text)
    family_name: Mapped[str | None] = mapped_column(Text)
    external_id: Mapped[str | None] = mapped_column(Text)
    """The identity provider's id of the user."""
    organization_role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int | None] = mapped_column(Milliseconds)
    disabled_at: Mapped[int | None] = mapped_column(Milliseconds)
    deleted_at: Mapped[int | None] = mapped_column(Milliseconds)

    @validates("email", "name")
    def _fold(self, column: str, value: str) -> str:
        setattr(self, f"{column}_key", folded(value))
        return value


class UserGroup(Base):
    """A group of users. `name_key` is the folded name, for comparison in any case."""

    __tablename__ = "user_groups"
    __table_args__ = (UniqueConstraint("organization_id", "name_key"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text)
    external_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Milliseconds)
    updated_at: Mapped[int | None] = mapped_column(Milliseconds)

    @validates("name")
    def _fold(self, _: str, value: str) -> str:
        self.name_key = folded(value)
        return value


class GroupMember(Base):
    """One user in one group."""

    __tablename__ = "user_group_members"
    __table_args__ = (UniqueConstraint("group_id", "user_id"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    group_id: Mapped[str] = mapped_column(ForeignKey("user_groups.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[int] = mapped_column(Milliseconds)


class ApiKey(Base):
    """A key, by the hash of its token. Without a user it is an organization key."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("origin IN ('created', 'bootstrap')", name="origin"),
        Index(
            "uq_api_keys_bootstrap",
            "organization_id",
            unique=True,
            sqlite_where=_BOOTSTRAP,
            postgresql_where=_BOOTSTRAP,
        ),
        Index("ix_api_keys_previous_token_hash", "previous_token_hash"),
        Index("ix_api_keys_expiry_notice_at", "expiry_notice_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text, default="created")
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[int] = mapped_column(Milliseconds)
    disabled_at: Mapped[int | None] = mapped_column(Milliseconds)
    revoked_at: Mapped[int | None] = mapped_column(Milliseconds)
    created_by: Mapped[str | None] = mapped_column(Text)
    """The user who created an organization key over the API."""
    scopes: Mapped[list[str] | None] = mapped_column(Json)
    """None: not limited to scopes."""
    connection_ids: Mapped[list[str] | None] = mapped_column(Json)
    """None: not limited to connections."""
    expires_at: Mapped[int | None] = mapped_column(Milliseconds)
    expiry_notice_at: Mapped[int | None] = mapped_column(Milliseconds)
    """When webhooks are notified of the expiry; None once they were, and for a key that does not expire."""
    rotated_at: Mapped[int | None] = mapped_column(Milliseconds)
    previous_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The hash of the token before the last rotation, which is valid until `previous_expires_at`."""
    previous_expires_at: Mapped[int | None] = mapped_column(Milliseconds)


class ApiKeyUse(Base):
    """The last use of a key. A table of its own: a use must not change the version of access."""

    __tablename__ = "api_key_uses"
    __table_args__ = (STRICT,)

    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    used_at: Mapped[int] = mapped_column(Milliseconds)


class ConnectionRole(Base):
    """A user's own role on one connection; the connection's base role is its floor."""

    __tablename__ = "connection_roles"
    __table_args__ = (
        UniqueConstraint("connection_id", "user_id"),
        CheckConstraint("role BETWEEN 0 AND 5", name="role"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    role: Mapped[int] = mapped_column(Integer)
    role_alias: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class GroupRole(Base):
    """A group's role on one connection: every member has at least this one."""

    __tablename__ = "group_roles"
    __table_args__ = (
        UniqueConstraint("connection_id", "group_id"),
        CheckConstraint("role BETWEEN 0 AND 5", name="role"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    group_id: Mapped[str] = mapped_column(ForeignKey("user_groups.id"), index=True)
    role: Mapped[int] = mapped_column(Integer)
    role_alias: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class UserAttribute(Base):
    """A named fact about users, such as their tenant. Users without a value of their own have `default_values`."""

    __tablename__ = "user_attributes"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint("type IN ('String', 'Number')", name="type"),
        CheckConstraint("multiple_values IN (0, 1)", name="multiple_values"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    multiple_values: Mapped[int] = mapped_column(Integer)
    default_values: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[int] = mapped_column(Milliseconds)


class UserAttributeValue(Base):
    """A user's or an organization key's values of an attribute."""

    __tablename__ = "user_attribute_values"
    __table_args__ = (
        UniqueConstraint("attribute_id", "user_id"),
        UniqueConstraint("attribute_id", "key_id"),
        CheckConstraint("(user_id IS NULL) <> (key_id IS NULL)", name="one_owner"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    attribute_id: Mapped[str] = mapped_column(ForeignKey("user_attributes.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
    values: Mapped[list[str]] = mapped_column(Json)
    updated_at: Mapped[int] = mapped_column(Milliseconds)


class RepeatableRequest(Base):
    """A request that named an Idempotency-Key, and its answer; the fingerprint is keyed, as bodies hold secrets."""

    __tablename__ = "repeatable_requests"
    __table_args__ = (UniqueConstraint("key_id", "name"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    name: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(Milliseconds, index=True)


class Installation(Base):
    """A fact about the whole installation, by key."""

    __tablename__ = "installation"
    __table_args__ = (STRICT,)

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
