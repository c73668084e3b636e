"""Large results and hostile servers need bounded memory: the service's own, measured from outside."""

from __future__ import annotations

from typing import Any

import pytest

from moorings.api.http.negotiation import FORMATS
from tests.processes.conftest import TOKEN, Replica
from tests.processes.conftest import replica as replica  # the fixture
from tests.processes.conftest import start as start  # the fixture
from tests.security.memory import MEGABYTE, Memory

ALLOWED = 350 * MEGABYTE
"""What one request may need over what the idle service needs."""
SHAPES = {
    "16,384 of 20 kB": (16_384, 20_000, "x"),
    "6,000 of 60 kB": (6_000, 60_000, "x"),
    "200 of 1 MB": (200, 1_000_000, "x"),
    "24 of 8 MB": (24, 8_000_000, "x"),
    "4 of 8 MB to escape": (4, 8_000_000, '"\\'),
    "4 of 8 MB to escape at length": (4, 8_000_000, "\x01"),
}
"""Rows, the bytes of a value, and what it is made of."""
BEYOND_DUCKDB = ("200 of 1 MB", "24 of 8 MB")
"""DuckDB works on 2,048 rows at once: these need more than its memory limit, whatever we do with them."""
AS_JSON = {"accept": "application/json"}
MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}


def duckdb(rows: int, size: int, text: str) -> str:
    return f"SELECT range AS n, repeat('{text}', {size // len(text)}) || range AS v FROM range({rows})"


def postgres(rows: int, size: int, text: str) -> str:
    return f"SELECT n, repeat('{text}', {size // len(text)}) || n AS v FROM generate_series(0, {rows - 1}) AS n"


def mariadb(rows: int, size: int, text: str) -> str:
    times, text = size // len(text), text.replace("\\", "\\\\")
    return f"SELECT seq AS n, concat(repeat('{text}', {times}), seq) AS v FROM seq_0_to_{rows - 1}"


ENGINES = {"duckdb": duckdb, "postgres": postgres, "mariadb": mariadb}


@pytest.fixture(scope="module")
def everywhere(postgres_server: Any, mariadb_server: Any) -> dict[str, Any]:
    """The body of a connection to each engine."""

    def on(server: Any) -> dict[str, Any]:
        return {
            "host": server.host,
            "port": server.port,
            "database": server.database,
            "username": server.username,
            "passwordUnencrypted": server.password,
            "sslMode": "disable",
        }

    return {
        "duckdb": MEMORY,
        "postgres": {"dialect": "postgres", **on(postgres_server)},
        "mariadb": {"dialect": "mariadb", **on(mariadb_server)},
    }


@pytest.fixture(scope="module")
def connections(replica: Replica, everywhere: dict[str, Any]) -> dict[str, str]:
    return {engine: replica.create(**body) for engine, body in everywhere.items()}


def received(replica: Replica, connection_id: str, sql: str, accept: str) -> tuple[int, int, str]:
    """Run a query and read its answer to the end; returns the status, the number of bytes and how they begin."""
    headers = {"authorization": f"Bearer {TOKEN}", "accept": accept}
    path, body = f"/connections/{connection_id}/query", {"sql": sql, "rowLimit": 10**6}
    size, begin = 0, b""
    with replica.client.stream("POST", path, json=body, headers=headers, timeout=120) as answer:
        for part in answer.iter_bytes():
            size += len(part)
            begin = begin or part[:1000]
        return answer.status_code, size, begin.decode(errors="replace")


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_large_values(replica: Replica, connections: dict[str, str], engine: str, shape: str, accept: str) -> None:
    rows, size, text = SHAPES[shape]
    received(replica, connections[engine], "SELECT 1 AS a", accept)  # the driver is loaded now
    memory = Memory(replica.serving.process.pid)
    memory.forget()
    status, found, begin = received(replica, connections[engine], ENGINES[engine](rows, size, text), accept)
    grown = memory.grown()
    if engine == "duckdb" and shape in BEYOND_DUCKDB:
        assert status == 400
        assert "MOORINGS_DUCKDB_MEMORY_LIMIT" in begin
    else:
        assert status == 200, begin
        assert found >= rows * size
    assert grown < ALLOWED


@pytest.mark.parametrize("engine", ENGINES)
def test_value_beyond_the_limit(start: Any, everywhere: dict[str, Any], engine: str) -> None:
    with start(MAX_VALUE_BYTES=1_000_000) as replica:
        connection_id = replica.create(**everywhere[engine])
        assert received(replica, connection_id, ENGINES[engine](3, 900_000, "x"), FORMATS[0])[0] == 200
        status, _, begin = received(replica, connection_id, ENGINES[engine](3, 1_100_000, "x"), FORMATS[0])
    assert status == 400
    assert 'Column \\"v\\" holds a value of 110000' in begin
    assert "MOORINGS_MAX_VALUE_BYTES" in begin


class TestDuckDB:
    @pytest.fixture
    def connection_id(self, connections: dict[str, str]) -> str:
        return connections["duckdb"]

    def test_limits_are_in_force(self, replica: Replica, connection_id: str) -> None:
        names = "memory_limit", "threads", "max_temp_directory_size"
        sql = "SELECT " + ", ".join(f"current_setting('{name}')::VARCHAR AS {name}" for name in names)
        answer = replica.request("POST", f"/connections/{connection_id}/query", json={"sql": sql}, headers=AS_JSON)
        memory, threads, disk = answer.json()["rows"][0]
        assert memory == "190.7 MiB"
        assert int(threads) <= 4
        assert disk == "2.0 GiB"

    @pytest.mark.parametrize("change", ["memory_limit = '9GB'", "threads = 64", "temp_directory = '/tmp'"])
    def test_statements_cannot_change_them(self, replica: Replica, connection_id: str, change: str) -> None:
        status, _, begin = received(replica, connection_id, f"SET {change}", FORMATS[0])
        assert status == 400
        assert "Statements cannot use files, extensions and settings" in begin

    def test_what_memory_does_not_hold_goes_to_the_data_directory(self, replica: Replica, connection_id: str) -> None:
        sql = "SELECT range || repeat('x', 100) AS v FROM range(4000000) ORDER BY hash(range) LIMIT 3500000"
        memory = Memory(replica.serving.process.pid)
        memory.forget()
        status, _, begin = received(replica, connection_id, sql, FORMATS[0])
        assert status == 200, begin
        assert memory.grown() < ALLOWED
