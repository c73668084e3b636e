"""Stores the side of a connection, so that the database forbids environments of environments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TABLE = "connection_environments"
CHECKS = {
    "not_itself": "base_connection_id <> connection_id",
    "base_side": "base_side = 'base'",
    "side": "side = 'environment'",
}
REFERENCES = {"base": ["base_connection_id", "dialect", "base_side"], "own": ["connection_id", "dialect", "side"]}
REFERRED = ["id", "dialect", "side"]


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:  # PostgreSQL alters no table that has deferred triggers to run
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    side = "TEXT CONSTRAINT ck_connections_side CHECK (side IN ('base', 'environment'))"
    op.execute(f"ALTER TABLE connections ADD COLUMN side {side}")
    op.create_index("uq_connections_side", "connections", REFERRED, unique=True)
    _detach_the_nested()
    op.execute(
        "UPDATE connections SET side = 'base' WHERE id IN (SELECT base_connection_id FROM connection_environments)"
    )
    op.execute(
        "UPDATE connections SET side = 'environment' WHERE id IN (SELECT connection_id FROM connection_environments)"
    )
    if sqlite:
        _make_anew()
    else:
        _alter()


def _detach_the_nested() -> None:
    """Detach environments of connections that are environments themselves: no request was ever routed to them."""
    environments = sa.table(TABLE, sa.column("id"), sa.column("base_connection_id"), sa.column("connection_id"))
    values = sa.table("environment_values", sa.column("environment_id"))
    above = environments.alias()
    nested = sa.select(environments.c.id).join(above, environments.c.base_connection_id == above.c.connection_id)
    found = list(op.get_bind().execute(nested).scalars())
    op.execute(sa.delete(values).where(values.c.environment_id.in_(found)))
    op.execute(sa.delete(environments).where(environments.c.id.in_(found)))


def _alter() -> None:
    op.add_column(TABLE, sa.Column("dialect", sa.Text(), nullable=True))
    op.add_column(TABLE, sa.Column("base_side", sa.Text(), nullable=False, server_default="base"))
    op.add_column(TABLE, sa.Column("side", sa.Text(), nullable=False, server_default="environment"))
    op.execute(
        "UPDATE connection_environments e SET dialect = c.dialect FROM connections c WHERE c.id = e.connection_id"
    )
    op.alter_column(TABLE, "dialect", nullable=False)
    for column in ("base_side", "side"):
        op.alter_column(TABLE, column, server_default=None)
        op.create_check_constraint(column, TABLE, CHECKS[column])
    for name, columns in REFERENCES.items():
        op.drop_constraint(op.f(f"fk_{TABLE}_{columns[0]}"), TABLE, type_="foreignkey")
        op.create_foreign_key(op.f(f"fk_{TABLE}_{name}"), TABLE, "connections", columns, REFERRED)


def _make_anew() -> None:
    """SQLite adds no constraint to a table that exists."""
    op.create_table(
        "new_environments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("base_connection_id", "connection_id", "dialect")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("base_side", "side")),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f(f"fk_{TABLE}_organization_id")),
        sa.UniqueConstraint(
            "base_connection_id", "connection_id", name=op.f(f"uq_{TABLE}_base_connection_id_connection_id")
        ),
        *(sa.CheckConstraint(check, name=op.f(f"ck_{TABLE}_{name}")) for name, check in CHECKS.items()),
        *(
            sa.ForeignKeyConstraint(
                columns, [f"connections.{name}" for name in REFERRED], name=op.f(f"fk_{TABLE}_{which}")
            )
            for which, columns in REFERENCES.items()
        ),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO new_environments (id, organization_id, base_connection_id, connection_id, dialect, base_side,"
        " side, created_at) SELECT e.id, e.organization_id, base_connection_id, connection_id, c.dialect, 'base',"
        " 'environment', e.created_at FROM connection_environments e JOIN connections c ON c.id = e.connection_id"
    )
    op.drop_table(TABLE)
    op.rename_table("new_environments", TABLE)
    op.create_index("ix_connection_environments_connection_id", TABLE, ["connection_id"])
