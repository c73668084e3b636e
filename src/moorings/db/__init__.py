"""Storage: the engine, the column types, units of work, and the cache of stored facts.

SQLite (WAL) is embedded, PostgreSQL serves several replicas; Alembic creates one schema for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import quote

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Text,
    TypeDecorator,
    and_,
    delete,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from moorings.db.connecting import DatabaseAway, connected, engine
from moorings.secrets import Sealed
from moorings.settings.database import PostgresAddress, SqliteAddress, parsed

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
M = TypeVar("M")

Ordered = tuple[InstrumentedAttribute[Any], bool]
"""A column to order by, and whether the order is descending."""

CACHE_BYTES = 32 * 1024 * 1024
"""The size limit of the cache; the least recently used entries are dropped first."""


ONE_AT_A_TIME = 0x6D6F6F72
"""PostgreSQL's advisory lock ("moor") that replicas take for migrations, and to create things that exist once."""


class Base(DeclarativeBase):
    """The base of all stored models; names its constraints so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


STRICT = {"sqlite_strict": True}
"""The last element of each `__table_args__`: with it, SQLite refuses values of another type than the column's."""

Long = BigInteger().with_variant(Integer(), "sqlite")
"""An integer of 64 bits; a STRICT table of SQLite has INTEGER only."""

Milliseconds = Long
"""UTC epoch milliseconds."""


Bytewise = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared byte by byte, as SQLite does: one order of names on both databases, whatever the locale."""


class Json(TypeDecorator[Any]):
    """A JSON value as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: D102
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: D102
        return None if value is None else json.loads(value)


class SealedBytes(TypeDecorator[Sealed]):
    """A sealed value; assigning anything else raises TypeError before it can reach the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sealed | None, dialect: Dialect) -> bytes | None:  # noqa: D102
        if value is not None and not isinstance(value, Sealed):  # pyright: ignore[reportUnnecessaryIsInstance]  # the guard is for untyped callers
            raise TypeError("only sealed values are stored here")
        return None if value is None else value.ciphertext

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Sealed | None:  # noqa: D102
        return None if value is None else Sealed(value)


class Versions(NamedTuple):
    """Change counters of the database: if two values are equal, no table that they cover changed in between."""

    access: int
    """Counts changes of users, roles and keys, of connections and of their secrets."""
    shown: int
    """Counts changes of connections' health and catalogs."""


UNREAD = Versions(-1, -1)
"""The versions before the first read; no database has them."""

READ_VERSIONS = "SELECT changed_by, health_changed_by FROM freshness"


class Version(Protocol):
    """Reads the database's versions, which show whether cached facts have changed."""

    async def read(self) -> Versions:
        """The database's versions now."""
        ...

    @property
    def commits(self) -> int | None:
        """The number that every commit changes, as of the last `read`; None if the database has only the counters."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class SqliteVersion:
    """`PRAGMA data_version` of a connection that never writes changes with every commit of any other connection.

    Only after such a change are the counters read, which triggers maintain.
    """

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None)
        self.commits = -1
        self._found = UNREAD

    async def read(self) -> Versions:
        """A few microseconds, in the event loop: cheaper than handing it to a thread."""
        try:
            commits = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if commits != self.commits:
                self._found = Versions._make(self._connection.execute(READ_VERSIONS).fetchone())
                self.commits = commits  # read before the counters: a commit in between is found next time
        except sqlite3.Error as refused:
            raise DatabaseAway(f"the metadata database does not answer: {refused}") from None
        return self._found

    async def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class PostgresVersion:
    """Reads the row in which deferred triggers write the id of each transaction that changed something.

    Callers that arrive during a round trip share the next one: it starts after their call, so its answer is never older
    than the call.
    """

    commits = None

    def __init__(self, url: str) -> None:
        address = parsed(url)
        assert isinstance(address, PostgresAddress)  # noqa: S101
        self._address = address
        self._connection: asyncpg.Connection | None = None
        self._current: asyncio.Task[Versions] | None = None
        self._next: asyncio.Task[Versions] | None = None

    async def read(self) -> Versions:
        """One round trip; later callers wait for the next one."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_after(self._current))
        return await asyncio.shield(self._next)

    async def _read_after(self, running: asyncio.Task[Versions] | None) -> Versions:
        if running is not None:
            await asyncio.wait([running])
        self._current, self._next = self._next, None
        import asyncpg

        # asyncpg raises the second one if the server closes the connection between two of its own steps.
        confused = (asyncpg.InterfaceError, asyncpg.InternalClientError)
        try:
            try:
                return await self._fetch()
            except (OSError, asyncpg.PostgresConnectionError, *confused):
                self._connection = None  # the server restarted or dropped an idle connection: once more on a new one
                return await self._fetch()
        except (OSError, asyncpg.PostgresError, *confused) as refused:
            raise DatabaseAway(f"the metadata database does not answer ({type(refused).__name__})") from None

    async def _fetch(self) -> Versions:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connected(self._address)
        row = await self._connection.fetchrow(READ_VERSIONS)
        return Versions(row["changed_by"], row["health_changed_by"])

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()


