"""A real MariaDB, from the system's packages."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
import shutil
import signal
import subprocess
import zoneinfo
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import SENTINEL, WRONG_LOGIN, Broken, Case, Server, Sql, Under
from tests.warehouses.servers.process import (
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
def mariadb(*, tls: bool, client_authority: str = "") -> Iterator[Server]:
    """A server with one user who may do everything, and the database `app`.

    With `client_authority`, in PEM, it asks clients for certificates that this authority signed.
    """
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
        if client_authority:
            path = home / "clients.crt"
            path.write_text(client_authority)
            own(path, 0o644)
            options.append(f"--ssl-ca={path}")
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


def zone(name: str, years: Sequence[int] = range(2020, 2030)) -> tuple[str, ...]:
    """Statements that let a server know a zone by its name, as mysql_tzinfo_to_sql does, for some years."""
    place = zoneinfo.ZoneInfo(name)
    start = datetime.datetime(years[0], 1, 1, tzinfo=datetime.UTC)
    hours = [start + datetime.timedelta(hours=hour) for hour in range(24 * 366 * len(years))]
    kinds: dict[tuple[int, int, str], int] = {}
    changes: list[tuple[int, int]] = []
    for moment in hours:
        there = moment.astimezone(place)
        ahead, summer = there.utcoffset() or datetime.timedelta(), bool(there.dst())
        kind = kinds.setdefault((int(ahead.total_seconds()), int(summer), there.tzname() or ""), len(kinds))
        if not changes or changes[-1][1] != kind:
            changes.append((int(moment.timestamp()), kind))
    listed = ", ".join(f"(4242, {when}, {kind})" for when, kind in changes)
    described = ", ".join(f"(4242, {kind}, {ahead}, {dst}, '{word}')" for (ahead, dst, word), kind in kinds.items())
    tables = ("time_zone", "time_zone_transition", "time_zone_transition_type")
    return (
        *(f"DELETE FROM mysql.{table} WHERE time_zone_id = 4242" for table in tables),
        "INSERT INTO mysql.time_zone VALUES (4242, 'N')",
        f"REPLACE INTO mysql.time_zone_name VALUES ('{name}', 4242)",
        f"INSERT INTO mysql.time_zone_transition VALUES {listed}",
        f"INSERT INTO mysql.time_zone_transition_type VALUES {described}",
    )


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


# ---- under test -------------------------------------------------------------------------------------------------


class Outside:
    """The server, seen by a user of its own process list."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self._server = server

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        return ask(self._server, *statements)

    def running(self, marker: str) -> int:
        others = "command = 'Query' AND id <> CONNECTION_ID()"
        found = self.ask(
            f"SELECT COUNT(*) FROM information_schema.processlist WHERE {others} AND info LIKE '%{marker}%'"
        )
        return int(found[0][0])

    def tagged(self, query_id: str) -> int:
        return self.running(query_id)

    def sessions(self) -> int:
        return int(self.ask("SELECT COUNT(*) - 1 FROM information_schema.processlist WHERE user = 'moorings'")[0][0])

    def statements(self) -> int:
        return int(self.ask("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])

    def kill(self, session_id: str) -> None:
        self.ask(f"KILL {session_id}")


WRITE = "INSERT INTO written VALUES (1)"
NO_TYPE = "never: the engine has no such type"


def created(user: str, *grants: str) -> tuple[str, ...]:
    """Statements that make a user whose password is its name, with grants."""
    statements: list[str] = []
    for account in (f"{user}@'127.0.0.1'", f"{user}@localhost"):
        statements.append(f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{user}'")
        statements += [f"GRANT {grant} TO {account}" for grant in grants]
    return tuple(statements)


SQL = Sql(
    many="SELECT CAST(seq AS INT) AS number, CONCAT('row ', seq) AS text FROM app.seq_1_to_{rows}",
    slow="SELECT BENCHMARK(3000000000, SHA1('{marker}'))",
    mark="%s",
    echo="SELECT %s AS echo",
    types={
        "boolean": "never: BOOLEAN is another word for TINYINT(1)",
        "integer": Case("CAST(1 AS INT)", "int32", 1),
        "bigint": Case("9223372036854775807", "int64", 9223372036854775807),
        "decimal": Case("CAST(123.45 AS DECIMAL(10, 2))", "decimal128(10, 2)", decimal.Decimal("123.45")),
        "double": Case("CAST(1.5 AS DOUBLE)", "double", 1.5),
        "nan": NO_TYPE,
        "infinity": NO_TYPE,
        "text": Case("'häß 😀'", "string", "häß 😀"),
        "binary": Case("x'00FF'", "binary", b"\0\xff"),
        "date": Case("DATE '2020-02-29'", "date32[day]", datetime.date(2020, 2, 29)),
        "time": Case("CAST('12:34:56.5' AS TIME(1))", "duration[us]", datetime.timedelta(seconds=45_296.5)),
        "timestamp": Case(
            "CAST('2020-02-29 12:34:56.123456' AS DATETIME(6))",
            "timestamp[us]",
            datetime.datetime(2020, 2, 29, 12, 34, 56, 123456),  # noqa: DTZ001  # DATETIME has no zone
        ),
        "instant": "never: TIMESTAMP arrives in the session's time zone, without one",
        "array": NO_TYPE,
        "object": Case("""JSON_OBJECT('a', 1)""", "string", '{"a": 1}'),
        "null": Case("CAST(NULL AS INT)", "int32", None),
    },
    structure=(
        (
            "CREATE TABLE parents (id INT PRIMARY KEY, name VARCHAR(50) NOT NULL COMMENT 'What they are called',"
            " amount DECIMAL(10, 2), made DATETIME(6)) COMMENT 'Who has children'"
        ),
        (
            "CREATE TABLE children (parent_id INT, place INT, PRIMARY KEY (parent_id, place),"
            " FOREIGN KEY (parent_id) REFERENCES parents(id))"
        ),
        "CREATE VIEW named AS SELECT id, name FROM parents",
        "CREATE DATABASE other",
        "CREATE TABLE other.elsewhere (a INT)",
    ),
    reader=("CREATE TABLE IF NOT EXISTS open (a INT)", *created("reader", "SELECT ON app.open")),
    structure_gone=("DROP VIEW named", "DROP TABLE children", "DROP TABLE parents", "DROP DATABASE other"),
    schema_word="DATABASE",
    drop_many="DROP DATABASE many",
    bypasses=(
        f"BEGIN NOT ATOMIC COMMIT; {WRITE}; END",
        f"BEGIN NOT ATOMIC ROLLBACK; SET SESSION tx_read_only = 0; {WRITE}; COMMIT; END",
        f"BEGIN NOT ATOMIC XA END ''; XA ROLLBACK ''; {WRITE}; END",
        f"SET STATEMENT tx_read_only = 0 FOR {WRITE}",
        f"EXECUTE IMMEDIATE '{WRITE}'",
        "CALL write_after_commit()",
        "TRUNCATE TABLE written",
        "LOCK TABLES written WRITE",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE written",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE written",
        "REPLACE INTO written VALUES (1)",
        "CREATE USER another",
    ),
    bypass_setup=(f"CREATE OR REPLACE PROCEDURE write_after_commit() BEGIN COMMIT; {WRITE}; COMMIT; END",),
    zone="SELECT @@session.time_zone",
    in_other={"defaultSchema": "other", "database": None},
    timeout="SELECT CAST(@@max_statement_time AS DOUBLE)",
)


BROKEN = (
    *WRONG_LOGIN,
    Broken("database", "database", "database_not_found", ["database"], {"database": "nowhere"}),
    Broken("schema", "schemas", "schema_not_found", ["defaultSchema"], {"defaultSchema": "nowhere"}),
    Broken(
        "no grant on the schema",
        "schemas",
        "schema_forbidden",
        ["defaultSchema"],
        {"username": "guest", "passwordUnencrypted": "guest", "defaultSchema": "closed"},
        setup=("CREATE DATABASE IF NOT EXISTS closed", *created("guest", "SELECT ON app.*")),
    ),
    Broken(
        "no grant on the database",
        "database",
        "database_forbidden",
        ["database"],
        {"username": "stranger", "passwordUnencrypted": "stranger"},
        setup=created("stranger"),
    ),
)

LACKS = {"empty statements": "never: the server answers an empty statement in peace"}

MARIADB = Under("mariadb", "mariadb_server", SQL, Outside, lacks=LACKS, broken=BROKEN)
MYSQL = Under("mysql", "mariadb_server", SQL, Outside, lacks=LACKS, broken=BROKEN)
