"""The health of connections, its history, the next probes and the webhook deliveries to send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}
STATUSES = "status IN ('healthy', 'failing')"


def _text(name: str, table: str | None = None, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    references = (sa.ForeignKey(f"{table}.id"),) if table else ()
    return sa.Column(name, sa.Text(), *references, nullable=nullable, primary_key=primary_key)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, MILLISECONDS, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "connection_health",
        _text("connection_id", "connections", primary_key=True),
        _text("organization_id", "organizations"),
        _text("status"),
        _instant("since"),
        _text("error", nullable=True),
        sa.CheckConstraint(STATUSES, name="status"),
        sa.CheckConstraint("(status = 'failing') = (error IS NOT NULL)", name="error"),
        **STRICT,
    )
    op.create_index("ix_connection_health_organization_id", "connection_health", ["organization_id"])
    op.create_table(
        "health_changes",
        _text("id", primary_key=True),
        _text("organization_id", "organizations"),
        _text("connection_id", "connections"),
        _instant("at"),
        _text("status"),
        _text("error", nullable=True),
        sa.CheckConstraint(STATUSES, name="status"),
        **STRICT,
    )
    op.create_index("ix_health_changes_connection_id", "health_changes", ["connection_id", "at"])
    op.create_index("ix_health_changes_at", "health_changes", ["at"])
    op.create_table(
        "health_probes",
        _text("connection_id", "connections", primary_key=True),
        _text("organization_id", "organizations"),
        sa.Column("revision", sa.Integer(), nullable=False),
        _instant("next_at"),
        _instant("checked_at", nullable=True),
        **STRICT,
    )
    op.create_index("ix_health_probes_next_at", "health_probes", ["next_at"])
    op.create_table(
        "webhook_deliveries",
        _text("id", primary_key=True),
        _text("organization_id", "organizations"),
        _text("body"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _instant("next_at"),
        _instant("created_at"),
        **STRICT,
    )
    op.create_index("ix_webhook_deliveries_next_at", "webhook_deliveries", ["next_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """
            CREATE CONSTRAINT TRIGGER touch_freshness AFTER INSERT OR UPDATE OR DELETE ON connection_health
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_freshness()
            """
        )
