"""SQLite counts changes of the tables from which rights follow, as PostgreSQL does since the beginning."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # its triggers are made after the last migration: see freshness.py
        op.execute(
            "CREATE TABLE freshness"
            " (only_row INTEGER PRIMARY KEY DEFAULT 1 CHECK (only_row = 1), changed_by INTEGER NOT NULL) STRICT"
        )
        op.execute("INSERT INTO freshness (changed_by) VALUES (0)")
