"""Files of DuckDB, in a directory that the operator allows: the engine itself, in this process.

Proves everything of `duckdb`, and of `motherduck` what is not its cloud.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import math
from pathlib import Path
from typing import Any

from moorings.testing.engines import Broken, Case, Server, Sql, Under

NO_SERVER = "never: a file has no server, no login and no process list"


class Outside:
    """The file, opened past Moorings."""

    statements = None

    def __init__(self, server: Server | None, directory: Path) -> None:
        self._path = directory / "tested.duckdb"

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        import duckdb

        with contextlib.closing(duckdb.connect(str(self._path))) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def running(self, marker: str) -> int:
        raise AssertionError(NO_SERVER)

    def tagged(self, query_id: str) -> int:
        raise AssertionError(NO_SERVER)

    def sessions(self) -> int:
        raise AssertionError(NO_SERVER)

    def kill(self, session_id: str) -> None:
        raise AssertionError(NO_SERVER)


SQL = Sql(
    many="SELECT i::INTEGER AS number, 'row ' || i AS text FROM range(1, {rows} + 1) AS rows(i)",
    slow="SELECT count(*) AS {marker} FROM range(1000000) a(i), range(1000000) b(j) WHERE i * j % 7 = 3",
    mark="$1",
    echo="SELECT $1::VARCHAR AS echo",
    types={
        "boolean": Case("true", "bool", True),
        "integer": Case("1::INTEGER", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("123.45::DECIMAL(10, 2)", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("1.5::DOUBLE", "double", 1.5),
        "nan": Case("'nan'::DOUBLE", "double", math.nan),
        "infinity": Case("'infinity'::DOUBLE", "double", math.inf),
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("'\\x00\\xFF'::BLOB", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("TIME '12:34:56.123456'", "time64[us]", datetime.time(12, 34, 56, 123456)),
        "timestamp": Case(
            "TIMESTAMP '2020-02-29 12:34:56.123456'",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # TIMESTAMP has no zone
        ),
        "instant": Case(
            "TIMESTAMPTZ '2020-02-29 12:00:00+02'",
            "timestamp[us, tz=UTC]",
            datetime.datetime(2020, 2, 29, 10, tzinfo=datetime.UTC),
        ),
        "array": Case("[1, 2]", "list<l: int32>", [1, 2]),
        "object": Case("{'a': 1, 'b': 'x'}", "struct<a: int32, b: string>", {"a": 1, "b": "x"}),
        "null": Case("NULL::INTEGER", "int32", None),
    },
    structure=(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, amount DECIMAL(10, 2), made TIMESTAMP)",
        "COMMENT ON TABLE parents IS 'Who has children'",
        "COMMENT ON COLUMN parents.name IS 'What they are called'",
        "CREATE TABLE children (parent_id INTEGER REFERENCES parents, place INTEGER, PRIMARY KEY (parent_id, place))",
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE SCHEMA other",
        "CREATE TABLE other.elsewhere (a INTEGER)",
    ),
    zone="SELECT current_setting('TimeZone')",
    bypasses=(
        "CREATE OR REPLACE TABLE written AS SELECT 1 AS number",
        "CREATE MACRO made() AS 1",
        "CREATE SEQUENCE made",
        "DROP SCHEMA main CASCADE",
        "ATTACH ':memory:' AS elsewhere; CREATE TABLE elsewhere.made (a INT)",
    ),
)

LACKS = {
    "server": NO_SERVER,
    "tls": NO_SERVER,
    "tls modes": NO_SERVER,
    "process list": NO_SERVER,
    "session kill": NO_SERVER,
    "grants": NO_SERVER,
    "server timeout": "never: DuckDB has no time limit of its own; Moorings keeps it alone",
}
BROKEN = (
    Broken("no such file", "database", "database_not_found", ["database"], {"database": "missing.duckdb"}),
    Broken("file elsewhere", "connect", "not_allowed", ["database"], {"database": "../outside.duckdb"}),
    Broken("no such schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
)
CLOUD = "MotherDuck itself cannot run here"

DUCKDB = Under("duckdb", None, SQL, Outside, lacks=LACKS, broken=BROKEN)
MOTHERDUCK = Under(
    "motherduck",
    None,
    SQL,
    Outside,
    lacks=LACKS,
    broken=(
        *BROKEN,
        Broken("wrong token", "authenticate", "login_refused", ["passwordUnencrypted"], unproduced=CLOUD),
        Broken("no such cloud database", "database", "database_not_found", ["database"], unproduced=CLOUD),
    ),
)
