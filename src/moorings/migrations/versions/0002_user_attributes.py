"""User attributes, and the values that users and organization keys have of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}
WATCHED = ("user_attributes", "user_attribute_values")


def upgrade() -> None:
    op.create_table(
        "user_attributes",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("multiple_values", sa.Integer(), nullable=False),
        sa.Column("default_values", sa.Text(), nullable=False),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.UniqueConstraint("organization_id", "name"),
        sa.CheckConstraint("type IN ('String', 'Number')", name="type"),
        sa.CheckConstraint("multiple_values IN (0, 1)", name="multiple_values"),
        **STRICT,
    )
    op.create_table(
        "user_attribute_values",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("attribute_id", sa.Text(), sa.ForeignKey("user_attributes.id"), nullable=False),
        sa.Column("user_id", sa.Text(), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("key_id", sa.Text(), sa.ForeignKey("api_keys.id"), nullable=True),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column("updated_at", MILLISECONDS, nullable=False),
        sa.UniqueConstraint("attribute_id", "user_id"),
        sa.UniqueConstraint("attribute_id", "key_id"),
        sa.CheckConstraint("(user_id IS NULL) <> (key_id IS NULL)", name="one_owner"),
        **STRICT,
    )
    op.create_index("ix_user_attribute_values_user_id", "user_attribute_values", ["user_id"])
    op.create_index("ix_user_attribute_values_key_id", "user_attribute_values", ["key_id"])
    if op.get_bind().dialect.name == "postgresql":
        for table in WATCHED:
            op.execute(
                f"""
                CREATE CONSTRAINT TRIGGER touch_freshness AFTER INSERT OR UPDATE OR DELETE ON {table}
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_freshness()
                """
            )
