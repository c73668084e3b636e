"""Snowflake: fakesnow behind a stub of ours (`stub.py`), asked by the real connector over TLS.

Proves the connector's arguments, TLS, each login (password, key pair, OAuth client credentials) with a check on the
other side, asynchronous statements, time limits, aborts, results in chunks, Arrow types, faults by their numbers, and
that session parameters and query tags arrive. It does not prove Snowflake's own SQL, grants, EXPLAIN or SHOW IMPORTED
KEYS: fakesnow translates SQL for DuckDB, knows no roles, and the stub answers those two from a template.
"""

from __future__ import annotations

import datetime
import decimal
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.process import (
    Told,
    folder,
    free_port,
    issued_certificate,
    running,
    tell,
    unavailable,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".engines" / "fakesnow" / "bin" / "python"
STUB = Path(__file__).with_name("stub.py")
CLIENT = ("moorings-client", "cl!ent s3cret/+&")
AUDIENCE = "https://snowflake.example"


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[Server]:
    """An account, reached as `localhost`; `log` is beside `key.pem`, the private key that the user may log in with."""
    if not PYTHON.exists():
        unavailable("fakesnow", "MOORINGS_TEST_REQUIRE=all sh scripts/engines.sh")
    with folder("snowflake") as home:
        crt, key, authority = issued_certificate(home)
        port, log, settings = free_port(), home / "log", home / "settings.json"
        settings.write_text(json.dumps(_settings(home, port, crt, key)))
        with running([PYTHON, "-P", STUB, settings], log, signal=signal.SIGTERM, cwd=home) as process:
            server = Server("localhost", port, "moorings", SENTINEL, "app", home, process.pid, authority, log)
            wait_until(lambda: tell(server), process, log)
            yield server


def _settings(home: Path, port: int, crt: Path, key: Path) -> Mapping[str, Any]:
    return {
        "port": port,
        "url": f"https://localhost:{port}",
        "account": "LOCALHOST",
        "certificate": str(crt),
        "key": str(key),
        "users": {
            "MOORINGS": {"password": SENTINEL, "public_key": _registered_key(home)},
            "READER": {"password": "reader"},
        },
        "client": CLIENT,
        "audience": AUDIENCE,
    }


def _registered_key(home: Path) -> str:
    """Make a key pair; the private half goes into `key.pem`, the public one is returned."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, no = serialization.Encoding.PEM, serialization.NoEncryption()
    (home / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, no))
    return key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


# ---- under test -------------------------------------------------------------------------------------------------


class Outside(Told):
    """The account, seen by the stub: statements have a tag."""

    def tagged(self, query_id: str) -> int:
        return tell(self._server)["tags"].count(f"moorings {query_id}")


def body(server: Server) -> dict[str, Any]:
    """What reaches the stub: a full host name, and the authority that signed its certificate."""
    assert server.certificate is not None
    authority = server.certificate.read_text()
    return {"host": None, "hostOverride": server.host, "warehouse": "wh", "sslRootCert": authority}


SQL = Sql(
    many=(
        "SELECT CAST(seq4() + 1 AS NUMBER(9, 0)) AS number, CONCAT('row ', seq4() + 1) AS text"
        " FROM TABLE(GENERATOR(ROWCOUNT => {rows}))"
    ),
    slow="SELECT SYSTEM$WAIT(30) AS {marker}",
    mark="?",
    echo="SELECT ? AS echo",
    types={
        "boolean": Case("TRUE", "bool", True),
        "integer": Case("CAST(1 AS NUMBER(9, 0))", "int64", 1),
        "bigint": Case("CAST(9223372036854775807 AS NUMBER(38, 0))", "decimal128(38, 0)", 9223372036854775807),
        "decimal": Case("CAST(123.45 AS NUMBER(10, 2))", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": Case("CAST('NaN' AS DOUBLE)", "double", float("nan")),
        "infinity": Case("CAST('Infinity' AS DOUBLE)", "double", float("inf")),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("X'00FF'", "binary", b"\0\xff"),
        "date": Case("CAST('2020-02-29' AS DATE)", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("CAST('12:34:56.5' AS TIME)", "time64[us]", datetime.time(12, 34, 56, 500_000)),
        "timestamp": Case(
            "CAST('2020-02-29 12:34:56.123456' AS TIMESTAMP_NTZ)",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # TIMESTAMP_NTZ has no zone
        ),
        "instant": Case(
            "CAST('2020-02-29 12:34:56.123456+02:00' AS TIMESTAMP_TZ)",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 10, 34, 56, 123456, datetime.UTC),
        ),
        "array": Case("PARSE_JSON('[1, 2]')", "string", "[1,2]"),
        "object": Case("""PARSE_JSON('{"a": 1}')""", "string", '{"a":1}'),
        "null": Case("CAST(NULL AS NUMBER(9, 0))", "int64", None),
    },
    structure=(
        (
            "CREATE TABLE parents (id NUMBER(9, 0) PRIMARY KEY, name VARCHAR(50) NOT NULL, amount NUMBER(10, 2),"
            " made TIMESTAMP_NTZ)"
        ),
        "CREATE TABLE children (parent_id NUMBER(9, 0), place NUMBER(9, 0), PRIMARY KEY (parent_id, place))",
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a NUMBER(9, 0))",
    ),
    zone="SHOW PARAMETERS LIKE 'TIMEZONE'",
    timeout="SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS'",
)
BROKEN = (
    *WRONG_LOGIN,
    Broken("database", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("warehouse", "database", "database_not_found", ["warehouse"], {"warehouse": "nowhere"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_not_found",
        unproduced="Snowflake says the same of a schema that is missing and of one without a grant",
    ),
    Broken(
        "another authority",
        "tls",
        "certificate_refused",
        ["host", "sslRootCert"],
        {"sslRootCert": None},
    ),
    Broken(
        "another name in the certificate",
        "tls",
        "certificate_refused",
        ["host", "sslRootCert"],
        {"hostOverride": "127.0.0.1"},
    ),
)
LACKS = {
    "tls modes": "never: Snowflake speaks TLS alone, with the certificate verified",
    "comments": "notyet: fakesnow keeps no comments of columns",
    "foreign keys": "notyet: fakesnow has no SHOW IMPORTED KEYS",
}

UNDER = Under("snowflake", "snowflake_server", SQL, Outside, body, LACKS, BROKEN, host="hostOverride")