class Database:
    """One process's access to the metadata database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.address = parsed(url)
        self.embedded = isinstance(self.address, SqliteAddress)
        self.file = self.address.path if isinstance(self.address, SqliteAddress) else None
        self.engine = engine(self.address)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        # SQLite has one writer; waiting here is fair and costs no busy polling.
        self._writing: contextlib.AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self.embedded else contextlib.nullcontext()
        )
        self._version: Version | None = None
        self._cache: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()
        self._cache_bytes = 0

    @contextlib.asynccontextmanager
    async def unit_of_work(self) -> AsyncGenerator[AsyncSession]:
        """One writing transaction: committed at the end, rolled back by any exception."""
        async with self._writing, self._sessions() as session:
            await session.connection(execution_options={"moorings_writes": True})
            yield session
            await session.commit()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncGenerator[AsyncSession]:
        """A unit of work that never runs at the same time as another one of this kind, in any process."""
        async with self.unit_of_work() as session:  # SQLite has one writer anyway
            if not self.embedded:
                await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
            yield session

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """One reading transaction: a consistent view, never committed."""
        async with self._sessions() as session:
            yield session

    async def finds(self, rows: Select[*tuple[Any, ...]]) -> bool:
        """Whether a query finds anything. Callers that write only then do not invalidate caches needlessly."""
        async with self.reading() as session:
            return (await session.execute(rows.limit(1))).first() is not None

    async def delete_older(self, instants: InstrumentedAttribute[Any], before: int) -> None:
        """Delete the rows whose time in this column is before another one; writes nothing if there are none."""
        old = instants < before
        if await self.finds(select(instants).where(old)):
            async with self.unit_of_work() as session:
                await session.execute(delete(cast("type[Base]", instants.class_)).where(old))

    async def version(self) -> Versions:
        """The database's versions, for `cached`; raises OperatorError when the database does not answer."""
        if self._version is None:
            at = self.address
            self._version = SqliteVersion(str(at.path)) if isinstance(at, SqliteAddress) else PostgresVersion(self._url)
        return await self._version.read()

    async def commits(self) -> int | None:
        """A number that differs after each commit of SQLite; None on PostgreSQL, which has no such number."""
        await self.version()
        return self._version.commits if self._version is not None else None

    async def cached(self, key: Hashable, version: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        """The result of `load` at this version, from the cache or fresh.

        Only this cache keeps stored facts longer than a request, and never past a change: `version` is read for each
        request before anything else, so a value that is loaded later is at least as new as the version that it is
        cached under.
        """
        entry = self._cache.get(key)
        if entry is not None and entry[0] == version:
            self._cache.move_to_end(key)
            return cast("T", entry[1])
        value = await load()
        self._cache_value(key, version, value)
        return value

    def _cache_value(self, key: Hashable, version: Hashable, value: object) -> None:
        replaced = self._cache.pop(key, None)
        self._cache_bytes += _weight(key, value) - (_weight(key, replaced[1]) if replaced else 0)
        self._cache[key] = (version, value)
        while self._cache_bytes > CACHE_BYTES and len(self._cache) > 1:
            oldest, (_, dropped) = self._cache.popitem(last=False)
            self._cache_bytes -= _weight(oldest, dropped)

    async def close(self) -> None:
        """Close every connection."""
        if self._version is not None:
            await self._version.close()
        await self.engine.dispose()


async def page(
    session: AsyncSession, rows: Select[M], order: Sequence[Ordered], after: Sequence[Any] | None, number: int
) -> tuple[list[M], int]:
    """A page of a query's rows, after the place of one (its values of `order`); and the number of all its rows.

    No two rows may have the same place.
    """
    total = await session.scalar(rows.with_only_columns(func.count(), maintain_column_froms=True))
    cached = rows if after is None else rows.where(_behind(list(zip(order, after, strict=True))))
    by = (column.desc() if descending else column for column, descending in order)
    return list(await session.scalars(cached.order_by(*by).limit(number))), total or 0


def _behind(place: Sequence[tuple[Ordered, Any]]) -> ColumnElement[bool]:
    ((column, descending), value), *further = place
    beyond = column < value if descending else column > value
    return or_(beyond, and_(column == value, _behind(further))) if further else beyond


def _weight(key: Hashable, value: object) -> int:
    """The approximate memory of a cached value: content, key (callers choose it), and a kilobyte of overhead."""
    parts = (*_parts(key), *_parts(value))
    own = int(getattr(value, "cached_bytes", 0))
    return 1024 + own + sum(len(part) for part in parts if isinstance(part, bytes))


def _parts(value: object) -> tuple[object, ...]:
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
