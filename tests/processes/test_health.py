"""Health, as a service tells it that was only started: nobody asks for a probe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb


def awaited_sockets(replica: Any, connection: str, status: str) -> dict[str, Any]:
    for _ in range(300):
        (found,) = replica.request("GET", "/connections").json()["connections"]
        if found["health"]["status"] == status:
            assert found["id"] == connection
            return found["health"]
        time.sleep(0.1)
    raise AssertionError(f"never {status}: {found['health']}")


def test_a_connection_is_probed_when_it_is_new_and_again_and_again(start: Any, tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    duckdb.connect(str(file)).close()
    whole = file.read_bytes()
    often = {"HEALTH_PROBE_SECONDS": "1", "WORKER_POLL_SECONDS": "0.2", "DUCKDB_DIR": str(tmp_path)}
    with start(**often) as replica:
        body = {"dialect": "duckdb", "name": "n", "database": "shop.duckdb"}
        connection = replica.request("POST", "/connections", json=body).json()["data"]
        assert awaited_sockets(replica, connection, "healthy")["error"] is None
        file.write_bytes(b"no database")
        assert awaited_sockets(replica, connection, "failing")["error"]["code"]
        file.write_bytes(whole)
        awaited_sockets(replica, connection, "healthy")
