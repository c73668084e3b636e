"""Names are found in each of Unicode's spellings of one character: their keys become NFC."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

KEYS = (("users", "email_key"), ("users", "name_key"), ("user_groups", "name_key"))
UNIQUE = (("users", "email_key"), ("user_groups", "name_key"))


def upgrade() -> None:
    connection = op.get_bind()
    for table, column in KEYS:
        rows = connection.execute(
            sa.text(f"SELECT id, organization_id, {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
        ).all()
        taken = {(organization, key) for _, organization, key in rows}
        for row, organization, key in rows:
            folded = unicodedata.normalize("NFC", key)
            # If two names are now equal, each keeps its old key: an admin must rename one of them.
            if folded == key or ((table, column) in UNIQUE and (organization, folded) in taken):
                continue
            taken.add((organization, folded))
            connection.execute(
                sa.text(f"UPDATE {table} SET {column} = :key WHERE id = :id"),  # noqa: S608
                {"key": folded, "id": row},
            )
