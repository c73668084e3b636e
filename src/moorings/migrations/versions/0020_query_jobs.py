"""Jobs of queries, for replicas that did not run them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "query_jobs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.Column("seen_at", MILLISECONDS, nullable=False),
        sa.Column("ended_at", MILLISECONDS, nullable=True),
        sqlite_strict=True,
        if_not_exists=True,
    )
    op.create_index("ix_query_jobs_seen_at", "query_jobs", ["seen_at"], if_not_exists=True)
