"""The first schema: organizations, users, keys, roles, connections, secrets, environments, running queries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}

WATCHED = (
    "organizations",
    "users",
    "api_keys",
    "connections",
    "connection_secrets",
    "connection_roles",
    "connection_environments",
    "environment_values",
)
"""Tables whose changes invalidate the caches of every replica (PostgreSQL; SQLite counts changes itself)."""


def upgrade() -> None:
    _access()
    _connections()
    _environments()
    _running_queries()
    op.create_table("installation", _text("key", primary_key=True), _text("value"), **STRICT)
    if op.get_bind().dialect.name == "postgresql":
        _watch()


def _text(name: str, *constraints: sa.ForeignKey, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), *constraints, nullable=nullable, primary_key=primary_key)


def _id() -> sa.Column[str]:
    return _text("id", primary_key=True)


def _reference(name: str, table: str, *, nullable: bool = False) -> sa.Column[str]:
    return _text(name, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, MILLISECONDS, nullable=nullable)


def _access() -> None:
    op.create_table("organizations", _id(), _text("name"), _instant("created_at"), **STRICT)
    op.create_table(
        "users",
        _id(),
        _reference("organization_id", "organizations"),
        _text("email"),
        _text("name"),
        _text("organization_role"),
        _instant("created_at"),
        _instant("disabled_at", nullable=True),
        sa.UniqueConstraint("organization_id", "email"),
        sa.CheckConstraint("organization_role IN ('MEMBER', 'ORG_ADMIN')", name="organization_role"),
        **STRICT,
    )
    op.create_table(
        "api_keys",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("user_id", "users", nullable=True),
        _text("name"),
        _text("origin"),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, unique=True),
        _instant("created_at"),
        _instant("disabled_at", nullable=True),
        _instant("revoked_at", nullable=True),
        sa.CheckConstraint("origin IN ('created', 'bootstrap')", name="origin"),
        **STRICT,
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    bootstrap = sa.text("origin = 'bootstrap'")
    op.create_index(
        "uq_api_keys_bootstrap",
        "api_keys",
        ["organization_id"],
        unique=True,
        sqlite_where=bootstrap,
        postgresql_where=bootstrap,
    )


def _connections() -> None:
    op.create_table(
        "connections",
        _id(),
        _reference("organization_id", "organizations"),
        _text("name"),
        _text("dialect"),
        _text("database", nullable=True),
        _text("default_schema", nullable=True),
        sa.Column("base_role", sa.Integer(), nullable=False),
        _text("settings"),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        _text("environment_attribute", nullable=True),
        _instant("created_at"),
        _instant("updated_at"),
        _instant("deleted_at", nullable=True),
        sa.CheckConstraint("base_role BETWEEN 0 AND 5", name="base_role"),
        **STRICT,
    )
    op.create_index("ix_connections_organization_id", "connections", ["organization_id"])
    op.create_table(
        "connection_secrets",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("connection_id", "connections"),
        _text("field"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _instant("updated_at"),
        sa.UniqueConstraint("connection_id", "field"),
        **STRICT,
    )
    op.create_table(
        "connection_roles",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("connection_id", "connections"),
        _reference("user_id", "users"),
        sa.Column("role", sa.Integer(), nullable=False),
        _instant("updated_at"),
        sa.UniqueConstraint("connection_id", "user_id"),
        sa.CheckConstraint("role BETWEEN 0 AND 5", name="role"),
        **STRICT,
    )
    op.create_index("ix_connection_roles_user_id", "connection_roles", ["user_id"])


def _environments() -> None:
    op.create_table(
        "connection_environments",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("base_connection_id", "connections"),
        _reference("connection_id", "connections"),
        _instant("created_at"),
        sa.UniqueConstraint("base_connection_id", "connection_id"),
        sa.CheckConstraint("base_connection_id <> connection_id", name="not_itself"),
        **STRICT,
    )
    op.create_index("ix_connection_environments_connection_id", "connection_environments", ["connection_id"])
    op.create_table(
        "environment_values",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("base_connection_id", "connections"),
        _reference("environment_id", "connection_environments", nullable=True),
        _text("value"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.UniqueConstraint("base_connection_id", "value"),
        **STRICT,
    )
    op.create_index("ix_environment_values_environment_id", "environment_values", ["environment_id"])


def _running_queries() -> None:
    op.create_table(
        "running_queries",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("connection_id", "connections"),
        _reference("key_id", "api_keys"),
        _reference("user_id", "users", nullable=True),
        _text("owner"),
        _text("session_id"),
        _instant("started_at"),
        _instant("cancel_requested_at", nullable=True),
        **STRICT,
    )
    op.create_index("ix_running_queries_owner", "running_queries", ["owner"])


def _watch() -> None:
    """One row with the id of the last transaction that changed something.

    The triggers are deferred, so the row's lock is taken last and held only while committing: no deadlocks, and
    writers queue for a moment only. A transaction touches the row once, however many rows it changes.
    """
    op.execute(
        "CREATE TABLE freshness"
        " (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), changed_by bigint NOT NULL)"
    )
    op.execute("INSERT INTO freshness (changed_by) VALUES (0)")
    op.execute(
        """
        CREATE FUNCTION touch_freshness() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE freshness SET changed_by = txid_current() WHERE changed_by <> txid_current();
            RETURN NULL;
        END $$
        """
    )
    for table in WATCHED:
        op.execute(
            f"""
            CREATE CONSTRAINT TRIGGER touch_freshness AFTER INSERT OR UPDATE OR DELETE ON {table}
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_freshness()
            """
        )
