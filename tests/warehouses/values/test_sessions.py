"""What a session does beside the statement: the server's log, poolers, cancels, and settings of the login's own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.warehouses.servers.process import Server, as_nobody, folder, free_port, own, running, unavailable, wait_until
from tests.warehouses.values.conftest import Api

CONFIGURATION = """\
[databases]
app = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
auth_type = plain
auth_file = {home}/users
pool_mode = transaction
default_pool_size = 3
unix_socket_dir =
logfile =
pidfile =
ignore_startup_parameters = extra_float_digits,options
server_tls_sslmode = disable
"""


@contextlib.contextmanager
def bouncer(server: Server) -> Iterator[int]:
    """PgBouncer in transaction mode before a server, with three connections; its port."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        unavailable("PgBouncer", "apt-get install -y pgbouncer")
    with folder("pgbouncer") as home:
        port = free_port()
        quoted = server.password.replace('"', '""')
        (home / "users").write_text(f'"{server.username}" "{quoted}"\n')
        told = CONFIGURATION.format(host=server.host, port=server.port, own=port, home=home)
        (home / "ini").write_text(told)
        for name in ("users", "ini"):
            own(home / name, 0o600)
        log = home / "log"
        with running([program, home / "ini"], log, signal=signal.SIGINT, cwd=home, **as_nobody()) as process:
            wait_until(lambda: _answers(port), process, log)
            yield port


def _answers(port: int) -> None:
    import socket

    socket.create_connection(("127.0.0.1", port), 1).close()


@pytest.mark.parametrize("read_only", [True, False])
def test_behind_pgbouncer_each_query_gets_its_own_values(api: Api, postgres_server: Server, read_only: bool) -> None:
    with bouncer(postgres_server) as port:
        over = {"host": "127.0.0.1", "port": port, "sslMode": "disable", "readOnly": read_only}
        path = f"/connections/{api.connection('postgres', **over)}/query"
        headers = {"authorization": "Bearer organization-key-of-the-tests", "accept": "application/json"}

        async def together() -> list[Any]:
            return await asyncio.gather(
                *(
                    api.service.client.post(
                        f"/api/v1{path}",
                        json={"sql": f"select {number} n, '::{number}'::inet x, pg_sleep(0.02), $1::int p"}
                        | {"parameters": [number]},
                        headers=headers,
                        timeout=60,
                    )
                    for number in range(1, 25)
                )
            )

        answers = api.service.run(together())
        assert [answer.status_code for answer in answers] == [200] * 24, {answer.text for answer in answers}
        for number, answer in enumerate(answers, 1):
            assert answer.json()["rows"] == [[number, f"::{number:d}", "", number]]


@pytest.mark.parametrize(
    ("dialect", "sql", "parameters"),
    [
        ("mariadb", "update planned set name = 'q'", []),
        ("mariadb", "delete from planned where id = %s", [1]),
        ("postgres", "update planned set name = 'q'", []),
        ("postgres", "update planned set name = $1 where id = $2", ["q", 1]),
        ("duckdb", "create table planned as select 1 as id", []),
    ],
)
def test_a_dry_run_of_a_write_says_what_it_would_take(api: Api, dialect: str, sql: str, parameters: list[Any]) -> None:
    if dialect != "duckdb":
        api.setup(
            dialect,
            (
                "drop table if exists planned",
                "create table planned (id int primary key, name varchar(20))",
                "insert into planned values (1, 'a')",
            ),
        )
    over = {"readOnly": False}
    answer = api.ask(dialect, sql, parameters, over=over, query={"dryRun": "true"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["plan"]
    if dialect != "duckdb":
        assert api.rows(dialect, "select name from planned") == [["a"]]
        refused = api.ask(dialect, f"analyze {sql}", parameters, over=over, query={"dryRun": "true"})
        assert refused.status_code == 400
        assert api.rows(dialect, "select name from planned") == [["a"]]


@pytest.mark.parametrize("read_only", [True, False])
def test_queries_leave_no_warning_in_the_servers_log(api: Api, postgres_server: Server, read_only: bool) -> None:
    assert postgres_server.log is not None
    api.rows("postgres", "select 1", over={"readOnly": read_only})
    before = postgres_server.log.read_text().count("WARNING")
    for _ in range(5):
        api.rows("postgres", "select 1", over={"readOnly": read_only})
    assert postgres_server.log.read_text().count("WARNING") == before


def test_a_transaction_that_a_statement_opens_ends_with_it(api: Api) -> None:
    over = {"readOnly": False}
    assert api.ask("postgres", "begin", over=over).status_code == 200
    assert api.rows("postgres", "select count(*) from pg_stat_activity where xact_start is not null", over=over)
    assert api.ask("postgres", "create table if not exists kept (a int)", over=over).status_code == 200
    assert api.rows("postgres", "insert into kept values (1) returning a", over=over) == [[1]]
    assert api.rows("postgres", "select count(*) > 0 from kept", over=over) == [[True]]
    assert api.ask("postgres", "vacuum kept", over=over).status_code == 200


def test_an_array_of_a_new_domain_is_the_same_on_old_sessions(api: Api) -> None:
    name = f"fresh_{uuid.uuid4().hex[:8]}"
    api.rows("postgres", "select 1")
    api.setup(
        "postgres",
        (
            f"create domain {name} as int",
            f"create table {name}_t (d {name}[])",
            f"insert into {name}_t values ('{{5}}')",
        ),
    )
    assert api.rows("postgres", f"select d from {name}_t") == [[[5]]]


def test_domains_over_domains_have_the_type_of_their_results(api: Api) -> None:
    api.setup(
        "postgres",
        (
            "drop table if exists ddt",
            "drop domain if exists dd2, dn2",
            "drop domain if exists dd1, dn1",
            "create domain dd1 as int",
            "create domain dd2 as dd1",
            "create domain dn1 as numeric(10,2)",
            "create domain dn2 as dn1",
            "create table ddt (a dd2, b dn2, c dd2[])",
        ),
    )
    found = api.arrow("postgres", "select * from ddt").schema
    path = f"/connections/{api.connection('postgres')}/tables"
    tables = api.service.request("GET", path, params={"schema": "public"}).json()["tables"]
    (table,) = [each for each in tables if each["name"] == "ddt"]
    assert [column["arrowType"] for column in table["columns"]] == [str(field.type) for field in found]


@pytest.mark.parametrize(
    ("dialect", "sql", "setup", "limit"),
    [
        (
            "postgres",
            "select current_setting('statement_timeout')",
            "alter role {user} set statement_timeout = '7s'",
            "7s",
        ),
        ("mariadb", "select cast(@@max_statement_time as int)", "alter user {user} with max_statement_time 7", 7),
    ],
)
def test_a_shorter_time_limit_of_the_login_stays(api: Api, dialect: str, sql: str, setup: str, limit: Any) -> None:
    user = f"limited_{uuid.uuid4().hex[:8]}"
    if dialect == "postgres":
        api.setup(dialect, (f"create role {user} login password 'limited'", setup.format(user=user)))
    else:
        account = f"{user}@'127.0.0.1'"
        api.setup(
            dialect,
            (
                f"create user {account} identified by 'limited'",
                f"grant select on app.* to {account}",
                setup.format(user=account),
            ),
        )
    over = {"username": user, "passwordUnencrypted": "limited"}
    for _ in range(2):  # a session that was reset keeps it too
        assert api.rows(dialect, sql, over=over) == [[limit]]
    assert api.rows(dialect, sql, over=over, timeoutSeconds=3) == [["3s" if dialect == "postgres" else 3]]
