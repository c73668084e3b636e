"""Trino: a stub of its REST protocol, on DuckDB.

`stub.py` says what it stands for. Proven by it, through the real driver: logins, TLS, paging, cancel, time
limits, transactions, errors by their names, types, parameters, several catalogs. Proven by nothing here: Trino's own
SQL, planner and access control, its connectors, and what they do in a READ ONLY transaction.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import math
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, WRONG_LOGIN, Broken, Case, Server, Sql, Under, of_tls_port
from tests.warehouses.servers.process import certificate, folder, free_port, running, wait_until

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def trino_server() -> Iterator[Server]:
    """The stub over TLS, its certificate for `localhost`; `plain_port` says where it speaks without."""
    with folder("trino") as home:
        crt, key = certificate(home)
        port, plain = free_port(), free_port()
        (home / "plain_port").write_text(str(plain))
        command = [sys.executable, HERE / "stub.py", str(port), str(plain), crt, key]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PASSWORD": SENTINEL}
        log = home / "log"
        with running(command, log, signal=signal.SIGKILL, env=environment, cwd=home) as process:
            server = Server("127.0.0.1", port, "moorings", SENTINEL, "app", home, process.pid, crt, log)
            wait_until(lambda: outside(server, statements=["SELECT 1"]), process, log)
            yield server


def plain_port(server: Server) -> int:
    """Where the same stub speaks without TLS."""
    return int((server.folder / "plain_port").read_text())


def outside(server: Server, **requested: Any) -> Any:
    """Ask the stub's back door."""
    url = f"http://127.0.0.1:{plain_port(server)}/outside"
    request = urllib.request.Request(url, json.dumps(requested).encode())
    with contextlib.closing(urllib.request.urlopen(request, timeout=30)) as answer:
        return json.loads(answer.read())


# ---- under test -------------------------------------------------------------------------------------------------


class Outside:
    """The stub, past the driver; statements are DuckDB's."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self._server = server

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in outside(self._server, statements=statements) or ()]

    def running(self, marker: str) -> int:
        return outside(self._server, running=marker)

    def tagged(self, query_id: str) -> int:
        return outside(self._server, tagged=query_id)

    def sessions(self) -> int:
        return outside(self._server, transactions=True)

    def statements(self) -> int:
        return len(outside(self._server, heard=True))

    def kill(self, session_id: str) -> None:
        raise NotImplementedError


MOMENT = "2020-02-29 12:34:56.123456"

SQL = Sql(
    many=(
        "SELECT number, 'row ' || CAST(number AS varchar) AS text FROM UNNEST(sequence(1, {rows})) AS numbers(number)"
    ),
    slow="SELECT pause(30) AS {marker}",
    mark="?",
    zone="SELECT current_timezone() AS zone",
    echo="SELECT CAST(? AS varchar) AS echo",
    types={
        "boolean": Case("true", "bool", True),
        "integer": Case("CAST(1 AS integer)", "int32", 1),
        "bigint": Case("CAST(9223372036854775807 AS bigint)", "int64", 9223372036854775807),
        "decimal": Case("CAST('123.45' AS decimal(10, 2))", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS double)", "double", 1.5),
        "nan": Case("CAST('NaN' AS double)", "double", math.nan),
        "infinity": Case("CAST('Infinity' AS double)", "double", math.inf),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("X'00FF'", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("CAST('12:34:56.123456' AS time(6))", "time64[us]", datetime.time(12, 34, 56, 123456)),
        "timestamp": Case(
            f"TIMESTAMP '{MOMENT}'",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # TIMESTAMP has no zone
        ),
        "instant": Case(
            "CAST('2020-02-29 12:00:00+02:00' AS timestamp(6) with time zone)",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 10, tzinfo=datetime.UTC),
        ),
        "array": Case("ARRAY[CAST(1 AS integer), CAST(2 AS integer)]", "list<item: int32>", [1, 2]),
        "object": Case(
            "CAST(ROW(1, 'x') AS ROW(a integer, b varchar))", "struct<a: int32, b: string>", {"a": 1, "b": "x"}
        ),
        "null": Case("CAST(NULL AS integer)", "int32", None),
    },
    structure=(
        "CREATE TABLE parents (id INTEGER, name VARCHAR NOT NULL, amount DECIMAL(10, 2), made TIMESTAMP)",
        "COMMENT ON TABLE parents IS 'Who has children'",
        "COMMENT ON COLUMN parents.name IS 'What they are called'",
        "CREATE TABLE children (parent_id INTEGER, place INTEGER)",
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a INTEGER)",
    ),
    bypasses=(
        "INSERT INTO app.public.written VALUES (1)",
        "CREATE TABLE made AS SELECT 1 AS a",
        "EXPLAIN ANALYZE INSERT INTO written VALUES (1)",
        "EXECUTE IMMEDIATE 'INSERT INTO written VALUES (?)' USING 1",
        "START TRANSACTION READ WRITE; INSERT INTO written VALUES (1)",
        "TRUNCATE TABLE written",
        "CALL system.execute(query => 'INSERT INTO written VALUES (1)')",
        "MERGE INTO written USING (SELECT 1 AS a) AS other ON a = number WHEN NOT MATCHED THEN INSERT VALUES (1)",
    ),
)

BROKEN = (
    *WRONG_LOGIN,
    Broken("catalog", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_forbidden",
        ["defaultSchema"],
        {"username": "guest", "passwordUnencrypted": "guest", "defaultSchema": "closed"},
    ),
    Broken(
        "no grant on the catalog",
        "database",
        "database_forbidden",
        ["database"],
        {"username": "stranger", "passwordUnencrypted": "stranger"},
    ),
    *of_tls_port(plain_port),
)

UNDER = Under(
    "trino",
    "trino_server",
    SQL,
    Outside,
    body=lambda server: {"sslMode": "require"},
    lacks={
        "tls modes": "never: TLS has a port of its own; `test_trino.py` has the modes",
        "session kill": "never: the server has no session",
        "temporary tables": "never: the engine has none",
        "keys": "never: no catalog knows any",
        "server timeout": "never: no function tells it; `test_trino.py` looks at what was sent",
    },
    broken=BROKEN,
)
