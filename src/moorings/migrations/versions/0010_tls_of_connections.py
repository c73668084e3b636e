"""Sets `sslMode` to `prefer` on connections without one, which is what an absent mode meant before this version.

Lakebase sends its token as a clear-text password, which is now sent over verified TLS only. Its connections had the
mode `require` unless they named another one: those verify the server now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

PREFERRED = ("postgres", "mysql", "mariadb", "starrocks")
LAKEBASE = "databricks_lakebase"


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT id, dialect, settings FROM connections WHERE dialect IN :dialects").bindparams(
            sa.bindparam("dialects", (*PREFERRED, LAKEBASE), expanding=True)
        )
    ).all()
    for row in rows:
        settings = json.loads(row.settings)
        mode = mode_for(row.dialect, settings)
        if mode != settings.get("ssl_mode"):
            connection.execute(
                sa.text("UPDATE connections SET settings = :settings WHERE id = :id"),
                {"settings": json.dumps(settings | {"ssl_mode": mode}, separators=(",", ":")), "id": row.id},
            )


def mode_for(dialect: str, settings: Mapping[str, Any]) -> str:
    """The sslMode that a connection has afterwards."""
    mode = settings.get("ssl_mode")
    if dialect == LAKEBASE:
        trusts = settings.get("trust_server_certificate") or settings.get("ssl_root_cert")
        return "verify-full" if mode in (None, "require") and not trusts else mode or "require"
    return mode or "prefer"
