"""Counts refreshes of catalogs, so that a cached catalog is never outdated."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite's triggers are made after the last migration
        op.execute(
            """
            CREATE CONSTRAINT TRIGGER touch_freshness AFTER INSERT OR UPDATE OR DELETE ON catalogs
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_health_freshness()
            """
        )
