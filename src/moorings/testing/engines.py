"""The description of an engine for the suite: one `Under` a dialect, made beside the server that it is tested on.

`Warehouse` is the engine while it runs: how Moorings connects to it, and its other side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from moorings import dialects
from moorings.dialects.base import Dialect
from moorings.dialects.config.connection import ConnectionConfig

Body = Mapping[str, Any]

SENTINEL = "s3nt!nel/p@ss w+rd%&'\""
"""The password to give a server: none of its spellings may ever be seen."""


@dataclass(frozen=True)
class Server:
    """A running server: its address and its logins."""

    host: str
    port: int
    username: str
    password: str
    database: str
    folder: Path
    pid: int
    certificate: Path | None = None
    log: Path | None = field(default=None, repr=False)

    def at(self, host: str) -> Server:
        """The same server under another of its names."""
        return replace(self, host=host)


class Outside(Protocol):
    """The other side of an engine: what the server itself saw of Moorings."""

    statements: Callable[[], int] | None
    """How many statements the server has run so far; None where it does not tell."""

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, past Moorings; returns the rows of the last one."""
        ...

    def running(self, marker: str) -> int:
        """How many statements with this marker run now."""
        ...

    def tagged(self, query_id: str) -> int:
        """How many statements that run now carry this query's id, wherever Moorings puts it."""
        ...

    def sessions(self) -> int:
        """How many sessions Moorings has now."""
        ...

    def kill(self, session_id: str) -> None:
        """End a session."""
        ...


@dataclass(frozen=True)
class Case:
    """An expression, the Arrow type that its column has, as text, and its value in Python."""

    sql: str
    arrow: str
    value: Any


CONCEPTS = (
    "boolean",
    "integer",
    "bigint",
    "decimal",
    "double",
    "nan",
    "infinity",
    "text",
    "binary",
    "date",
    "time",
    "timestamp",
    "instant",
    "array",
    "object",
    "null",
)
"""The kinds of value: every engine has a Case for each, or a reason why not.

An `instant` has a zone, an `object` is a struct.
"""


@dataclass(frozen=True)
class Sql:
    """The SQL of an engine for the tests. The test replaces marks in braces."""

    many: str
    """`{rows}` rows with a `number` (from 1) and a `text` (`row 1`)."""
    slow: str
    """A statement that takes half a minute, and holds `{marker}`."""
    mark: str
    """The placeholder of one parameter."""
    echo: str
    """A statement with one parameter, which it returns as text."""
    types: Mapping[str, Case | str]
    """Concept → its Case, or the reason why there is none."""
    select: str = "SELECT {expression} AS value"
    """A statement of one row and one column."""
    reader: Sequence[str] = ()
    """Statements, run from outside, that make the user `reader`, who may log in but not read `written`."""
    structure: Sequence[str] = ()
    """Statements, run from outside, that make what `moorings.testing.suite.test_structure` describes."""
    structure_gone: Sequence[str] = (
        "DROP VIEW named",
        "DROP TABLE children",
        "DROP TABLE parents",
        "DROP SCHEMA other CASCADE",
    )
    """Statements, run from outside, that drop it all again."""
    schema_word: str = "SCHEMA"
    drop_many: str = "DROP SCHEMA many CASCADE"
    bypasses: Sequence[str] = ()
    """The engine's own ways around read-only, each of which writes to `written` if it works."""
    bypass_setup: Sequence[str] = ()
    """Statements that these ways need, run directly on the server."""
    timeout: str = ""
    """A statement that asks the server how many seconds it lets a statement run."""
    zone: str = ""
    """A statement that asks for the session's time zone, by its name or what it is ahead of UTC (`+09:00`)."""
    in_other: Body = field(default_factory=lambda: {"defaultSchema": "other"})
    """The statement that makes `other` the default schema of a connection."""
    write: str = "INSERT INTO written VALUES (1)"
    """A statement that writes a row into the table `written (number)`, which the tests make."""
    written: str = "CREATE TABLE written (number INT)"
    """The statement that creates that table."""


