"""Webhooks, in addition to the one in the settings, and the last state of health that was sent for a connection."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":  # tables with deferred triggers under way cannot be altered
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.Column("updated_at", MILLISECONDS, nullable=False),
        sa.CheckConstraint("enabled IN (0, 1)", name="enabled"),
        sqlite_strict=True,
        if_not_exists=True,
    )
    op.create_index(
        "ix_webhook_endpoints_organization_id",
        "webhook_endpoints",
        ["organization_id", "created_at"],
        if_not_exists=True,
    )
    op.create_table(
        "webhook_messages",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("webhook_id", sa.Text(), sa.ForeignKey("webhook_endpoints.id"), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", MILLISECONDS, nullable=True),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.Column("attempted_at", MILLISECONDS, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        sa.CheckConstraint("(status = 'pending') = (next_at IS NOT NULL)", name="next_at"),
        sqlite_strict=True,
        if_not_exists=True,
    )
    for name, columns in (
        ("webhook_id", ["webhook_id", "created_at"]),
        ("next_at", ["next_at"]),
        ("created_at", ["created_at"]),
    ):
        op.create_index(f"ix_webhook_messages_{name}", "webhook_messages", columns, if_not_exists=True)
    known = {column["name"] for column in sa.inspect(connection).get_columns("health_probes")}
    if "announced" not in known:
        op.add_column("health_probes", sa.Column("announced", sa.Text(), nullable=True))
    op.execute(
        "UPDATE health_probes SET announced = 'failing' WHERE connection_id IN"
        " (SELECT connection_id FROM connection_health WHERE status = 'failing')"
    )
