"""Counts consecutive refused logins of probes, so that the pauses between probes can grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("health_probes")}
    if "refused" not in known:
        op.execute("ALTER TABLE health_probes ADD COLUMN refused INTEGER NOT NULL DEFAULT 0")
