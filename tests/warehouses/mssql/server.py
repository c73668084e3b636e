"""A stub of SQL Server: TDS 7.4 with TLS to the real driver, T-SQL translated for DuckDB behind it.

Proves encryption and certificates, logins (SQL Server's own, and Entra's up to the request for a token), sessions,
parameters, types on the wire, errors by their numbers, attentions, timeouts, plans, the reset of a session. Does not
prove that SQL Server takes our T-SQL, that its `sys` views hold what ours here do, nor what its transactions undo.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import LOGIN, SENTINEL, WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.mssql.sql import OWNER
from tests.warehouses.mssql.stub import Stub, serving
from tests.warehouses.servers.process import certificate, folder

STUBS: dict[int, Stub] = {}
"""The stubs that listen, by their ports: they run in this process, so tests can look into them."""


@contextlib.contextmanager
def mssql(*, tls: bool) -> Iterator[Server]:
    """A stub with one user who may do everything, and the database `app`."""
    with folder("mssql") as home:
        crt, key = certificate(home) if tls else (None, None)
        stub = Stub(crt, key)
        with serving(stub) as port:
            STUBS[port] = stub
            try:
                yield Server("127.0.0.1", port, OWNER, SENTINEL, "app", home, os.getpid(), crt)
            finally:
                del STUBS[port]
        stub.database.close()


@pytest.fixture(scope="session")
def mssql_server() -> Iterator[Server]:
    """A stub that speaks TLS; its certificate is `certificate`, for `localhost`."""
    with mssql(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_mssql_server() -> Iterator[Server]:
    """A stub without TLS."""
    with mssql(tls=False) as server:
        yield server


# ---- under test -------------------------------------------------------------------------------------------------


class Outside:
    """The stub, seen from within."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self.stub = STUBS[server.port]

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.stub.ask(*statements)

    def running(self, marker: str) -> int:
        return sum(marker in session.running for session in list(self.stub.sessions.values()))

    def tagged(self, query_id: str) -> int:
        return self.running(query_id)

    def sessions(self) -> int:
        return len(self.stub.sessions)

    def statements(self) -> int:
        return self.stub.database.statements

    def kill(self, session_id: str) -> None:
        self.stub.sessions[int(session_id)].kill()


NO_TYPE = "never: the engine has no such type"
NO_NAN = "never: a float of SQL Server is a number"


def created(user: str, *grants: str) -> tuple[str, ...]:
    """Statements that make a login whose password is its name, with a user in `app`, and grants."""
    return (
        f"IF SUSER_ID('{user}') IS NULL CREATE LOGIN {user} WITH PASSWORD = '{user}', CHECK_POLICY = OFF",
        f"IF USER_ID('{user}') IS NULL CREATE USER {user} FOR LOGIN {user}",
        *(f"GRANT SELECT ON {grant} TO {user}" for grant in grants),
    )


WRITE = "INSERT INTO written VALUES (1)"

