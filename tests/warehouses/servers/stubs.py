"""Stubs of ours as processes, and the tests' end of their back door."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

from moorings.testing.engines import SENTINEL, Broken, Server
from tests.warehouses.servers.duck import AUTHKEY
from tests.warehouses.servers.process import certificate, folder, free_port, running, wait_until

ROOT = Path(__file__).parents[3]
STRUCTURE = (
    "CREATE TABLE parents (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, amount DECIMAL(10, 2), made TIMESTAMP)",
    "COMMENT ON TABLE parents IS 'Who has children'",
    "COMMENT ON COLUMN parents.name IS 'What they are called'",
    ("CREATE TABLE children (parent_id INTEGER REFERENCES parents(id), place INTEGER, PRIMARY KEY (parent_id, place))"),
    "CREATE VIEW named AS SELECT id, name FROM parents",
    "CREATE SCHEMA other",
    "CREATE TABLE other.elsewhere (a INTEGER)",
)
"""What `test_structure.py` describes, in DuckDB's SQL."""
CLOSED_SCHEMA = Broken(
    "no grant on the schema",
    "schemas",
    "schema_forbidden",
    ["defaultSchema"],
    {"username": "GUEST", "passwordUnencrypted": "guest", "defaultSchema": "closed"},
)
UNKNOWN_AUTHORITY = Broken(
    "certificate",
    "tls",
    "certificate_refused",
    ["sslMode", "sslRootCert"],
    {"host": "localhost", "sslRootCert": None},
)


@contextlib.contextmanager
def stub(module: str, username: str, database: str, *, tls: bool) -> Iterator[Server]:
    """A stub that runs, with a back door whose port is written into its folder."""
    with folder(module) as home:
        port, door = free_port(), free_port()
        (home / "door").write_text(str(door))
        crt, key = certificate(home) if tls else (None, None)
        command = [sys.executable, "-m", f"tests.warehouses.{module}", str(port), str(door), username, SENTINEL]
        command += [str(crt), str(key)] if tls else []
        log = home / "log"
        with running(command, log, signal=signal.SIGKILL, cwd=ROOT) as process:
            server = Server("127.0.0.1", port, username, SENTINEL, database, home, process.pid, crt, log)
            wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process, log)
            wait_until(BackDoor(server, home).sessions, process, log)
            yield server


class BackDoor:
    """The other side of a stub."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self._port = int((server.folder / "door").read_text())

    def _tell(self, *verb: Any) -> Any:
        with Client(("127.0.0.1", self._port), authkey=AUTHKEY) as client:
            client.send(verb)
            answer = client.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements on DuckDB, past the protocol; returns the rows of the last one."""
        return self._tell("ask", statements)

    def running(self, marker: str) -> int:
        return sum(marker in statement for statement, _ in self._tell("running"))

    def tagged(self, query_id: str) -> int:
        return sum(query_id in statement or query_id in application for statement, application in self._tell("running"))

    def sessions(self) -> int:
        return self._tell("sessions")

    def statements(self) -> int:
        return self._tell("statements")

    def kill(self, session_id: str) -> None:
        self._tell("kill", int(session_id))
