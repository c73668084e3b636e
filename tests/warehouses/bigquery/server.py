"""bqemulator, which runs BigQuery's SQL on DuckDB, behind a front of ours.

It proves the driver's calls, credentials, jobs, parameters, types, dry runs, datasets and INFORMATION_SCHEMA, and both
ways that rows come: the Storage API and pages of JSON. What Google alone can show (grants, cancels, time limits, bills,
federation) is proven against the front, which answers as Google documents. Neither knows time zones of a connection,
BIGNUMERIC in results, keys, comments of columns or sizes of tables.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import functools
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, Broken, Case, Server, Sql, Under
from tests.warehouses.bigquery.front import PROJECT, RESULTS, TOKEN_AUDIENCE, Front
from tests.warehouses.servers.process import folder, free_port, running, unavailable, wait_until

ENVIRONMENT = Path(".engines/bqemulator").resolve()
DATASET = "app"
FRONTS: dict[int, Front] = {}
"""The front of each server, by its port."""


@functools.cache
def keys(issuer: str = "moorings") -> tuple[str, bytes]:
    """A private key and its public one, in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key, pem = rsa.generate_private_key(65537, 2048), serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def account(user: str = "moorings", **changes: str) -> str:
    """A service account's key, as it is downloaded."""
    made = dict.fromkeys(("client_id", "auth_uri", "auth_provider_x509_cert_url", "client_x509_cert_url"), "x")
    made |= {"type": "service_account", "project_id": PROJECT, "private_key_id": SENTINEL}
    made |= {"client_email": f"{user}@{PROJECT}.iam", "token_uri": TOKEN_AUDIENCE}
    return json.dumps(made | {"private_key": keys()[0]} | changes)


@contextlib.contextmanager
def emulator(home: Path) -> Iterator[tuple[int, int, int, Path]]:
    """bqemulator: its port for REST, its port for gRPC, its process, its log."""
    program = ENVIRONMENT / "bin" / "bqemulator"
    extension = next(ENVIRONMENT.rglob("spatial.duckdb_extension"), None)
    if not program.exists() or extension is None:
        unavailable("bqemulator", "MOORINGS_TEST_REQUIRE=all sh scripts/engines.sh")
    assert extension is not None
    rest, grpc, log = free_port(), free_port(), home / "log"
    command = [program, "start", "--ephemeral", "--rest-port", str(rest), "--grpc-port", str(grpc)]
    settings = {"HOME": str(home), "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false", "BQEMU_QUERY_CACHE_TTL_SECONDS": "0"}
    _install(extension, home)
    with running(
        [*command, "--project", PROJECT],
        log,
        signal=signal.SIGTERM,
        cwd=home,
        env={"PATH": os.environ["PATH"]} | settings,
    ) as process:
        wait_until(lambda: socket.create_connection(("127.0.0.1", rest), 1).close(), process, log)
        yield rest, grpc, process.pid, log


def _install(extension: Path, home: Path) -> None:
    """Put the extension where DuckDB looks for it, so that it does not ask the network."""
    system = {"Linux": "linux", "Darwin": "osx"}[os.uname().sysname]
    machine = "amd64" if os.uname().machine == "x86_64" else "arm64"
    place = home / ".duckdb" / "extensions" / extension.parent.name / f"{system}_{machine}"
    place.mkdir(parents=True)
    (place / extension.name).symlink_to(extension)


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[Server]:
    """bqemulator behind its front, with the dataset `app`."""
    with folder("bigquery") as home, emulator(home) as (rest, grpc, pid, log):
        front = Front(rest, keys()[1])
        try:
            FRONTS[front.port] = front
            for name in (DATASET, RESULTS):
                made = {"datasetReference": {"projectId": PROJECT, "datasetId": name}}
                front.forward("POST", f"/bigquery/v2/projects/{PROJECT}/datasets", json.dumps(made).encode())
            email = f"moorings@{PROJECT}.iam"
            yield Server("127.0.0.1", front.port, email, account(), str(grpc), home, pid, log=log)
        finally:
            front.close()


def body(server: Server) -> dict[str, Any]:
    """What a connection needs; the server's `database` is the Storage API's port."""
    endpoints = f"bigquery=http://127.0.0.1:{server.port}, storage=http://127.0.0.1:{server.database}"
    return {"hostOverride": endpoints, "database": PROJECT, "defaultSchema": DATASET, "host": None, "port": None}


def settings(server: Server) -> dict[str, Any]:
    """The front stands in for Google's token services."""
    return {"google_sts_url": f"http://127.0.0.1:{server.port}/sts"}


class Outside:
    """The emulator, past the front; and the front, which knows what runs."""

    statements = None

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self.front = FRONTS[server.port]

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        client = bigquery.Client(
            PROJECT,
            AnonymousCredentials(),
            client_options={"api_endpoint": f"http://127.0.0.1:{self.front.emulator_port}"},
        )
        settings = bigquery.QueryJobConfig(default_dataset=f"{PROJECT}.{DATASET}")
        rows: list[tuple[Any, ...]] = []
        with contextlib.closing(client):
            for statement in statements:
                rows = [row.values() for row in client.query(statement, settings, job_retry=None).result()]
        return rows

    def running(self, marker: str) -> int:
        return self.front.running(marker)

    def tagged(self, query_id: str) -> int:
        return self.front.tagged(query_id)

    def sessions(self) -> int:
        return 0

    def kill(self, session_id: str) -> None:
        raise AssertionError("BigQuery has no sessions")


