"""ClickHouse: the real engine, `chdb`, behind an HTTP interface of ours.

`stub.py` says what is real and what is ours. Proven by nothing here: grants of real users, several
replicas, results that the server streams, errors that come behind the first rows (unit tests have those), ClickHouse
Cloud.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import json
import math
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, WRONG_LOGIN, Broken, Case, Server, Sql, Under, of_tls_port
from tests.warehouses.servers.process import certificate, folder, free_port, running, unavailable, wait_until

HERE = Path(__file__).parent
PYTHON = HERE.parents[2] / ".engines" / "chdb" / "bin" / "python"


def pytest_configure(config: pytest.Config) -> None:
    """Let `sslMode` `require` verify nothing: the driver silences urllib3's warning, pytest lets it speak again."""
    config.addinivalue_line("filterwarnings", "ignore::urllib3.exceptions.InsecureRequestWarning")


@contextlib.contextmanager
def clickhouse() -> Iterator[Server]:
    """The engine over TLS, its certificate for `localhost`; `plain_port` says where it speaks without."""
    if not PYTHON.exists():
        unavailable("chdb", "sh scripts/engines.sh")
    with folder("clickhouse") as home:
        crt, key = certificate(home)
        port, plain = free_port(), free_port()
        (home / "plain_port").write_text(str(plain))
        stub = HERE / "stub.py"
        command = [PYTHON, stub, str(port), str(plain), crt, key, home / "data"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PASSWORD": SENTINEL}
        log = home / "log"
        with running(command, log, signal=signal.SIGKILL, env=environment, cwd=home) as process:
            server = Server("127.0.0.1", port, "moorings", SENTINEL, "app", home, process.pid, crt, log)
            wait_until(lambda: ask(server, "SELECT 1"), process, log)
            yield server


@pytest.fixture(scope="session")
def clickhouse_server() -> Iterator[Server]:
    """One engine for all tests."""
    with clickhouse() as server:
        yield server


def plain_port(server: Server) -> int:
    """Where the same engine speaks without TLS."""
    return int((server.folder / "plain_port").read_text())


def ask(server: Server, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements past the driver, by plain HTTP; returns the rows of the last one."""
    rows: list[tuple[Any, ...]] = []
    url = f"http://127.0.0.1:{plain_port(server)}/?database=app&default_table_engine=Memory"
    url += "&default_format=JSONCompact"
    login = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    for statement in statements:
        request = urllib.request.Request(url, statement.encode(), {"Authorization": f"Basic {login}"})
        with contextlib.closing(urllib.request.urlopen(request, timeout=30)) as answer:
            text = answer.read()
        rows = [tuple(row) for row in json.loads(text)["data"]] if text else []
    return rows


def asked(server: Server) -> list[str]:
    """The statements that came so far."""
    url = f"http://127.0.0.1:{plain_port(server)}/asked"
    with contextlib.closing(urllib.request.urlopen(url, timeout=30)) as answer:
        return json.loads(answer.read())


# ---- under test -------------------------------------------------------------------------------------------------


class Outside:
    """The engine, past the driver."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self._server = server

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        return ask(self._server, *statements)

    def running(self, marker: str) -> int:
        found = self.ask(
            f"SELECT toInt32(count()) FROM system.processes WHERE query LIKE '%{marker}%'"
            " AND query NOT LIKE '%system.processes%'"
        )
        return int(found[0][0])

    def tagged(self, query_id: str) -> int:
        found = self.ask(
            "SELECT toInt32(count()) FROM system.processes WHERE query NOT LIKE '%system.processes%'"
            f" AND Settings['insert_deduplication_token'] = '{query_id}'"
        )
        return int(found[0][0])

    def sessions(self) -> int:
        return self.running("")

    def statements(self) -> int:
        return len(asked(self._server))

    def kill(self, session_id: str) -> None:
        raise NotImplementedError


MOMENT = "2020-02-29 12:34:56.123456"

SQL = Sql(
    many=(
        "SELECT toInt32(n) AS number, concat('row ', toString(n)) AS text"
        " FROM (SELECT number + 1 AS n FROM numbers({rows}))"
    ),
    slow="SELECT max(sleep(0.5)) AS {marker} FROM numbers(3932160)",
    mark="{p1:Int64}",
    echo="SELECT {p1:Nullable(String)} AS echo",
    types={
        "boolean": Case("true", "bool", True),
        "integer": Case("toInt32(1)", "int32", 1),
        "bigint": Case("toInt64(9223372036854775807)", "int64", 9223372036854775807),
        "decimal": Case("toDecimal64('123.45', 2)", "decimal128(18, 2)", decimal.Decimal("123.45")),
        "double": Case("1.5", "double", 1.5),
        "nan": Case("nan", "double", math.nan),
        "infinity": Case("inf", "double", math.inf),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("toFixedString(unhex('00ff'), 2)", "binary", b"\0\xff"),
        "date": Case("toDate('2020-02-29')", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("toTime64('12:34:56.123456', 6)", "time64[us]", datetime.time(12, 34, 56, 123456)),
        "timestamp": "never: every time has a zone, its own or the session's",
        "instant": Case(
            f"toDateTime64('{MOMENT}', 6)",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456, tzinfo=datetime.UTC),
        ),
        "array": Case("[toInt32(1), toInt32(2)]", "list<item: int32>", [1, 2]),
        "object": Case("CAST((1, 'x'), 'Tuple(a Int32, b String)')", "struct<a: int32, b: string>", {"a": 1, "b": "x"}),
        "null": Case("CAST(NULL, 'Nullable(Int32)')", "int32", None),
    },
    structure=(
        (
            "CREATE TABLE parents (id Int32, name String COMMENT 'What they are called',"
            " amount Nullable(Decimal(10, 2)), made DateTime64(6)) ENGINE = MergeTree ORDER BY id"
            " COMMENT 'Who has children'"
        ),
        "CREATE TABLE children (parent_id Int32, place Int32) ENGINE = MergeTree ORDER BY (parent_id, place)",
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE DATABASE other",
        "CREATE TABLE other.elsewhere (a Int32)",
    ),
    structure_gone=("DROP VIEW named", "DROP TABLE children", "DROP TABLE parents", "DROP DATABASE other"),
    schema_word="DATABASE",
    drop_many="DROP DATABASE many",
    bypasses=(
        "SELECT 1 SETTINGS readonly = 0",
        "SET readonly = 0",
        "INSERT INTO written SETTINGS readonly = 0 VALUES (1)",
        "INSERT INTO written SELECT 1 SETTINGS readonly = 0",
        "TRUNCATE TABLE written",
        "OPTIMIZE TABLE written",
        "RENAME TABLE written TO made",
        "CREATE TEMPORARY TABLE made (a Int32)",
        "CREATE DICTIONARY made (a UInt64) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)",
        "CREATE FUNCTION made AS x -> x",
        "INSERT INTO FUNCTION file('made.csv', 'CSV', 'a Int32') VALUES (1)",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int32')",
        "SELECT * FROM remote('127.0.0.1', app.written)",
        "SYSTEM FLUSH LOGS",
        "EXPLAIN AST INSERT INTO written VALUES (1); INSERT INTO written VALUES (1)",
    ),
    timeout="SELECT toFloat64(getSetting('max_execution_time')) AS seconds",
    zone="SELECT timezone() AS zone",
    written="CREATE TABLE written (number Int32) ENGINE = MergeTree ORDER BY number",
)

ONE_USER = "chdb has one user, and no grants"
BROKEN = (
    *WRONG_LOGIN,
    Broken("database", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken("no grant on the schema", "schemas", "schema_forbidden", ["defaultSchema"], unproduced=ONE_USER),
    Broken("no grant on the database", "database", "database_forbidden", ["database"], unproduced=ONE_USER),
    *of_tls_port(plain_port),
)

UNDER = Under(
    "clickhouse",
    "clickhouse_server",
    SQL,
    Outside,
    body=lambda server: {"sslMode": "require"},
    lacks={
        "tls modes": "never: TLS has a port of its own; `test_clickhouse.py` has the modes",
        "own sql": "never: duplicate names and NULL as a plain type are refused; `test_clickhouse.py` has the rest",
        "session kill": "never: HTTP has no session",
        "temporary tables": "never: a temporary table needs a session, which HTTP requests here do not have",
        "foreign keys": "never: the engine has none",
        "grants": f"never: {ONE_USER}",
    },
    broken=BROKEN,
)
