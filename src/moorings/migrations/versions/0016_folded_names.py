"""Connections keep their names as they are compared; keys of users and groups, and catalogs, follow the same rule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moorings.db.folding import folded

revision = "0016"
down_revision = "0015"

KEYS = (("users", "email_key"), ("users", "name_key"), ("user_groups", "name_key"))
UNIQUE = (("users", "email_key"), ("user_groups", "name_key"))
BATCH = 500


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":  # tables with deferred triggers under way cannot be altered
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    known = {column["name"] for column in sa.inspect(connection).get_columns("connections")}
    for name in ("name_key", "database_key"):
        if name not in known:
            op.add_column("connections", sa.Column(name, sa.Text(), nullable=True))
    for row in connection.execute(sa.text("SELECT id, name, database FROM connections")).all():
        database = None if row.database is None else folded(row.database)
        connection.execute(
            sa.text("UPDATE connections SET name_key = :name, database_key = :database WHERE id = :id"),
            {"name": folded(row.name), "database": database, "id": row.id},
        )
    op.create_index("ix_connections_name_key", "connections", ["organization_id", "name_key"], if_not_exists=True)
    for table, column in KEYS:
        _refold(connection, table, column)
    _refold_catalogs(connection)


def _refold(connection: sa.Connection, table: str, column: str) -> None:
    rows = connection.execute(
        sa.text(f"SELECT id, organization_id, {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
    ).all()
    taken = {(organization, key) for _, organization, key in rows}
    for row, organization, key in rows:
        new = folded(key)
        # If two names are now equal, each keeps its old key: an admin must rename one of them.
        if new == key or ((table, column) in UNIQUE and (organization, new) in taken):
            continue
        taken.add((organization, new))
        connection.execute(
            sa.text(f"UPDATE {table} SET {column} = :key WHERE id = :id"),  # noqa: S608
            {"key": new, "id": row},
        )


def _refold_catalogs(connection: sa.Connection) -> None:
    columns = ("folded_schema", "folded_name", "searched")
    after = ""
    while True:
        rows = connection.execute(
            sa.text(
                "SELECT id, folded_schema, folded_name, searched FROM catalog_tables"
                " WHERE id > :after ORDER BY id LIMIT :batch"
            ),
            {"after": after, "batch": BATCH},
        ).all()
        if not rows:
            return
        for row in rows:
            values = {column: folded(getattr(row, column)) for column in columns}
            if any(getattr(row, column) != value for column, value in values.items()):
                connection.execute(
                    sa.text(
                        "UPDATE catalog_tables SET folded_schema = :folded_schema, folded_name = :folded_name,"
                        " searched = :searched WHERE id = :id"
                    ),
                    values | {"id": row.id},
                )
        after = rows[-1].id
