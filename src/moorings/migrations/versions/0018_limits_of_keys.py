"""Keys with an expiry, scopes, connections and a last use, and the token before a rotation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = {
    "created_by": sa.Text(),
    "scopes": sa.Text(),
    "connection_ids": sa.Text(),
    "expires_at": MILLISECONDS,
    "expiry_notice_at": MILLISECONDS,
    "rotated_at": MILLISECONDS,
    "previous_token_hash": sa.LargeBinary(),
    "previous_expires_at": MILLISECONDS,
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":  # tables with deferred triggers under way cannot be altered
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    known = {column["name"] for column in sa.inspect(connection).get_columns("api_keys")}
    for name, kind in COLUMNS.items():
        if name not in known:
            op.add_column("api_keys", sa.Column(name, kind, nullable=True))
    for name in ("previous_token_hash", "expiry_notice_at"):
        op.create_index(f"ix_api_keys_{name}", "api_keys", [name], if_not_exists=True)
    op.create_table(
        "api_key_uses",
        sa.Column("key_id", sa.Text(), sa.ForeignKey("api_keys.id"), primary_key=True),
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("used_at", MILLISECONDS, nullable=False),
        sqlite_strict=True,
        if_not_exists=True,
    )
