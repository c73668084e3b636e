"""A stub of MySQL and of StarRocks: their protocol by mysql-mimic, SQL by DuckDB. See `starrocks.py` and `mysql.py`.

Run as `python -m tests.warehouses.mysql.mimic_stub PORT DOOR USER PASSWORD [CERTIFICATE KEY]`; which of the two it is
depends on the user's name. mysql-mimic's own session is not used: it would answer most of what is asked by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from mysql_mimic import server as mimic
from mysql_mimic.auth import (
    AuthInfo,
    AuthPlugin,
    AuthState,
    Forbidden,
    IdentityProvider,
    NativePasswordAuthPlugin,
    Success,
    User,
)
from mysql_mimic.charset import CharacterSet
from mysql_mimic.connection import Connection
from mysql_mimic.constants import KillKind
from mysql_mimic.control import LocalControl
from mysql_mimic.errors import MysqlError
from mysql_mimic.packets import make_column_count, make_column_definition_41
from mysql_mimic.results import ResultColumn, ResultSet
from mysql_mimic.session import BaseSession
from mysql_mimic.types import ColumnType
from mysql_mimic.variables import GlobalVariables, SessionVariables

from tests.warehouses.servers.duck import House, Refused, Session

BARRED = {"guest": "closed", "reader": "written"}
"""What users may not name in a statement."""
SETUP = (Path(__file__).parent / "mimic_views.sql").read_text()
BATCH = 2000
ASSIGNMENT = re.compile(r"(\w+)\s*=\s*('[^']*'|[\w.+:-]+)")
TYPES = {
    "BOOLEAN": ColumnType.TINY,
    "TINYINT": ColumnType.TINY,
    "SMALLINT": ColumnType.SHORT,
    "INTEGER": ColumnType.LONG,
    "BIGINT": ColumnType.LONGLONG,
    "FLOAT": ColumnType.FLOAT,
    "DOUBLE": ColumnType.DOUBLE,
    "DATE": ColumnType.DATE,
    "TIME": ColumnType.TIME,
    "TIMESTAMP": ColumnType.DATETIME,
}


class Rows:
    """Rows of a result, and what mysql-mimic's columns do not tell: lengths and scales."""

    def __init__(self, found: duckdb.DuckDBPyConnection) -> None:
        self._found = found
        described = [(str(name), str(kind)) for name, kind, *_ in found.description or ()]
        self.columns = [_column(name, kind) for name, kind in described]
        self.shapes = [_shape(kind) for _, kind in described]

    def __iter__(self) -> Iterator[list[tuple[Any, ...]]]:
        while rows := self._found.fetchmany(BATCH):
            yield rows


def _column(name: str, duckdb_type: str) -> ResultColumn:
    kind = ColumnType.NEWDECIMAL if duckdb_type.startswith("DECIMAL") else TYPES.get(duckdb_type, ColumnType.VAR_STRING)
    charset = CharacterSet.binary if duckdb_type == "BLOB" else CharacterSet.utf8mb4
    column = ResultColumn(name, kind, charset)
    column.use_default_text_encoder = kind != ColumnType.TINY  # faster, and the text of a value is what is wanted
    return column


def _shape(duckdb_type: str) -> tuple[int, int]:
    """A column's length, which counts the sign and the point of a decimal, and its scale."""
    if not duckdb_type.startswith("DECIMAL"):
        return 256, 0
    precision, scale = map(int, duckdb_type[8:-1].split(","))
    return precision + 2, scale


class Kind:
    """What tells MySQL and StarRocks apart: the names of settings, and the numbers of errors."""

    def __init__(self, version: str, limit: str, errors: Mapping[str, tuple[int, str]]) -> None:
        self.version = version
        self.limit = limit
        self.errors = errors


MYSQL = Kind(
    "8.4.3",
    "max_execution_time",
    {
        "syntax": (1064, "You have an error in your SQL syntax"),
        "forbidden": (1142, "SELECT command denied"),
        "table": (1146, "Table doesn't exist"),
        "column": (1054, "Unknown column"),
        "schema": (1049, "Unknown database"),
        "read only": (1792, "Cannot execute statement in a READ ONLY transaction."),
        "cancelled": (1317, "Query execution was interrupted"),
        "timeout": (3024, "Query execution was interrupted, maximum statement execution time exceeded"),
    },
)
STARROCKS = Kind(
    "8.0.33",
    "query_timeout",
    {
        "syntax": (1064, "Getting syntax error. Detail message:"),
        "forbidden": (5203, "Access denied; you need (at least one of) the SELECT privilege(s)"),
        "table": (5502, "Getting analyzing error. Detail message: Unknown table."),
        "column": (1064, "Getting analyzing error. Detail message:"),
        "schema": (1049, "Unknown database"),
        "cancelled": (1064, "Cancelled by user"),
        "timeout": (1064, "Query reached its timeout of 1 seconds, please increase the 'query_timeout' variable"),
    },
)


