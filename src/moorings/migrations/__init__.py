"""The schema's history, and the function that migrates a database."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from moorings.db import ONE_AT_A_TIME, Database
from moorings.db.connecting import AWAY, reason
from moorings.errors import OperatorError
from moorings.migrations import freshness

HEAD = "0020"
"""The schema revision of this version."""

UNFINISHED = "copying"
"""The prefix of the version of a database whose `moorings db copy` has not finished."""


def migrate(url: str, *, new: bool = True) -> None:
    """Migrate the database at `url` to HEAD; safe to call from several processes at once.

    Raises OperatorError if it cannot be reached, has a newer schema than this version, or has none and `new` is false.
    """
    asyncio.run(_migrate(Database(url), new=new))


async def _migrate(database: Database, *, new: bool) -> None:
    try:
        async with _alone(database) as connection:
            if not new and await connection.run_sync(_revision) is None:
                raise OperatorError(
                    f"{database.address} holds no tables of Moorings. Start the service once, or change "
                    "MOORINGS_DATABASE_URL"
                )
            await connection.run_sync(_upgrade)
    except AWAY as refused:
        raise OperatorError(f"cannot open the metadata database: {reason(refused)}") from None
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncGenerator[AsyncConnection]:
    """A transaction that no other migration runs at the same time."""
    lock = _file_lock(Path(f"{database.file}.lock")) if database.file else contextlib.nullcontext()
    with lock:
        async with database.engine.connect() as connection:
            if database.embedded:  # a table is changed by making it anew, while others refer to it
                raw = await connection.get_raw_connection()
                await cast("Any", raw.driver_connection).execute("PRAGMA foreign_keys=OFF")
            await connection.execution_options(moorings_writes=True)
            async with connection.begin():
                if not database.embedded:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
                    # A table whose changed rows still wait for a deferred check cannot be altered.
                    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
                yield connection


@contextlib.contextmanager
def _file_lock(path: Path) -> Generator[None]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _upgrade(connection: Connection) -> None:
    revision = _revision(connection)
    if revision == HEAD:
        return  # the usual start: Alembic is not even imported
    if revision is not None and revision.startswith(UNFINISHED):
        raise OperatorError("the database holds a part of a copy: run `moorings db copy` again to finish it")
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent))
    try:
        command.upgrade(config, HEAD)
        if connection.dialect.name == "sqlite" and inspect(connection).has_table(freshness.TABLE):
            freshness.watch(connection)
        _require_sound(connection)
    except CommandError:
        raise OperatorError(
            f"the database's schema ({_revision(connection)}) is newer than this version of Moorings knows ({HEAD}): "
            "upgrade Moorings"
        ) from None


def _require_sound(connection: Connection) -> None:
    """Raise OperatorError where a migration left a row of SQLite without the row that it refers to."""
    if connection.dialect.name == "sqlite" and (astray := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
        raise OperatorError(f"the migration was undone: rows of {astray[0][0]} refer to none of {astray[0][2]}")


def _revision(connection: Connection) -> Any:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
