"""Schedules of connections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0002"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("connection_id", sa.Text(), sa.ForeignKey("connections.id"), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("hard_refresh", sa.Integer(), nullable=False),
        sa.Column("next_run_at", MILLISECONDS, nullable=True),
        sa.Column("created_by", sa.Text(), sa.ForeignKey("api_keys.id"), nullable=False),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.Column("updated_at", MILLISECONDS, nullable=False),
        sa.Column("disabled_at", MILLISECONDS, nullable=True),
        sa.CheckConstraint("hard_refresh IN (0, 1)", name="hard_refresh"),
        sa.CheckConstraint("(next_run_at IS NULL) <> (disabled_at IS NULL)", name="runs_or_is_disabled"),
        **STRICT,
    )
    op.create_index("ix_schedules_connection_id", "schedules", ["connection_id"])
    op.create_index("ix_schedules_next_run_at", "schedules", ["next_run_at"])
