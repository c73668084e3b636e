"""Webhooks: the previous secret signs for a while, and a URL that answers 410 is not called any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("webhook_endpoints")}
    for name, kind in (
        ("previous_secret", sa.LargeBinary()),
        ("previous_secret_until", MILLISECONDS),
        ("gone_at", MILLISECONDS),
    ):
        if name not in known:
            op.add_column("webhook_endpoints", sa.Column(name, kind, nullable=True))
