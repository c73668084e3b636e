"""The served Flight SQL server, with a real PostgreSQL and a DuckDB file behind it."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import adbc_driver_flightsql.dbapi as flight_sql
import duckdb
import pytest
from pyarrow import flight

from moorings.access import service as access
from moorings.access.policy import Role
from moorings.flight import messages
from moorings.settings import Settings
from tests.processes.conftest import TOKEN, Replica, Replicas
from tests.warehouses.postgres.server import login
from tests.warehouses.servers.process import free_port

HEADER = "adbc.flight.sql.rpc.call_header."
SCHEMA = (
    "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL, since date)",
    "CREATE TABLE purchase (id bigint PRIMARY KEY, customer_id integer REFERENCES customer (id), total numeric(12, 2))",
    "CREATE VIEW everyone AS SELECT name FROM customer",
    "INSERT INTO customer VALUES (1, 'Ada', '2020-01-01'), (2, 'Grace', NULL)",
    "INSERT INTO purchase VALUES (10, 1, 12.50), (11, 1, 7.25), (12, 2, 1.00)",
)


class Door:
    """A running service with a Flight SQL server."""

    def __init__(self, replica: Replica, port: int, settings: Settings) -> None:
        self.replica = replica
        self.port = port
        self.change = Replicas(replica, replica, settings).change
        self.postgres = self.duck = self.writable = ""

    @property
    def uri(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def connect(self, connection: str | None = None, key: str | None = TOKEN, uri: str = "", **more: str) -> Any:
        """A DB-API connection of the published driver, with the key as a bearer token if there is one."""
        options = {"adbc.flight.sql.authorization_header": f"Bearer {key}"} if key else {}
        if connection is not None:
            options[f"{HEADER}database"] = connection
        return flight_sql.connect(uri or self.uri, db_kwargs=options | more, autocommit=True)

    @contextlib.contextmanager
    def cursor(self, connection: str | None = None, **how: Any) -> Iterator[Any]:
        """A cursor of a connection of its own."""
        with self.connect(connection, **how) as connected, connected.cursor() as cursor:
            yield cursor

    def rows(self, connection: str, sql: str, parameters: Any = None, **how: Any) -> list[Any]:
        with self.cursor(connection, **how) as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def raw(self, connection: str | None = None, key: str = TOKEN) -> Raw:
        return Raw(self.uri, connection, key)

    def member(self, **roles: Role) -> str:
        """The key of a new user; `roles` by connection id."""

        async def making(session: Any) -> str:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "Member")
            for connection_id, role in roles.items():
                await access.assign_role(session, user, connection_id, role)
            return await access.create_key(session, organization, "Member's", user.id)

        return self.change(making)

    def logged(self, number: int = 1, **facts: str) -> list[dict[str, Any]]:
        """So many of the newest log lines with these facts; lines are written a moment after their calls."""
        deadline = time.monotonic() + 10
        while True:
            lines = (json.loads(line) for line in self.replica.serving.err.splitlines() if line.startswith("{"))
            found = [line for line in lines if facts.items() <= line.items()]
            if len(found) >= number:
                return found[-number:]
            assert time.monotonic() < deadline, found
            time.sleep(0.02)


def read_all(reader: Any) -> None:
    """Read a stream to its end."""
    with contextlib.suppress(StopIteration):
        while True:
            reader.read_chunk()


class Raw:
    """A bare Flight client: it can send what no driver would."""

    def __init__(self, uri: str, connection: str | None, key: str) -> None:
        self.client = flight.connect(uri)
        named = [] if connection is None else [(b"database", connection.encode())]
        self.options = flight.FlightCallOptions(
            headers=[(b"authorization", f"Bearer {key}".encode()), *named], timeout=30
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def info(self, command: bytes) -> Any:
        return self.client.get_flight_info(flight.FlightDescriptor.for_command(command), self.options)

    def query(self, sql: str) -> Any:
        """The FlightInfo of a statement."""
        return self.info(messages.packed("CommandStatementQuery", query=sql))

    def get(self, ticket: Any) -> Any:
        return self.client.do_get(ticket, self.options)

    def act(self, kind: str, body: bytes) -> list[bytes]:
        return [each.body.to_pybytes() for each in self.client.do_action(flight.Action(kind, body), self.options)]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, start: Any) -> Callable[..., Any]:
    """Run the service with a Flight SQL server while the block lasts."""

    @contextlib.contextmanager
    def serving(**settings: object) -> Iterator[Door]:
        folder = tmp_path_factory.mktemp("flight")
        port = free_port()
        with start(folder, FLIGHT_PORT=port, LOG_FORMAT="json", **settings) as replica:
            yield Door(replica, port, Settings(_env_file=None, data_dir=folder / "data"))

    return serving


@pytest.fixture(scope="session")
def door(served: Any, postgres_server: Any) -> Iterator[Door]:
    """One service for all tests, with a connection to PostgreSQL, one to DuckDB, and a writable one."""
    with login(postgres_server) as outside:
        outside.execute("CREATE DATABASE shop")
    with login(postgres_server, database="shop") as outside:
        for statement in SCHEMA:
            outside.execute(statement)
    with served() as door:
        data = Path(door.replica.serving._data) / "duckdb"
        data.mkdir(exist_ok=True)
        with duckdb.connect(str(data / "things.duckdb")) as file:
            file.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, label VARCHAR)")
            file.execute("INSERT INTO thing VALUES (1, 'one'), (2, 'two')")
        server = postgres_server
        to = {"host": server.host, "port": server.port, "database": "shop", "username": server.username}
        to |= {"passwordUnencrypted": server.password, "sslMode": "disable", "baseRole": "NO_ACCESS"}
        door.postgres = door.replica.create(name="Shop", **to)
        door.writable = door.replica.create(name="Writable shop", readOnly=False, **to)
        door.duck = door.replica.create(dialect="duckdb", name="Things", database="things.duckdb")
        yield door
