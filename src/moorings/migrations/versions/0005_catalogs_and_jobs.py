"""Catalogs, their changes, and the jobs that refresh them.

These tables have no change counter: jobs change often, and no cache depends on them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STRICT = {"sqlite_strict": True}


def upgrade() -> None:
    _jobs()
    _catalogs()
    _tables()
    _changes()


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, primary_key=primary_key)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, LONG, nullable=nullable)


def _owners() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("organization_id", sa.Text(), sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("connection_id", sa.Text(), sa.ForeignKey("connections.id"), nullable=False),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        _text("id", primary_key=True),
        *_owners(),
        _text("kind"),
        sa.Column("hard", sa.Integer(), nullable=False),
        _text("schedule_id", nullable=True),
        _text("key_id", nullable=True),
        _text("user_id", nullable=True),
        _text("status"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _number("due_at"),
        _number("run_after"),
        _text("lease_owner", nullable=True),
        _number("lease_expires_at", nullable=True),
        _text("log"),
        _text("result", nullable=True),
        _text("error", nullable=True),
        _number("created_at"),
        _number("started_at", nullable=True),
        _number("finished_at", nullable=True),
        sa.CheckConstraint("kind IN ('REFRESH_SCHEMA')", name="kind"),
        sa.CheckConstraint("hard IN (0, 1)", name="hard"),
        sa.CheckConstraint("status IN ('waiting', 'running', 'completed', 'failed')", name="status"),
        sa.CheckConstraint("(lease_owner IS NULL) = (lease_expires_at IS NULL)", name="lease"),
        sa.CheckConstraint("lease_owner IS NULL OR status = 'running'", name="leased_is_running"),
        sa.CheckConstraint("(finished_at IS NULL) = (status IN ('waiting', 'running'))", name="finished"),
        **STRICT,
    )
    for status in ("waiting", "running"):
        _partial(f"uq_jobs_{status}", ["connection_id", "kind"], f"status = '{status}'", unique=True)
    _partial("ix_jobs_live", ["run_after"], "status IN ('waiting', 'running')")
    op.create_index("ix_jobs_connection_id", "jobs", ["connection_id", "created_at"])
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"])


def _partial(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, "jobs", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _catalogs() -> None:
    organization, connection = _owners()
    connection.primary_key = True
    op.create_table(
        "catalogs",
        connection,
        organization,
        _text("job_id"),
        _number("refreshed_at"),
        sa.Column("table_count", sa.Integer(), nullable=False),
        sa.Column("column_count", sa.Integer(), nullable=False),
        **STRICT,
    )


def _tables() -> None:
    op.create_table(
        "catalog_tables",
        _text("id", primary_key=True),
        *_owners(),
        *(sa.Column(name, BYTEWISE, nullable=False) for name in ("catalog", "schema", "name")),
        *(_text(name) for name in ("folded_schema", "folded_name", "searched", "document", "digest")),
        _number("row_count", nullable=True),
        _number("size_bytes", nullable=True),
        _number("added_at"),
        _number("changed_at"),
        _number("missing_since", nullable=True),
        sa.UniqueConstraint("connection_id", "catalog", "schema", "name"),
        **STRICT,
    )


KINDS = (
    "'TABLE_ADDED', 'TABLE_REMOVED', 'TABLE_RETURNED', 'KIND_CHANGED', 'COMMENT_CHANGED', 'COLUMN_ADDED', "
    "'COLUMN_REMOVED', 'TYPE_CHANGED', 'NULLABILITY_CHANGED', 'PRIMARY_KEY_CHANGED', 'FOREIGN_KEY_ADDED', "
    "'FOREIGN_KEY_REMOVED'"
)


def _changes() -> None:
    op.create_table(
        "catalog_changes",
        _text("id", primary_key=True),
        *_owners(),
        _text("job_id"),
        _number("found_at"),
        _number("position"),
        _text("kind"),
        *(_text(name) for name in ("catalog", "schema", "name")),
        *(_text(name, nullable=True) for name in ("column", "before", "after")),
        sa.CheckConstraint(f"kind IN ({KINDS})", name="kind"),
        **STRICT,
    )
    op.create_index("ix_catalog_changes_connection_id", "catalog_changes", ["connection_id", "found_at"])
    op.create_index("ix_catalog_changes_found_at", "catalog_changes", ["found_at"])
