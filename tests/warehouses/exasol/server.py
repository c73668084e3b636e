"""Exasol, by a stub of ours: its WebSocket API v3 for the real driver, and DuckDB for the SQL.

Proves, through pyexasol: TLS and what is verified, the encrypted password, attributes, statements and prepared ones,
results that are fetched, how types travel, time limits, cancelling, and what errors become. Does not prove: Exasol's
own SQL and its upper-case names, what its system tables hold, its privileges (users here are barred from a word),
which code it gives for which mistake, nor what only Exasol could refuse.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator

import pytest

from moorings.testing.engines import WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.stubs import CLOSED_SCHEMA, STRUCTURE, UNKNOWN_AUTHORITY, BackDoor, stub

OWNER = "MOORINGS"


@pytest.fixture(scope="session")
def exasol_server() -> Iterator[Server]:
    """A stub that speaks TLS; its certificate is `certificate`, for `localhost`."""
    with stub("exasol.stub", OWNER, "", tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_exasol_server() -> Iterator[Server]:
    """A stub without TLS."""
    with stub("exasol.stub", OWNER, "", tls=False) as server:
        yield server


NO_TYPE = "never: the engine has no such type"
MOMENT = datetime.datetime(2020, 2, 29, 12, 34, 56, 123456)  # noqa: DTZ001  # TIMESTAMP has no zone
INSTANT = datetime.datetime(2020, 2, 29, 11, 34, 56, tzinfo=datetime.UTC)

SQL = Sql(
    many="SELECT CAST(i AS INTEGER) AS number, 'row ' || i AS text FROM range(1, {rows} + 1) AS rows(i)",
    slow="SELECT pause(30) AS {marker}",
    mark="?",
    echo="SELECT CAST(? AS VARCHAR) AS echo",
    types={
        "boolean": Case("TRUE", "bool", True),
        "integer": Case("CAST(1 AS INTEGER)", "int64", 1),
        "bigint": Case("9223372036854775807", "decimal128(19, 0)", decimal.Decimal(9223372036854775807)),
        "decimal": Case("CAST('-123.45' AS DECIMAL(10, 2))", "decimal128(10, 2)", decimal.Decimal("-123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": "never: Exasol has no NaN",
        "infinity": "never: Exasol has no infinity",
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": NO_TYPE,
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": NO_TYPE,
        "timestamp": Case("TIMESTAMP '2020-02-29 12:34:56.123456'", "timestamp[us]", MOMENT),
        "instant": Case("CAST('2020-02-29 11:34:56+00' AS TIMESTAMPTZ)", "timestamp[us, tz=UTC]", INSTANT),
        "array": NO_TYPE,
        "object": NO_TYPE,
        "null": Case("CAST(NULL AS INTEGER)", "int64", None),
    },
    structure=STRUCTURE,
    bypasses=(
        "EXECUTE SCRIPT write_after_commit",
        "WITH w AS (SELECT 1) INSERT INTO written SELECT * FROM w",
        "SELECT 1 AS [it's] ; COMMIT ; INSERT INTO written VALUES (1) --'",
        "SELECT * INTO TABLE made FROM written",
        "IMPORT INTO written FROM CSV AT 'http://127.0.0.1:1' FILE 'a'",
        "EXPORT written INTO CSV AT 'http://127.0.0.1:1' FILE 'a'",
        "ALTER SESSION SET QUERY_TIMEOUT = 0",
        "TRUNCATE TABLE written",
        "MERGE INTO written USING written AS w ON FALSE WHEN NOT MATCHED THEN INSERT VALUES (1)",
    ),
    zone="SELECT SESSIONTIMEZONE AS zone",
    timeout="SELECT query_timeout() AS seconds",
)
BROKEN = (
    *WRONG_LOGIN,
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "NOWHERE"}),
    CLOSED_SCHEMA,
    UNKNOWN_AUTHORITY,
    Broken("database", "database", "database_not_found", ["database"], unproduced="an Exasol has one database"),
)

UNDER = Under(
    "exasol",
    "exasol_server",
    SQL,
    BackDoor,
    body=lambda server: {"host": "localhost", "sslRootCert": server.certificate.read_text()},
    lacks={
        "tls modes": "never: Exasol always speaks TLS; test_exasol.py tests the modes that there are",
        "plan": "never: Exasol has no EXPLAIN",
        "temporary tables": "never: Exasol has none",
    },
    broken=BROKEN,
)
