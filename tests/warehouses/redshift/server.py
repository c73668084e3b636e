"""A real PostgreSQL where Redshift would be, behind a proxy that lets Redshift's driver in.

The proxy takes what Redshift's driver says of itself out of the first message, and speaks TLS. Passwords are hashed by
MD5, since the driver fails at SCRAM. Redshift's own views are imitated from PostgreSQL's catalogs.

Proves: the driver's protocol, TLS, login, faults by SQLSTATE, values of the types that both have, streams, timeouts,
cancel, the read-only transaction. Does not prove: Redshift's SQL, its views, its own types (SUPER, VARBYTE, GEOMETRY),
what its read-only transactions stop, IAM.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moorings.testing.engines import SENTINEL, Case, Server, Under
from tests.warehouses.postgres import server as postgresql
from tests.warehouses.servers.process import certificate

ASKS_FOR_TLS, PROTOCOL = 80877103, 196608
KNOWN = (b"user", b"database", b"application_name", b"client_encoding")
"""What PostgreSQL takes in the first message; the rest is between Redshift and its driver."""


class Proxy:
    """Hands connections on to PostgreSQL. Lives in a loop and a thread of its own."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._upstream = port
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._pipes: set[asyncio.Task[None]] = set()
        self._ends: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,))
        self._thread.start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        for end in self._ends:
            end.transport.abort()
        for _ in range(3):  # the loop closes a socket in one of its next rounds
            await asyncio.sleep(0)

    def close(self) -> None:
        """Hang up on everybody."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._hand_on(reader, writer))
        self._pipes.add(task)
        task.add_done_callback(self._pipes.discard)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            first = await self._first(reader, writer)
            inside, outside = await asyncio.open_connection("127.0.0.1", self._upstream)
            self._ends.add(outside)
            with contextlib.closing(outside):
                outside.write(struct.pack("!i", len(first) + 4) + first)
                ways = [asyncio.ensure_future(_pour(reader, outside)), asyncio.ensure_future(_pour(inside, writer))]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)

    async def _first(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The message that begins a login, without what PostgreSQL would refuse in it."""
        while True:
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            message = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!i", message[:4])
            if code != ASKS_FOR_TLS:
                break
            writer.write(b"S" if self._tls else b"N")
            if self._tls:
                await writer.start_tls(self._tls)
        if code != PROTOCOL:
            return message
        words = message[4:].rstrip(b"\0").split(b"\0")
        reply = zip(words[::2], words[1::2], strict=True)
        return message[:4] + b"".join(b"%s\0%s\0" % (key, value) for key, value in reply if key in KNOWN) + b"\0"


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()


VIEWS = (
    """
    CREATE VIEW svv_all_tables AS SELECT current_database()::text AS database_name, n.nspname::text AS schema_name,
        c.relname::text AS table_name, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS table_type,
        obj_description(c.oid, 'pg_class') AS remarks
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v')
    """,
    """
    CREATE VIEW svv_all_columns AS SELECT table_catalog::text AS database_name, table_schema::text AS schema_name,
        table_name::text AS table_name, column_name::text AS column_name, ordinal_position::integer AS ordinal_position,
        data_type::text AS data_type, is_nullable::text AS is_nullable,
        character_maximum_length::integer AS character_maximum_length, numeric_precision::integer AS numeric_precision,
        numeric_scale::integer AS numeric_scale,
        col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) AS remarks
    FROM information_schema.columns
    """,
    """
    CREATE VIEW svv_table_info AS SELECT n.nspname::text AS "schema", c.relname::text AS "table",
        reltuples::numeric(38, 0) AS tbl_rows, (pg_total_relation_size(c.oid) / 1048576)::bigint AS size
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'
    """,
    "GRANT SELECT ON svv_all_tables, svv_all_columns TO PUBLIC",
)
HASHES = (
    "ALTER SYSTEM SET password_encryption = 'md5'",
    "SET password_encryption = 'md5'",
    f"ALTER ROLE {postgresql.OWNER} PASSWORD '{SENTINEL.replace(chr(39), chr(39) * 2)}'",
)


@contextlib.contextmanager
def redshift(*, tls: bool) -> Iterator[Server]:
    """PostgreSQL behind the proxy; its `server.upstream` is told by `direct`."""
    with postgresql.postgresql(tls=False) as behind:
        (behind.folder / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 md5\n")
        Outside(behind, behind.folder).ask(*VIEWS, *HASHES, "SELECT pg_reload_conf()")
        context, crt = None, None
        if tls:
            crt, key = certificate(behind.folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(crt, key)
        with contextlib.closing(Proxy(behind.port, context)) as proxy:
            DIRECT[proxy.port] = behind
            yield replace(behind, port=proxy.port, certificate=crt)


DIRECT: dict[int, Server] = {}
"""Port of a proxy → the server behind it."""


@pytest.fixture(scope="session")
def redshift_server() -> Iterator[Server]:
    """A server that speaks TLS too."""
    with redshift(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_redshift_server() -> Iterator[Server]:
    """A server without TLS."""
    with redshift(tls=False) as server:
        yield server


# ---- under test -------------------------------------------------------------------------------------------------


class Outside(postgresql.Outside):
    """The server, seen by its superuser, past the proxy."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        super().__init__(DIRECT.get(server.port, server), directory)

    def tagged(self, query_id: str) -> int:
        return self.running(query_id)


SQL = replace(
    postgresql.SQL,
    mark="%s",
    echo="SELECT %s::text AS echo",
    types={
        **postgresql.SQL.types,
        "array": "never: Redshift has no arrays as columns, and SUPER is text",
        "object": Case("""'{"a": 1}'::jsonb""", "string", '{"a": 1}'),
    },
)
UNDER = Under("redshift", "redshift_server", SQL, Outside, broken=postgresql.BROKEN)