SQL = Sql(
    many="SELECT CAST(value AS int) AS number, CONCAT('row ', value) AS text FROM GENERATE_SERIES(1, {rows})",
    slow="WAITFOR DELAY '00:00:30'; SELECT 1 AS {marker}",
    mark="?",
    echo="SELECT ? AS echo",
    types={
        "boolean": Case("CAST(1 AS bit)", "bool", True),
        "integer": Case("1", "int32", 1),
        "bigint": Case("CAST(9223372036854775807 AS bigint)", "int64", 9223372036854775807),
        "decimal": Case("CAST(123.45 AS decimal(10, 2))", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS float)", "double", 1.5),
        "nan": NO_NAN,
        "infinity": NO_NAN,
        "text": Case("N'häß 😀'", "string", "häß 😀"),
        "binary": Case("0x00FF", "binary", b"\0\xff"),
        "date": Case("CAST('2020-02-29' AS date)", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("CAST('12:34:56.123456' AS time)", "time64[ns]", datetime.time(12, 34, 56, 123456)),
        "timestamp": Case(
            "CAST('2020-02-29T12:34:56.123456' AS datetime2)",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # datetime2 has no zone
        ),
        "instant": Case(
            "CAST('2020-02-29T12:00:00+02:00' AS datetimeoffset)",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 10, tzinfo=datetime.UTC),
        ),
        "array": NO_TYPE,
        "object": "never: FOR JSON makes text",
        "null": Case("CAST(NULL AS int)", "int32", None),
    },
    reader=("IF OBJECT_ID('opened') IS NULL CREATE TABLE opened (a int)", *created("reader", "opened")),
    structure=(
        (
            "CREATE TABLE parents (id int PRIMARY KEY, name nvarchar(50) NOT NULL, amount decimal(10, 2),"
            " made datetime2)"
        ),
        "EXEC sys.sp_addextendedproperty 'MS_Description', 'Who has children', 'SCHEMA', 'dbo', 'TABLE', 'parents'",
        (
            "EXEC sys.sp_addextendedproperty 'MS_Description', 'What they are called',"
            " 'SCHEMA', 'dbo', 'TABLE', 'parents', 'COLUMN', 'name'"
        ),
        (
            "CREATE TABLE children (parent_id int, place int, PRIMARY KEY (parent_id, place),"
            " FOREIGN KEY (parent_id) REFERENCES parents(id))"
        ),
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a int)",
    ),
    structure_gone=(
        "DROP VIEW named",
        "DROP TABLE children",
        "DROP TABLE parents",
        "DROP TABLE other.elsewhere",
        "DROP SCHEMA other",
    ),
    bypasses=(
        f"SELECT 1COMMIT; {WRITE}",
        f"/* /* */ COMMIT */ {WRITE}",
        f"SELECT 1 -- \rCOMMIT; {WRITE}",
        f"EXECUTE sp_executesql N'COMMIT; {WRITE}'",
        f"sp_executesql N'COMMIT; {WRITE}'",
        f"DECLARE @sql nvarchar(99) = N'COMMIT; {WRITE}'; EXEC (@sql)",
        "{call sp_executesql(N'COMMIT')}",
        f"SET XACT_ABORT OFF; COMMIT; {WRITE}",
        "SELECT * INTO made FROM written",
        f"WITH w AS (SELECT 1 AS number) {WRITE}",
        "MERGE INTO written USING (SELECT 1 AS a) s ON 1 = 0 WHEN NOT MATCHED THEN INSERT VALUES (1);",
        "TRUNCATE TABLE written",
        "SELECT * FROM OPENQUERY(linked, 'DELETE FROM written')",
        "SELECT NEXT VALUE FOR counting",
        "USE elsewhere",
    ),
)

REAL = "only SQL Server itself, or Azure, refuses so"
BROKEN = (
    *WRONG_LOGIN,
    Broken("certificate", "tls", "certificate_refused", ["trustServerCertificate"], {"trustServerCertificate": False}),
    Broken("database", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken(
        "no user in the database",
        "database",
        "database_forbidden",
        ["database"],
        {"username": "stranger", "passwordUnencrypted": "stranger"},
        setup=created("stranger")[:1],
    ),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_forbidden",
        ["defaultSchema"],
        {"username": "guest", "passwordUnencrypted": "guest", "defaultSchema": "closed"},
        setup=("IF SCHEMA_ID('closed') IS NULL CREATE SCHEMA closed", *created("guest", "SCHEMA::dbo")),
    ),
    Broken("firewall of Azure", "authenticate", "login_refused", ["host"], unproduced=REAL),
    Broken("expired password", "authenticate", "login_refused", LOGIN, unproduced=REAL),
)

LACKS = {
    "tls modes": "never: the driver verifies with the machine's authorities alone; test_mssql.py shows what it can",
    "one statement": "never: a batch may hold several statements",
    "temporary tables": "never: they are written #name here; test_mssql.py shows that they go",
    "server timeout": "never: SQL Server has no time limit of a session; the driver's own sends an attention",
    "explain": "never: there is no word for it, but a setting",
    "zone": "never: SQL Server has no time zone of a session",
    "default schema": "never: a user's default schema is the server's to say, no session can choose",
}

UNDER = Under(
    "mssql",
    "mssql_server",
    SQL,
    Outside,
    body=lambda server: {"defaultSchema": "dbo", "trustServerCertificate": True},
    lacks=LACKS,
    broken=BROKEN,
)
