"""Stores values that published clients read back: the spelling of role names with an alias, and dbt's deferral."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

COLUMNS = (
    ("connections", "base_role_alias", "TEXT"),
    ("connection_roles", "role_alias", "TEXT"),
    ("group_roles", "role_alias", "TEXT"),
    ("dbt_environments", "is_deferral_enabled", "INTEGER NOT NULL DEFAULT 0"),
)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    for table, name, kind in COLUMNS:
        if name not in {column["name"] for column in inspector.get_columns(table)}:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