class Client(BaseSession):
    """One connection's statements."""

    def __init__(self, stub: Stub) -> None:
        self.variables = SessionVariables(GlobalVariables())
        self.username = self.database = None
        self._stub = stub
        self._kind = stub.kind
        self._settings: dict[str, str] = {"version": self._kind.version, self._kind.limit: "0"}
        self._session: Session | None = None

    async def init(self, connection: Connection) -> None:
        """Note who came."""
        loop = asyncio.get_running_loop()
        kill = lambda: loop.call_soon_threadsafe(connection.kill, KillKind.CONNECTION)  # noqa: E731
        self._session = self._stub.house.open(kill, connection.connection_id)
        self._session.log_in(self.username or "", BARRED.get(self.username or "", ""))
        self._session.application = connection.client_connect_attrs.get("program_name", "")
        if self.database:
            await self.use(self.database)

    async def close(self) -> None:
        """Forget the session."""
        if self._session is not None:
            self._session.close()

    async def reset(self) -> None:
        """Change nothing: who resets, logs in again."""

    async def use(self, database: str) -> None:
        """USE, and what the protocol has for it."""
        await self._run(f"SET schema = '{database}'")
        self.database = database

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> ResultSet | None:
        """Run one statement."""
        bare = re.sub(r"^\s*(/\*.*?\*/\s*)*", "", sql, flags=re.DOTALL)
        word, _, rest = bare.partition(" ")
        known = {"SET": self._set, "KILL": self._kill, "USE": self.use, "XA": self._xa, "START": self._start}
        if word.upper() in known:
            return await known[word.upper()](rest.strip("`; "))
        if word.upper() == "SHOW":
            return await self._show(rest)
        return await self._run(self._translated(sql))

    async def _set(self, settings: str) -> None:
        if settings.upper().startswith("CATALOG"):
            await self._run(f"SET VARIABLE catalog = '{settings.split()[1].strip('`')}'")
        for name, value in ASSIGNMENT.findall(settings):
            self._settings[name.lower()] = value.strip("'")

    async def _kill(self, target: str) -> None:
        self._stub.house.sessions[int(target.split()[-1])].stop()

    async def _xa(self, verb: str) -> None:
        if verb.startswith("START"):
            await self._start("")
        elif verb.startswith("ROLLBACK"):
            self._own.end(commit=False)

    async def _start(self, _: str) -> None:
        self._own.read_only = self._settings.get("transaction_read_only") == "1"
        self._own.begin()

    async def _show(self, what: str) -> ResultSet:
        if what.upper().startswith("CATALOGS"):
            return await self._run("SELECT name, 'Internal' AS type, NULL AS comment FROM mimic.catalogs")
        schema = what.split()[-1].strip("`")
        if self._own.barred == schema:
            raise self._error(Refused("forbidden", schema))
        if not self._stub.house.ask([f"SELECT 1 FROM duckdb_schemas() WHERE schema_name = '{schema}'"]):
            raise self._error(Refused("schema", schema))
        return await self._run(f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{schema}'")

    @property
    def _own(self) -> Session:
        assert self._session is not None
        return self._session

    def _translated(self, sql: str) -> str:
        """A statement in DuckDB's words; `information_schema` is a schema of views there."""
        sql = re.sub(r"@@(?:session\.)?(\w+)", lambda found: f"'{self._settings.get(found[1], '')}'", sql)
        explain, sql = ("EXPLAIN ", sql[8:]) if sql.upper().startswith("EXPLAIN ") else ("", sql)
        try:
            statements = sqlglot.transpile(sql.replace("information_schema.", "mimic."), read="mysql", write="duckdb")
        except sqlglot.errors.ParseError as error:
            raise self._error(Refused("syntax", str(error))) from error
        return explain + ";".join(statements)

    async def _run(self, sql: str) -> ResultSet:
        seconds = float(self._settings[self._kind.limit]) / (1000 if self._kind is MYSQL else 1)
        run = asyncio.get_running_loop().run_in_executor(None, self._own.run, sql, (), seconds)
        try:
            found = await run
        except Refused as refused:
            raise self._error(refused) from refused
        if not self._own.has_rows:
            found.fetchall()
            return ResultSet([], [])
        rows = Rows(found)
        return ResultSet(rows, rows.columns)

    def _error(self, refused: Refused) -> MysqlError:
        number, words = self._kind.errors.get(refused.kind, (1105, "Unknown error"))
        return MysqlError(f"{words} {refused}", number)


class Wire(Connection):
    """A connection that tells lengths and scales, streams its rows, and knows which databases there are."""

    async def authenticate(self, username: str, *rest: Any, **how: Any) -> None:
        """Refuse databases before the user is let in, as MySQL does with them after it."""
        database = self.session.database
        if database and BARRED.get(username) == database:
            await self._refuse(1044, f"Access denied for user '{username}' to database '{database}'")
        elif database and database not in ("app", "other", "closed"):
            await self._refuse(1049, f"Unknown database '{database}'")
        await super().authenticate(username, *rest, **how)

    async def _refuse(self, number: int, words: str) -> None:
        await self.stream.write(self.error(msg=words, code=number))
        raise ConnectionResetError

    async def write_text_resultset(self, result_set: ResultSet) -> None:
        """Columns, rows, end."""
        described = [
            make_column_definition_41(
                server_charset=self.server_charset,
                name=column.name,
                column_type=column.type,
                character_set=column.character_set,
                column_length=length,
                decimals=scale,
            )
            for column, (length, scale) in zip(result_set.columns, result_set.rows.shapes, strict=True)
        ]
        count = make_column_count(capabilities=self.capabilities, column_count=len(described))
        self.stream.write_many([count, *described, *([] if self.deprecate_eof() else [self.eof()])])
        for rows in result_set.rows:
            self.stream.write_text_rows(rows, result_set.columns)
            await self.stream.drain()
        await self.stream.write(self.ok_or_eof())


class CachingSha2(AuthPlugin):
    """MySQL 8's way to log in. Nothing is cached: the password comes in full, over TLS."""

    name = client_plugin_name = "caching_sha2_password"

    async def auth(self, auth_info: AuthInfo | None = None) -> AuthState:
        if auth_info is None:
            auth_info = yield os.urandom(20).hex()[:20].encode() + b"\0"
        auth_info = yield b"\x04"
        given = hashlib.sha256(auth_info.data.rstrip(b"\0")).hexdigest()
        yield Success(auth_info.username) if given == auth_info.user.auth_string else Forbidden()


class Users(IdentityProvider):
    """Who may log in; a stranger is told the same as one with a wrong password."""

    def __init__(self, passwords: Mapping[str, str], plugin: AuthPlugin) -> None:
        self._passwords = passwords
        self._plugin = plugin

    def get_plugins(self) -> Sequence[AuthPlugin]:
        return [self._plugin]

    async def get_user(self, username: str) -> User:
        password = self._passwords.get(username, os.urandom(16).hex())
        if isinstance(self._plugin, CachingSha2):
            return User(username, hashlib.sha256(password.encode()).hexdigest(), self._plugin.name)
        return User(username, NativePasswordAuthPlugin.create_auth_string(password), self._plugin.name)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose TLS begins with what the client sent of it together with its wish for TLS."""

    async def start_tls(self, transport: Any, protocol: Any, *rest: Any, **how: Any) -> Any:
        """asyncio leaves early bytes in the reader, and both sides would wait for ever."""
        buffer = protocol._stream_reader._buffer
        early = bytes(buffer)
        buffer.clear()
        self.call_later(0, self._feed, transport, early)
        return await super().start_tls(transport, protocol, *rest, **how)

    def _feed(self, transport: Any, early: bytes) -> None:
        tls = transport.get_protocol()
        while early:
            room = tls.get_buffer(len(early))
            size = min(len(room), len(early))
            room[:size] = early[:size]
            tls.buffer_updated(size)
            early = early[size:]


class Stub:
    """The server."""

    def __init__(self, kind: Kind, door: int) -> None:
        self.kind = kind
        self.house = House(SETUP)
        self.house.serve_door(door)

    async def serve(self, port: int, users: Users, tls: ssl.SSLContext | None) -> None:
        """Serve until stopped."""
        mimic.Connection = Wire
        server = mimic.MysqlServer(
            session_factory=lambda: Client(self), identity_provider=users, ssl=tls, control=LocalControl(1)
        )
        await server.serve_forever(host="127.0.0.1", port=port)


def main(port: str, door: str, user: str, password: str, *certificate: str) -> None:
    """Serve until stopped."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate)
    kind, plugin = (STARROCKS, NativePasswordAuthPlugin()) if user == "starrocks" else (MYSQL, CachingSha2())
    users = Users({user: password, "guest": "guest", "reader": "reader"}, plugin)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(Stub(kind, int(door)).serve(int(port), users, tls))


if __name__ == "__main__":
    main(*sys.argv[1:])
