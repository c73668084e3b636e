"""The engines that the suite runs against: a table, and the other side of each, which sees what Moorings did there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorings import dialects
from moorings.dialects.base import Dialect
from moorings.dialects.config import ConnectionConfig
from tests.warehouses.servers import mariadb, postgresql
from tests.warehouses.servers.process import SENTINEL, Server


@dataclass(frozen=True)
class Sql:
    """How an engine says what the tests want of it."""

    many: str
    """`{rows}` rows with a number and a text."""
    slow: str
    """A statement that takes half a minute, and holds `{marker}`."""
    echo: str
    """A statement with one parameter, which it returns as text."""
    no_permission: str = ""


@dataclass(frozen=True)
class Under:
    """One engine under test. `lacks` says what it cannot do: `never`, `notyet` or `notimpl`, and why."""

    dialect: str
    server: str | None
    sql: Sql
    lacks: Mapping[str, str] = field(default_factory=dict)


DUCKDB = Sql(
    many="SELECT i::INTEGER AS number, 'row ' || i AS text FROM range(1, {rows} + 1) AS rows(i)",
    slow="SELECT count(*) AS {marker} FROM range(1000000) a(i), range(1000000) b(j) WHERE i * j % 7 = 3",
    echo="SELECT $1::VARCHAR AS echo",
)
NO_SERVER = {
    "server": "never: a file has no server, no login and no process list",
    "server timeout": "never: DuckDB has no time limit of its own; Moorings keeps it alone",
}
MYSQL = Sql(
    many="SELECT CAST(seq AS INT) AS number, CONCAT('row ', seq) AS text FROM app.seq_1_to_{rows}",
    slow="SELECT BENCHMARK(3000000000, SHA1('{marker}'))",
    echo="SELECT %s AS echo",
)
POSTGRES = Sql(
    many="SELECT i AS number, 'row ' || i AS text FROM generate_series(1, {rows}) AS rows(i)",
    slow="SELECT pg_sleep(30) AS {marker}",
    echo="SELECT $1::text AS echo",
)

ENGINES: Sequence[Under] = (
    Under("duckdb", None, DUCKDB, NO_SERVER),
    Under("motherduck", None, DUCKDB, {**NO_SERVER, "cloud": "never: MotherDuck itself cannot run here"}),
    Under("postgres", "postgres_server", POSTGRES),
    Under("mariadb", "mariadb_server", MYSQL),
    Under("mysql", "mariadb_server", MYSQL, {"own server": "notyet: MySQL's protocol against a real MariaDB"}),
)


class Warehouse:
    """An engine that runs: how to connect, and its other side."""

    def __init__(self, under: Under, server: Server | None, directory: Path) -> None:
        self.under = under
        self.sql = under.sql
        self.server = server
        self.directory = directory
        self.dialect: Dialect = dialects.named(under.dialect)

    def config(self, **changes: Any) -> ConnectionConfig:
        """The Config that works, with changes by their names on the wire; None leaves a field out."""
        body: dict[str, Any] = {"dialect": self.under.dialect, "name": "tested", "passwordUnencrypted": SENTINEL}
        if self.server is None:
            body |= {"database": "tested.duckdb"}
        else:
            body |= {"host": self.server.host, "port": self.server.port}
            body |= {"username": self.server.username, "database": self.server.database}
        return self.dialect.Config.read({key: value for key, value in (body | changes).items() if value is not None})

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements from the other side; returns the rows of the last one."""
        if self.server is None:
            return _ask_duckdb(self.directory / "tested.duckdb", statements)
        if self.under.server == "postgres_server":
            return _ask_postgres(self.server, statements)
        return mariadb.ask(self.server, *statements)

    def running(self, marker: str) -> int:
        """How many statements with this marker run in the server now."""
        if self.under.server == "postgres_server":
            asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
        else:
            asked = "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Query'"
            asked += " AND id <> CONNECTION_ID()"
        column = "query" if self.under.server == "postgres_server" else "info"
        return int(self.ask(f"{asked} AND {column} LIKE '%{marker}%'")[0][0])

    def sessions(self) -> int:
        """How many sessions Moorings has in the server now."""
        if self.under.server == "postgres_server":
            return int(self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'moorings%'")[0][0])
        return int(self.ask("SELECT COUNT(*) - 1 FROM information_schema.processlist WHERE user = 'moorings'")[0][0])

    def kill(self, session_id: str) -> None:
        """End a session from the other side."""
        if self.under.server == "postgres_server":
            self.ask(f"SELECT pg_terminate_backend({session_id})")
        else:
            self.ask(f"KILL {session_id}")


def _ask_duckdb(path: Path, statements: Sequence[str]) -> list[tuple[Any, ...]]:
    import duckdb

    with contextlib.closing(duckdb.connect(str(path))) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def _ask_postgres(server: Server, statements: Sequence[str]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    with postgresql.login(server) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
    return rows
