"""Requests that named an Idempotency-Key, and their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "repeatable_requests",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("key_id", sa.Text(), sa.ForeignKey("api_keys.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MILLISECONDS, nullable=False),
        sa.UniqueConstraint("key_id", "name"),
        sqlite_strict=True,
    )
    op.create_index("ix_repeatable_requests_created_at", "repeatable_requests", ["created_at"])
