"""Fill a fresh metadata database with connections, in one transaction: `python -m benchmarks.seed NUMBER`.

The settings come from the environment. Every name holds the token of its group of 25, 32 hexadecimal digits, so that a
`name` filter of a few of these digits leaves 25 connections, and there are very many such filters.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys

from moorings import app, dialects
from moorings import settings as environment
from moorings.access import service as access
from moorings.access.service import Actor
from moorings.connections import service as connections
from moorings.db import Database
from moorings.secrets import Keyset
from moorings.settings import Settings

GROUP = 25


def group(number: int) -> str:
    """The token in the names of a group."""
    return hashlib.sha256(b"%d" % number).hexdigest()[:32]


def name(number: int) -> str:
    """The name of a connection."""
    return f"Warehouse {group(number // GROUP)} {number % GROUP:02d}"


async def fill(settings: Settings, number: int) -> None:
    """Create connections as the API does."""
    database, keyset = Database(settings.database), Keyset.read(settings.keyset_path)
    async with database.unit_of_work() as session:
        actor = Actor(await access.the_organization(session), "", None, admin=True, roles={})
        for position in range(number):
            body = {"dialect": "postgres", "name": name(position), "host": "db.example.com", "database": "analytics"}
            config = dialects.read(body | {"username": "reader", "passwordUnencrypted": "secret"})
            await connections.create(session, keyset, actor, config)
    await database.close()


if __name__ == "__main__":
    read = environment.load()
    app.prepare(read)
    asyncio.run(fill(read, int(sys.argv[1])))
