"""StarRocks, by a stub of ours: MySQL's protocol by mysql-mimic, and DuckDB for the SQL.

Proves, through asyncmy: TLS, the native password, settings, statements, results, time limits, KILL QUERY, catalogs as
StarRocks switches them, and what errors become. Does not prove: StarRocks' own SQL, what its information_schema holds,
its types beyond those that MySQL's protocol names, its privileges (users here are barred from a word), nor the numbers
and words of its errors, which are taken from its documentation and source.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator

import pytest

from moorings.testing.engines import WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.stubs import STRUCTURE, BackDoor, stub

OWNER = "starrocks"


@pytest.fixture(scope="session")
def starrocks_server() -> Iterator[Server]:
    """A stub that speaks TLS too; its certificate is `certificate`, for `localhost`."""
    with stub("mysql.mimic_stub", OWNER, "app", tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_starrocks_server() -> Iterator[Server]:
    """A stub without TLS."""
    with stub("mysql.mimic_stub", OWNER, "app", tls=False) as server:
        yield server


NO_TYPE = "never: the engine has no such type"
AS_TEXT = "never: it arrives as text"
MOMENT = datetime.datetime(2020, 2, 29, 12, 34, 56, 123456)  # noqa: DTZ001  # DATETIME has no zone

SQL = Sql(
    many="SELECT CAST(i AS INT) AS number, CONCAT('row ', i) AS text FROM numbers({rows})",
    slow="SELECT pause(30) AS {marker}",
    mark="%s",
    echo="SELECT %s AS echo",
    types={
        "boolean": Case("TRUE", "int8", 1),
        "integer": Case("CAST(1 AS INT)", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("CAST('-123.45' AS DECIMAL(10, 2))", "decimal128(10, 2)", decimal.Decimal("-123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": "notyet: the text that StarRocks sends is not known here",
        "infinity": "notyet: the text that StarRocks sends is not known here",
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": "notyet: how StarRocks marks VARBINARY is not known here",
        "date": Case("CAST('2020-02-29' AS DATE)", "date32[day]", datetime.date(2020, 2, 29)),
        "time": NO_TYPE,
        "timestamp": Case("CAST('2020-02-29 12:34:56.123456' AS DATETIME)", "timestamp[us]", MOMENT),
        "instant": NO_TYPE,
        "array": AS_TEXT,
        "object": AS_TEXT,
        "null": Case("CAST(NULL AS INT)", "int32", None),
    },
    structure=STRUCTURE,
    bypasses=(
        "WITH w AS (SELECT 1) DELETE FROM written",
        "EXPLAIN ANALYZE INSERT INTO written VALUES (1)",
        "SELECT * FROM written INTO OUTFILE 's3://bucket/path'",
        "INSERT OVERWRITE written SELECT 1",
        "SUBMIT TASK AS INSERT INTO written SELECT 1",
        "SELECT '\\'' ; INSERT INTO written VALUES (1) -- '",
        "SELECT 1 # '\n; INSERT INTO written VALUES (1) # '",
        "/*! INSERT INTO written VALUES (1) */",
        "TRUNCATE TABLE written",
        "ADMIN SET FRONTEND CONFIG ('a' = 'b')",
    ),
    zone="SELECT @@session.time_zone AS zone",
    timeout="SELECT @@query_timeout AS seconds",
    in_other={"defaultSchema": "other", "database": None},
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
    ),
    Broken(
        "no grant on the database",
        "database",
        "database_forbidden",
        ["database"],
        {"username": "guest", "passwordUnencrypted": "guest", "database": "closed"},
    ),
)

UNDER = Under(
    "starrocks",
    "starrocks_server",
    SQL,
    BackDoor,
    lacks={
        "foreign keys": "never: StarRocks keeps none",
        "empty statements": "never: they are answered before they are sent",
        "temporary tables": "notyet: the stub does not know StarRocks' statement for them",
    },
    broken=BROKEN,
)
