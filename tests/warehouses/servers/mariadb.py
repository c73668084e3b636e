"""A real MariaDB, from the system's packages."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

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
QUOTED = SENTINEL.replace("'", "''")
SETUP = f"""\
CREATE DATABASE app CHARACTER SET utf8mb4;
CREATE USER {OWNER}@'127.0.0.1' IDENTIFIED BY '{QUOTED}';
CREATE USER {OWNER}@'localhost' IDENTIFIED BY '{QUOTED}';
GRANT ALL ON *.* TO {OWNER}@'127.0.0.1' WITH GRANT OPTION;
GRANT ALL ON *.* TO {OWNER}@'localhost' WITH GRANT OPTION;
"""
SETTINGS = (
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-log-bin",
)


@contextlib.contextmanager
def mariadb(*, tls: bool) -> Iterator[Server]:
    """A server with one user who may do everything, and the database `app`."""
    daemon = shutil.which("mariadbd", path=PATHS)
    if not daemon:
        unavailable("MariaDB", "apt-get install -y mariadb-server-core")
    with folder("mariadb") as home:
        data, port, crt, options = home / "data", free_port(), None, ["--skip-ssl"]
        _install(daemon, home, data)
        setup = home / "setup.sql"
        setup.write_text(SETUP)
        own(setup, 0o600)
        if tls:
            crt, key = certificate(home)
            options = [f"--ssl-cert={crt}", f"--ssl-key={key}"]
        command = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={home}/socket", f"--port={port}"]
        command += [f"--init-file={setup}", f"--pid-file={home}/pid", *SETTINGS, *options]
        log = home / "log"
        with running(command, log, signal=signal.SIGTERM, cwd=home, **as_nobody()) as process:
            server = Server("127.0.0.1", port, OWNER, SENTINEL, "app", home, process.pid, crt, log)
            wait_until(lambda: ask(server, "SELECT 1"), process, log)
            yield server


PATHS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


SYSTEM_TABLES = (
    "mysql_system_tables",
    "mysql_performance_tables",
    "mysql_system_tables_data",
    "maria_add_gis_sp_bootstrap",
    "mysql_sys_schema",
)


def _install(daemon: str, home: Path, data: Path) -> None:
    """What mariadb-install-db does: that script wants programs of the client packages."""
    data.mkdir()
    own(data)
    share = Path(daemon).resolve().parent.parent / "share" / "mysql"
    tables = "\n".join((share / f"{name}.sql").read_text() for name in SYSTEM_TABLES)
    command = [daemon, "--no-defaults", "--bootstrap", f"--datadir={data}", "--max-allowed-packet=8M"]
    statements = f"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n{tables}"
    subprocess.run(command, input=statements.encode(), check=True, capture_output=True, cwd=home, **as_nobody())


def ask(server: Server, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as the user, to see from the other side what Moorings did; returns the rows of the last one."""
    import asyncio

    import asyncmy

    async def asking() -> list[tuple[object, ...]]:
        connection = await asyncmy.connect(
            host=server.host,
            port=server.port,
            user=server.username,
            password=server.password,
            db=server.database,
            autocommit=True,
            connect_timeout=5,
        )
        rows: list[tuple[object, ...]] = []
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
                rows = list(await cursor.fetchall())
        await connection.ensure_closed()
        return rows

    return asyncio.run(asking())


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB that speaks TLS too; its certificate is `certificate`, for `localhost`."""
    with mariadb(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def plain_mariadb_server() -> Iterator[Server]:
    """A MariaDB without TLS."""
    with mariadb(tls=False) as server:
        yield server
