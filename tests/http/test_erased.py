"""What is erased for good is in no file any more, not even where the database's pages are free."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.connections.models import ConnectionSecret


def test_the_secrets_of_an_archived_connection(serve: Callable[..., Any]):
    service = serve()
    connection_id = service.create(passwordUnencrypted="sentinel" * 50)

    async def sealed(session: AsyncSession) -> list[bytes]:
        rows = select(ConnectionSecret.sealed).where(ConnectionSecret.connection_id == connection_id)
        return [each.ciphertext for each in await session.scalars(rows)]

    (ciphertext,) = service.change(sealed)
    path = service.database.engine.url.database

    def stored() -> bytes:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(each.read_bytes() for each in service.settings.data_dir.glob("*") if each.is_file())

    assert ciphertext in stored()
    assert service.request("DELETE", f"/connections/{connection_id}").status_code == 200
    assert service.change(sealed) == []
    assert ciphertext not in stored()
