"""Schedules of connections, and their dbt projects."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MILLISECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Text(), primary_key=True)


def _reference(name: str, table: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, MILLISECONDS, nullable=nullable)


def upgrade() -> None:
    _schedules()
    _dbt_repositories()
    _dbt_environments()


def _schedules() -> None:
    op.create_table(
        "schedules",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("connection_id", "connections"),
        _text("cron"),
        _text("timezone"),
        _number("hard_refresh"),
        _instant("next_run_at", nullable=True),
        _reference("created_by", "api_keys"),
        _instant("created_at"),
        _instant("updated_at"),
        _instant("disabled_at", nullable=True),
        sa.CheckConstraint("hard_refresh IN (0, 1)", name="hard_refresh"),
        sa.CheckConstraint("(next_run_at IS NULL) <> (disabled_at IS NULL)", name="runs_or_is_disabled"),
        **STRICT,
    )
    op.create_index("ix_schedules_connection_id", "schedules", ["connection_id"])
    op.create_index("ix_schedules_next_run_at", "schedules", ["next_run_at"])


def _dbt_repositories() -> None:
    op.create_table(
        "dbt_repositories",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("connection_id", "connections"),
        _text("ssh_url"),
        _text("branch"),
        _text("project_root_path", nullable=True),
        _text("dbt_version"),
        _number("autogen_relationships"),
        _number("enable_semantic_layer"),
        _number("enable_virtual_schemas"),
        _text("public_key", nullable=True),
        sa.Column("private_key", sa.LargeBinary(), nullable=True),
        _instant("created_at"),
        _instant("updated_at"),
        sa.UniqueConstraint("connection_id"),
        sa.CheckConstraint("dbt_version IN ('Auto', '1.10', '1.11')", name="dbt_version"),
        sa.CheckConstraint("(public_key IS NULL) = (private_key IS NULL)", name="key_pair"),
        **STRICT,
    )


def _dbt_environments() -> None:
    op.create_table(
        "dbt_environments",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("connection_id", "connections"),
        _text("name"),
        _text("target_schema"),
        _text("target_database", nullable=True),
        _text("target_name", nullable=True),
        _text("target_role", nullable=True),
        _reference("owner_id", "users", nullable=True),
        _instant("created_at"),
        _instant("updated_at"),
        **STRICT,
    )
    op.create_index("ix_dbt_environments_connection_id", "dbt_environments", ["connection_id"])
    op.create_table(
        "dbt_variables",
        _id(),
        _reference("organization_id", "organizations"),
        _reference("environment_id", "dbt_environments"),
        _text("name"),
        _number("is_secret"),
        _text("value", nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        _number("position"),
        sa.UniqueConstraint("environment_id", "name"),
        sa.CheckConstraint("is_secret IN (0, 1)", name="is_secret"),
        sa.CheckConstraint("(is_secret = 0) = (value IS NOT NULL)", name="clear_value"),
        sa.CheckConstraint("is_secret = 1 OR sealed IS NULL", name="sealed_secret"),
        **STRICT,
    )
    op.create_index("ix_dbt_variables_environment_id", "dbt_variables", ["environment_id"])
