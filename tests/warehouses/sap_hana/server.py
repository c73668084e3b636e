"""SAP HANA, by a stub of ours: its SQL Command Network Protocol for the real driver, and DuckDB for the SQL.

Proves, through hdbcli: TLS and what the driver verifies, SCRAMSHA256, tenants, how statements, parameters, results and
types travel, time limits and cancelling as the driver asks for them, transactions, the client's information, and what
errors become. Does not prove: HANA's own SQL and its upper-case names, what its system views hold, its privileges
(users here are barred from a word), which number it gives for which mistake, LOBs, nor what only HANA could refuse.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator

import pytest

from moorings.testing.engines import WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.stubs import CLOSED_SCHEMA, STRUCTURE, UNKNOWN_AUTHORITY, BackDoor, stub

OWNER, DATABASE = "MOORINGS", "HXE"


@pytest.fixture(scope="session")
def sap_hana_server() -> Iterator[Server]:
    """A stub that speaks TLS; its certificate is `certificate`, for `localhost`."""
    with stub("sap_hana.stub", OWNER, DATABASE, tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_sap_hana_server() -> Iterator[Server]:
    """A stub without TLS."""
    with stub("sap_hana.stub", OWNER, DATABASE, tls=False) as server:
        yield server


NO_TYPE = "never: the engine has no such type"
MOMENT = datetime.datetime(2020, 2, 29, 12, 34, 56, 123456)  # noqa: DTZ001  # HANA's times have no zone

SQL = Sql(
    many="SELECT CAST(i AS INTEGER) AS number, 'row ' || i AS text FROM range(1, {rows} + 1) AS rows(i)",
    slow="SELECT pause(30) AS {marker}",
    mark="?",
    echo="SELECT CAST(? AS NVARCHAR) AS echo",
    types={
        "boolean": Case("TRUE", "bool", True),
        "integer": Case("CAST(1 AS INTEGER)", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("CAST('-123.45' AS DECIMAL(10, 2))", "decimal128(10, 2)", decimal.Decimal("-123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": "never: HANA refuses NaN",
        "infinity": "never: HANA refuses infinity",
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("CAST('\\x00\\xFF' AS BLOB)", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("TIME '12:34:56'", "time32[s]", datetime.time(12, 34, 56)),
        "timestamp": Case("TIMESTAMP '2020-02-29 12:34:56.123456'", "timestamp[us]", MOMENT),
        "instant": NO_TYPE,
        "array": "notyet: the driver's arrays are not known here",
        "object": NO_TYPE,
        "null": Case("CAST(NULL AS INTEGER)", "int32", None),
    },
    structure=STRUCTURE,
    bypasses=(
        "DO BEGIN COMMIT; INSERT INTO written VALUES (1); COMMIT; END",
        "CALL write_after_commit()",
        "WITH w AS (SELECT 1) INSERT INTO written SELECT * FROM w",
        "/* SELECT */ INSERT INTO written VALUES (1)",
        "SET TRANSACTION READ WRITE",
        "SET TRANSACTION AUTOCOMMIT DDL ON",
        "UPSERT written VALUES (1)",
        "EXPLAIN PLAN FOR DELETE FROM written",
    ),
    timeout="SELECT query_timeout() AS seconds",
)
BROKEN = (
    *WRONG_LOGIN,
    Broken(
        "user that is locked",
        "authenticate",
        "account_locked",
        ["username"],
        {"username": "LOCKED", "passwordUnencrypted": "locked"},
    ),
    Broken(
        "password that has to be changed",
        "authenticate",
        "password_expired",
        ["passwordUnencrypted"],
        {"username": "EXPIRED", "passwordUnencrypted": "expired"},
    ),
    Broken("database", "database", "database_not_found", ["database"], {"database": "NOWHERE"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "NOWHERE"}),
    CLOSED_SCHEMA,
    UNKNOWN_AUTHORITY,
    Broken(
        "no grant on the database",
        "database",
        "database_forbidden",
        ["database"],
        unproduced="in HANA a user belongs to a tenant, or is not there",
    ),
)

UNDER = Under(
    "sap_hana",
    "sap_hana_server",
    SQL,
    BackDoor,
    body=lambda server: {"host": "localhost", "sslRootCert": server.certificate.read_text()},
    lacks={
        "tls modes": "never: HANA's driver has no prefer and no verify-ca; test_sap_hana.py tests what it has",
        "zone": "never: HANA's sessions have no time zone",
    },
    broken=BROKEN,
)
