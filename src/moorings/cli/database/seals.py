"""Every sealed value of the metadata database."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import installation
from moorings.cli.database import rows
from moorings.db import Database, SealedBytes
from moorings.secrets import Keyset, Sealed


def open_all(url: str, keyset: Keyset) -> int:
    """Decrypt every sealed value of a database; returns how many. Raises OperatorError for one that does not open."""
    return asyncio.run(_open_all(url, keyset))


async def _open_all(url: str, keyset: Keyset) -> int:
    database = Database(url)
    try:
        async with database.reading() as session:
            await installation.fingerprint_key(session, keyset)
            return 1 + await _of_tables(session, keyset)
    finally:
        await database.close()


async def _of_tables(session: AsyncSession, keyset: Keyset) -> int:
    number = 0
    for table in rows.tables():
        for column in table.columns:
            if isinstance(column.type, SealedBytes):
                columns: list[ColumnElement[Any]] = [*table.primary_key, column]
                sealed = (await session.execute(select(*columns).where(column.is_not(None)))).all()
                for row_id, value in cast("list[tuple[str, Sealed]]", sealed):
                    keyset.open(value, table=table.name, column=column.name, row=row_id)
                    number += 1
    return number
