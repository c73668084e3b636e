"""Groups with their members and roles; for users, the identity provider's fields and the time of deletion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}
WATCHED = ("user_groups", "user_group_members", "group_roles")


def upgrade() -> None:
    _users()
    _groups()
    if op.get_bind().dialect.name == "postgresql":
        for table in WATCHED:
            op.execute(
                f"""
                CREATE CONSTRAINT TRIGGER touch_freshness AFTER INSERT OR UPDATE OR DELETE ON {table}
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_freshness()
                """
            )


def _users() -> None:
    for name in ("given_name", "family_name", "external_id", "email_key", "name_key"):
        op.add_column("users", sa.Column(name, sa.Text(), nullable=True))
    for name in ("updated_at", "deleted_at"):
        op.add_column("users", sa.Column(name, MILLISECONDS, nullable=True))
    _fill_keys()
    op.create_index("uq_users_email_key", "users", ["organization_id", "email_key"], unique=True)
    op.create_index("ix_users_name_key", "users", ["organization_id", "name_key"])
    op.create_index("ix_users_external_id", "users", ["organization_id", "external_id"])


def _fill_keys() -> None:
    """Fold the emails; if several differ only in case, the oldest user keeps the email."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, organization_id, email, name FROM users ORDER BY created_at, id"))
    taken: set[tuple[str, str]] = set()
    for user, organization, email, name in rows.all():
        place = (organization, email.casefold())
        connection.execute(
            sa.text("UPDATE users SET email_key = :email, name_key = :name WHERE id = :id"),
            {"email": None if place in taken else place[1], "name": name.casefold(), "id": user},
        )
        taken.add(place)
    if connection.dialect.name == "postgresql":  # it alters no table whose deferred triggers are still to run
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
        op.execute("SET CONSTRAINTS ALL DEFERRED")


def _groups() -> None:
    op.create_table(
        "user_groups",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.Column("updated_at", MILLISECONDS, nullable=True),
        sa.UniqueConstraint("organization_id", "name_key"),
        **STRICT,
    )
    op.create_table(
        "user_group_members",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("group_id", sa.Text(), sa.ForeignKey("user_groups.id"), nullable=False),
        sa.Column("user_id", sa.Text(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.UniqueConstraint("group_id", "user_id"),
        **STRICT,
    )
    op.create_index("ix_user_group_members_user_id", "user_group_members", ["user_id"])
    op.create_table(
        "group_roles",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("connection_id", sa.Text(), sa.ForeignKey("connections.id"), nullable=False),
        sa.Column("group_id", sa.Text(), sa.ForeignKey("user_groups.id"), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("updated_at", MILLISECONDS, nullable=False),
        sa.UniqueConstraint("connection_id", "group_id"),
        sa.CheckConstraint("role BETWEEN 0 AND 5", name="role"),
        **STRICT,
    )
    op.create_index("ix_group_roles_group_id", "group_roles", ["group_id"])
