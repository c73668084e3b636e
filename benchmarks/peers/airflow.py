"""Apache Airflow's API server: one worker, SQLite, its simple auth manager, the public list of connections."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import servers
from benchmarks.peers import peer
from benchmarks.peers.peer import PASSWORD, Peer

NAME = "Airflow"
LOCK = "airflow"


def prepare(environment: Path, home: Path, number: int) -> Peer:
    """Store so many connections."""
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    environ = peer.environ(home, **settings)
    program = str(environment / "bin" / "airflow")
    (home / "passwords.json").write_text(json.dumps({"admin": PASSWORD}))
    (home / "connections.json").write_text(json.dumps(_connections(number)))
    peer.run([program, "db", "migrate"], home, environ)
    peer.run([program, "connections", "import", home / "connections.json"], home, environ)

    def start() -> servers.Starting:
        port = servers.free_port()
        command = [program, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        return servers.started(command, port, environ, home, path="/api/v2/version", seconds=peer.START_SECONDS)

    path = f"/api/v2/connections?limit={number}"
    return Peer(NAME, start, _token, path, lambda answer: len(answer["connections"]))


def _connections(number: int) -> dict[str, dict[str, object]]:
    one = {"conn_type": "postgres", "host": "db.example.com", "port": 5432, "schema": "analytics"}
    login = {"login": "reader", "password": "secret"}
    return {f"warehouse_{place:02d}": one | login for place in range(number)}


def _token(port: int) -> str:
    return peer.post(port, "/auth/token", {"username": "admin", "password": PASSWORD})["access_token"]
