"""Databricks: a stub of ours (`stub.py`) on the driver's own Thrift Processor, asked by the real driver.

Proves the driver's arguments, TLS, both ways to log in, asynchronous statements, cancels, time limits, Arrow results in
parts, and faults by their error classes. It does not prove Databricks' own SQL, its grants, or what its
information_schema holds: SQL runs on DuckDB, and the views of information_schema are imitated there.
"""

from __future__ import annotations

import datetime
import decimal
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.process import Told, folder, free_port, issued_certificate, running, tell, wait_until

ROOT = Path(__file__).resolve().parents[3]
WAREHOUSE = "/sql/1.0/warehouses/tested"
CLIENT = ("moorings-client", "cl!ent s3cret/+&")
LIFETIME_SECONDS = 65
"""Of access tokens: Moorings renews them a minute before."""
TOKENS = {SENTINEL: "moorings", "reader": "reader", "stranger": "stranger"}


@pytest.fixture(scope="session")
def databricks_server() -> Iterator[Server]:
    """A warehouse, reached as `localhost`."""
    with folder("databricks") as home:
        crt, key, authority = issued_certificate(home)
        port, log, settings = free_port(), home / "log", home / "settings.json"
        reply = {"port": port, "certificate": str(crt), "key": str(key), "tokens": TOKENS}
        reply |= {"client": CLIENT, "lifetime": LIFETIME_SECONDS}
        settings.write_text(json.dumps(reply))
        command = [sys.executable, "-m", "tests.warehouses.databricks.stub", settings]
        with running(command, log, signal=signal.SIGTERM, cwd=ROOT) as process:
            server = Server("localhost", port, "moorings", SENTINEL, "app", home, process.pid, authority, log)
            wait_until(lambda: tell(server), process, log)
            yield server


def body(server: Server) -> dict[str, Any]:
    """What reaches the stub: the warehouse's path, and the authority that signed its certificate."""
    assert server.certificate is not None
    return {"warehouse": WAREHOUSE, "username": None, "sslRootCert": server.certificate.read_text()}


SQL = Sql(
    many="SELECT CAST(id AS INT) AS number, CONCAT('row ', id) AS text FROM range(1, {rows} + 1)",
    slow="SELECT java_method('java.lang.Thread', 'sleep', 30000L) AS {marker}",
    mark="?",
    echo="SELECT CAST(? AS STRING) AS echo",
    types={
        "boolean": Case("TRUE", "bool", True),
        "integer": Case("1", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("CAST(123.45 AS DECIMAL(10, 2))", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": Case("CAST('NaN' AS DOUBLE)", "double", float("nan")),
        "infinity": Case("CAST('Infinity' AS DOUBLE)", "double", float("inf")),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("X'00FF'", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": "never: the engine has no such type",
        "timestamp": Case(
            "CAST('2020-02-29 12:34:56.123456' AS TIMESTAMP_NTZ)",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # TIMESTAMP_NTZ has no zone
        ),
        "instant": Case(
            "CAST('2020-02-29 12:34:56.123456+02:00' AS TIMESTAMP)",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 10, 34, 56, 123456, datetime.UTC),
        ),
        "array": Case("array(1, 2)", "list<l: int32>", [1, 2]),
        "object": Case("named_struct('a', 1, 'b', 'x')", "struct<a: int32, b: string>", {"a": 1, "b": "x"}),
        "null": Case("CAST(NULL AS INT)", "int32", None),
    },
    structure=(
        "CREATE TABLE parents (id INT PRIMARY KEY, name VARCHAR NOT NULL, amount DECIMAL(10, 2), made TIMESTAMP)",
        "COMMENT ON TABLE parents IS 'Who has children'",
        "COMMENT ON COLUMN parents.name IS 'What they are called'",
        (
            "CREATE TABLE children (parent_id INT, place INT, PRIMARY KEY (parent_id, place),"
            " FOREIGN KEY (parent_id) REFERENCES parents(id))"
        ),
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a INT)",
    ),
    zone="SELECT setting('TIMEZONE')",
    timeout="SELECT setting('STATEMENT_TIMEOUT')",
)
BROKEN = (
    Broken(
        "token", "authenticate", "login_refused", ["passwordUnencrypted"], {"passwordUnencrypted": "wrong-password"}
    ),
    Broken("warehouse", "database", "database_not_found", ["warehouse"], {"warehouse": "/sql/1.0/warehouses/no"}),
    Broken(
        "no grant on the warehouse",
        "database",
        "database_forbidden",
        ["warehouse"],
        {"passwordUnencrypted": "stranger"},
    ),
    Broken("catalog", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken("no grant on the schema", "schemas", "schema_forbidden", ["defaultSchema"], {"defaultSchema": "closed"}),
    Broken(
        "another authority",
        "tls",
        "certificate_refused",
        ["sslRootCert", "trustServerCertificate"],
        {"sslRootCert": None},
    ),
    Broken("another name in the certificate", "tls", "certificate_refused", ["host"], {"host": "127.0.0.1"}),
)
LACKS = {"tls modes": "never: Databricks speaks TLS alone, with the certificate verified"}

UNDER = Under("databricks", "databricks_server", SQL, Told, body, LACKS, BROKEN)
