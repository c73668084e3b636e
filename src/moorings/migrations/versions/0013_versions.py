"""Health has its own change counter, so that a probe does not invalidate cached rights.

Also the table of requests to cancel a query that no process has registered.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cancel_requests",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), sa.ForeignKey("api_keys.id"), nullable=False),
        sa.Column("requested_at", MILLISECONDS, nullable=False),
        sa.Column("claimed_at", MILLISECONDS, nullable=True),
        sqlite_strict=True,
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    kind = "BIGINT" if postgresql else "INTEGER"
    op.execute(f"ALTER TABLE freshness ADD COLUMN health_changed_by {kind} NOT NULL DEFAULT 0")
    if postgresql:  # SQLite's triggers are made after the last migration
        _watch_health()


def _watch_health() -> None:
    op.execute(
        """
        CREATE FUNCTION touch_health_freshness() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE freshness SET health_changed_by = txid_current() WHERE health_changed_by <> txid_current();
            RETURN NULL;
        END $$
        """
    )
    op.execute("DROP TRIGGER touch_freshness ON connection_health")
    op.execute(
        """
        CREATE CONSTRAINT TRIGGER touch_freshness AFTER INSERT OR UPDATE OR DELETE ON connection_health
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_health_freshness()
        """
    )