@dataclass(frozen=True)
class Broken:
    """One thing wrong with a connection, and what its test must say.

    `changes` are to the body that works (None leaves a field out); `setup` and `teardown` are statements run from
    outside. `unproduced` says why no server here can show the fault, which is then not tested.
    """

    what: str
    step: str
    code: str
    fields: Sequence[str] = ()
    changes: Body | Callable[[Server], Body] = field(default_factory=dict[str, Any])
    setup: Sequence[str] = ()
    teardown: Sequence[str] = ()
    unproduced: str = ""


LOGIN = ("username", "passwordUnencrypted")
WRONG_LOGIN = (
    Broken("password", "authenticate", "login_refused", LOGIN, {"passwordUnencrypted": "wrong-password"}),
    Broken("user", "authenticate", "login_refused", LOGIN, {"username": "nobody"}),
)
"""Faults that every server with users and passwords reports."""


def of_tls_port(plain_port: Callable[[Server], int]) -> tuple[Broken, ...]:
    """Faults of servers whose TLS has its own port; `plain_port` is the one without."""
    authority, name = ("sslMode", "sslRootCert"), ("host", "sslMode")
    return (
        Broken("certificate", "tls", "certificate_refused", authority, {"sslMode": "verify-full", "host": "localhost"}),
        Broken(
            "certificate of another name",
            "tls",
            "certificate_refused",
            name,
            lambda server: {"sslMode": "verify-full", "sslRootCert": _authority(server)},
        ),
        Broken(
            "TLS at the port without",
            "tls",
            "tls_refused",
            ("port", "sslMode"),
            lambda server: {"port": plain_port(server)},
        ),
    )


def _authority(server: Server) -> str:
    assert server.certificate is not None
    return server.certificate.read_text()


@dataclass(frozen=True)
class Under:
    """One engine under test. `lacks` says what it cannot do: `never`, `notyet` or `notimpl`, and why.

    Abilities that tests need: server, login, tls, tls modes, process list, session kill, sql, own sql, parameters,
    read only, writes, temporary tables, cancel, server timeout, streams, reset, structure, not null, keys, foreign
    keys, comments, plan, explain, many tables, schemas, grants, one statement, empty statements, zone, default
    schema, tag, promptness, replaced sessions.
    """

    dialect: str
    server: str | None
    """The fixture that starts it; None for a file."""
    sql: Sql
    outside: Callable[[Server | None, Path], Outside]
    body: Callable[[Server], Body] = field(default=lambda server: {})
    """The fields of its connections, beside host, port, username, database and password."""
    lacks: Mapping[str, str] = field(default_factory=dict[str, str])
    broken: Sequence[Broken] = ()
    host: str = "host"
    """The field that names the host to dial."""
    settings: Callable[[Server], Mapping[str, Any]] = field(default=lambda server: {})
    """The operator's settings that its connections need."""


class Warehouse:
    """A running engine: how to connect, and its other side."""

    def __init__(self, under: Under, server: Server | None, directory: Path) -> None:
        self.under = under
        self.sql = under.sql
        self.server = server
        self.directory = directory
        self.dialect: Dialect = dialects.named(under.dialect)
        outside = under.outside(server, directory)
        self.ask, self.running = outside.ask, outside.running
        self.sessions, self.kill = outside.sessions, outside.kill
        self.statements, self.tagged = outside.statements, outside.tagged

    def config(self, **changes: Any) -> ConnectionConfig:
        """The working Config, with changes by their API names; None leaves a field out."""
        return self.dialect.Config.read(self.body(**changes))

    def body(self, **changes: Any) -> dict[str, Any]:
        """The same as a request body."""
        body: dict[str, Any] = {"dialect": self.under.dialect, "name": "tested"}
        if self.server is None:
            body |= {"database": "tested.duckdb", "passwordUnencrypted": SENTINEL}
        else:
            body |= {"host": self.server.host, "port": self.server.port, "passwordUnencrypted": self.server.password}
            body |= {"username": self.server.username, "database": self.server.database}
            body |= self.under.body(self.server)
        return {key: value for key, value in (body | changes).items() if value is not None}

    @property
    def settings(self) -> dict[str, Any]:
        """The operator's settings that its connections need."""
        return dict(self.under.settings(self.server)) if self.server else {}

    def lacks(self, *abilities: str) -> bool:
        """Whether the engine is without one of these abilities."""
        return any(ability in self.under.lacks for ability in abilities)
