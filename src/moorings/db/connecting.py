"""Connects to the metadata database: the SQLAlchemy engine, and connections to PostgreSQL."""

from __future__ import annotations

import functools
import re
import ssl
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from moorings.db.sqlite import connection
from moorings.distribution import install_command
from moorings.errors import OperatorError
from moorings.settings.database import Address, PostgresAddress, SqliteAddress

if TYPE_CHECKING:
    import asyncpg

CONNECT_SECONDS = 5
"""How long a request waits for a PostgreSQL that does not answer."""


class DatabaseAway(OperatorError):
    """The metadata database does not answer"""


FAULTS = (OSError, ValueError, LookupError)
"""The driver's errors for an address, its certificates, and a user that this machine does not know."""

AWAY = (DatabaseAway, SQLAlchemyError, OSError)
"""The errors raised when the metadata database does not answer, or refuses."""


def reason(refused: Exception) -> str:
    """The reason, in one line."""
    said = str(getattr(refused, "orig", None) or refused).strip().splitlines() or [type(refused).__name__]
    return re.sub(r"^<class '[\w.]+'>: ", "", said[0])


def engine(address: Address) -> AsyncEngine:
    """The SQLAlchemy engine for an address."""
    if isinstance(address, SqliteAddress):
        return _sqlite(address.path)
    # A pooler in transaction mode may run the next statement in another session, so no prepared statement is reused.
    prepared: dict[str, Any] = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": _new_name}
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=functools.partial(connected, address),
        connect_args=prepared if address.pooled else {},
        pool_size=10,
        pool_pre_ping=True,
    )


def _new_name() -> str:
    return f"moorings_{uuid.uuid4()}"


async def connected(address: PostgresAddress, **_: object) -> asyncpg.Connection:
    """A new connection; raises DatabaseAway with the reason, and OperatorError without the driver."""
    try:
        import asyncpg
    except ImportError:
        raise OperatorError(f"PostgreSQL for metadata needs its driver: {install_command('cluster')}") from None
    try:
        return await asyncpg.connect(**address.arguments(CONNECT_SECONDS))
    except TimeoutError:
        raise DatabaseAway(f"{address} does not answer in time") from None
    except (*FAULTS, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as refused:
        raise DatabaseAway(_one_line(refused)) from None


def _one_line(refused: Exception) -> str:
    """A driver's message about a failed connection, with a remedy."""
    if isinstance(refused, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({refused.verify_message}): set sslrootcert"
    return reason(refused)


def _sqlite(path: Path) -> AsyncEngine:
    """An engine whose transactions declare whether they write.

    A deferred transaction that reads first and writes later fails at once when another one wrote in between, however
    long busy_timeout is: so every writing transaction begins with BEGIN IMMEDIATE.
    """
    url = URL.create("sqlite+aiosqlite", database=str(path))  # of a file: one in memory has another kind of pool
    engine = create_async_engine(url, async_creator=functools.partial(connection, path))

    @event.listens_for(engine.sync_engine, "connect")
    def configure(opened: Any, _: object) -> None:
        opened.isolation_level = None  # the driver must not begin transactions by itself
        cursor = opened.cursor()
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            "secure_delete=ON",
            "synchronous=FULL",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(begun: Any) -> None:
        writes = begun.get_execution_options().get("moorings_writes", False)
        begun.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