MOMENT = datetime.datetime(2020, 2, 29, 10, 34, 56, 123456, tzinfo=datetime.UTC)
SQL = Sql(
    many="SELECT n AS number, CONCAT('row ', CAST(n AS STRING)) AS text FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS n",
    slow="SELECT SLEEP(30) AS {marker}",
    mark="?",
    echo="SELECT ? AS echo",
    types={
        "boolean": Case("TRUE", "bool", True),
        "integer": Case("CAST(1 AS INT64)", "int64", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("CAST('123.45' AS NUMERIC)", "decimal128(38, 9)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS FLOAT64)", "double", 1.5),
        "nan": Case("CAST('nan' AS FLOAT64)", "double", float("nan")),
        "infinity": Case("CAST('-inf' AS FLOAT64)", "double", float("-inf")),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("FROM_HEX('00ff')", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("TIME '12:34:56.5'", "time64[us]", datetime.time(12, 34, 56, 500000)),
        "timestamp": Case("DATETIME '2020-02-29 10:34:56.123456'", "timestamp[us]", MOMENT.replace(tzinfo=None)),
        "instant": Case("TIMESTAMP '2020-02-29 12:34:56.123456+02'", "timestamp[us, tz=UTC]", MOMENT),
        "array": Case("[1, 2]", "list<item: int64>", [1, 2]),
        "object": Case("STRUCT(1 AS a, 'x' AS b)", "struct<a: int64, b: string>", {"a": 1, "b": "x"}),
        "null": Case("CAST(NULL AS INT64)", "int64", None),
    },
    structure=(
        (
            "CREATE TABLE parents (id INT64, name STRING NOT NULL, amount NUMERIC(10, 2), made DATETIME)"
            " OPTIONS (description = 'Who has children')"
        ),
        "CREATE TABLE children (parent_id INT64, place INT64)",
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a INT64)",
    ),
    bypasses=(
        "EXECUTE IMMEDIATE 'INSERT INTO written VALUES (1)'",
        "BEGIN INSERT INTO written VALUES (1); END",
        "CREATE TEMP TABLE made (a INT64)",
        "CREATE OR REPLACE TABLE written AS SELECT 1 AS number",
        "TRUNCATE TABLE written",
        "MERGE written USING (SELECT 1 AS n) ON FALSE WHEN NOT MATCHED THEN INSERT (number) VALUES (n)",
        "CREATE TEMP FUNCTION f() AS (1); INSERT INTO written VALUES (1)",
        "DROP SCHEMA app CASCADE",
    ),
)


def _user(user: str, **changes: Any) -> Callable[[Server], dict[str, Any]]:
    return lambda server: {"passwordUnencrypted": account(user)} | changes


def _endpoint(where: str) -> dict[str, str]:
    return {"hostOverride": where}


BROKEN = (
    Broken("host", "resolve", "host_not_found", ["hostOverride"], _endpoint("https://no-such-host.invalid")),
    Broken(
        "port", "connect", "port_closed", ["hostOverride"], lambda server: _endpoint(f"http://127.0.0.1:{free_port()}")
    ),
    Broken(
        "certificate",
        "tls",
        "certificate_refused",
        unproduced="the emulator has no TLS; tests/warehouses/test_bigquery.py asks a server that has",
    ),
    Broken(
        "key",
        "authenticate",
        "login_refused",
        ["passwordUnencrypted"],
        lambda server: {"passwordUnencrypted": account(private_key="wrong-password")},
    ),
    Broken(
        "key of another account",
        "authenticate",
        "login_refused",
        ["passwordUnencrypted"],
        lambda server: {"passwordUnencrypted": account(private_key=keys("another")[0])},
    ),
    Broken("project", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("no grant on the project", "database", "database_forbidden", ["database", "username"], _user("stranger")),
    Broken(
        "region",
        "database",
        "database_not_found",
        ["region"],
        unproduced="bqemulator takes any region and has one place",
    ),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_forbidden",
        ["defaultSchema"],
        _user("guest", defaultSchema="closed"),
    ),
)


UNDER = Under(
    "bigquery",
    "bigquery_server",
    SQL,
    Outside,
    body,
    settings=settings,
    lacks={
        "server": "never: the address is hostOverride; its faults are rows of the table",
        "tls": "notyet: the emulator has no TLS",
        "tls modes": "never: HTTPS has one mode",
        "session kill": "never: BigQuery has no sessions",
        "own sql": "never: BigQuery has no second column of a name, no EXPLAIN and no WHERE without FROM",
        "server timeout": "never: a statement cannot ask; what is sent is seen in tests/warehouses/test_bigquery.py",
        "promptness": "notyet: bqemulator takes about the test's second to make a million rows",
        "zone": "notyet: bqemulator knows no time zone; what is sent is seen in tests/warehouses/test_bigquery.py",
        "temporary tables": "never: a job is a session of its own",
        "keys": "notyet: bqemulator has no views of constraints",
        "comments": "notyet: bqemulator has no comments of columns; those of tables are seen in test_bigquery.py",
        "many tables": "never: bqemulator writes INFORMATION_SCHEMA into each statement, which takes it minutes",
        "grants": "never: a user is a key; seen in tests/warehouses/test_bigquery.py",
    },
    broken=BROKEN,
)
