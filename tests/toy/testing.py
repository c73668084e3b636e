"""The toy's row in the suite: files of SQLite. A pytest plugin, which hands it over."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moorings.testing.engines import CONCEPTS, Broken, Case, Server, Sql, Under

NO_TYPE = "never: SQLite has no such type"
NO_SERVER = "never: a file has no server, no login and no process list"
OF_SERVERS = ("server", "tls", "tls modes", "process list", "session kill", "grants", "server timeout")


class Outside:
    """The file, opened past Moorings."""

    statements = None

    def __init__(self, server: Server | None, directory: Path) -> None:
        self._file = directory / "tested.duckdb"

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def running(self, marker: str) -> int:
        raise AssertionError(NO_SERVER)

    def tagged(self, query_id: str) -> int:
        raise AssertionError(NO_SERVER)

    def sessions(self) -> int:
        raise AssertionError(NO_SERVER)

    def kill(self, session_id: str) -> None:
        raise AssertionError(NO_SERVER)


ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"

UNDER = Under(
    "toy",
    None,
    Sql(
        many=f"{ROWS} SELECT i AS number, 'row ' || i AS text FROM n",
        slow=f"{ROWS.format(rows=10**12)} SELECT count(*) AS {{marker}} FROM n",
        mark="?",
        echo="SELECT ? AS echo",
        types={
            **dict.fromkeys(CONCEPTS, NO_TYPE),
            "integer": Case("1", "int64", 1),
            "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
            "double": Case("1.5", "double", 1.5),
            "infinity": Case("9e999", "double", math.inf),
            "text": Case("'häß 😀'", "string", "häß 😀"),
            "binary": Case("x'00FF'", "binary", b"\0\xff"),
        },
    ),
    Outside,
    lacks=dict.fromkeys(OF_SERVERS, NO_SERVER)
    | {
        "own sql": "never: SQLite knows few types",
        "structure": "never: the toy has no schemas",
        "zone": "never: SQLite knows no time zones",
        "reset": "never: the toy begins anew each time",
        "temporary tables": "never: the toy begins anew each time",
        "empty statements": "never: SQLite answers an empty statement in peace",
    },
    broken=(Broken("no such file", "database", "database_not_found", ["database"], {"database": "missing.duckdb"}),),
)


def pytest_moorings_engines() -> Sequence[Under]:
    return [UNDER]
