"""A stub of Exasol: its WebSocket API v3 for the real driver, SQL by DuckDB. See `exasol.py` for what it proves.

Run as `python -m tests.warehouses.exasol.stub PORT DOOR USER PASSWORD [CERTIFICATE KEY]`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import itertools
import json
import queue
import re
import socket
import socketserver
import ssl
import sys
import threading
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.warehouses.servers import stub_websocket as websocket
from tests.warehouses.servers.duck import House, Refused

ERRORS = {
    "syntax": ("42000", "syntax error"),
    "forbidden": ("42500", "insufficient privileges"),
    "table": ("42000", "object not found"),
    "column": ("42000", "object not found"),
    "schema": ("42000", "schema not found"),
    "cancelled": ("R0003", "Query terminated because it was killed."),
    "timeout": ("R0001", "Query terminated because timeout has been reached."),
}
BARRED = {"GUEST": "closed", "READER": "written"}
"""What users may not name in a statement."""
FIRST, LATER = 1000, 5000
"""Rows that come with the answer to a statement, and with each fetch after it."""
OPEN_SCHEMA = re.compile(r'OPEN SCHEMA "(.*)"')
ALTER_SESSION = re.compile(r"ALTER SESSION SET (\w+) = '(.*)'")
KILL = re.compile(r"KILL STATEMENT IN SESSION (\d+)")
MARK = re.compile(r"([<>]\s*)?\?")
QUOTED = re.compile(r"'[^']*'")
INTEGERS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 36}
NUMBER: Mapping[str, Any] = {"type": "DECIMAL", "precision": 18, "scale": 0}
TEXT: Mapping[str, Any] = {"type": "VARCHAR", "size": 2_000_000, "characterSet": "UTF8"}
SETUP = (Path(__file__).parent / "views.sql").read_text()
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()

Message = Mapping[str, Any]


class Client(socketserver.BaseRequestHandler):
    """One connection: a thread reads what is asked, since a client may leave while its statement runs."""

    server: Stub

    def handle(self) -> None:
        """Serve it until it leaves."""
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, EOFError):
            if self.server.tls is not None:
                self.request = stack.enter_context(self.server.tls.wrap_socket(self.request, server_side=True))
            websocket.accept(self.request)
            self._serve()

    def _serve(self) -> None:
        self.session = self.server.house.open(lambda: self.request.shutdown(socket.SHUT_RDWR))
        self.requested: queue.Queue[Message | None] = queue.Queue()
        self.attributes: dict[str, Any] = {"autocommit": True, "currentSchema": "", "queryTimeout": 0}
        self.results: dict[int, pa.Table] = {}
        self.statements: dict[int, str] = {}
        self.handles = itertools.count(1)
        listening = threading.Thread(target=self._listen, daemon=True)
        listening.start()
        try:
            while (message := self.requested.get()) is not None:
                answer = self._answer(message)
                websocket.send(self.request, json.dumps(answer).encode())
                if message.get("command") == "disconnect":
                    websocket.send(self.request, b"", websocket.CLOSE)
                    return
        finally:
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
            listening.join()  # or it would read from the next connection, which gets the number of this one's socket
            self.session.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                self.requested.put(json.loads(websocket.receive(self.request)))
        self.session.stop()
        self.requested.put(None)

    def _answer(self, message: Message) -> Message:
        answers = {
            "login": lambda _: _ok({"publicKeyPem": PEM}),
            "execute": lambda message: self._run(message["sqlText"], ()),
            "createPreparedStatement": self._prepare,
            "executePreparedStatement": self._execute,
            "fetch": self._fetch,
        }
        self.attributes |= message.get("attributes", {})
        if "username" in message:
            return self._log_in(message)
        answer = answers.get(message.get("command", ""), lambda _: _ok({}))
        return {**answer(message), "attributes": self.attributes}

    def _log_in(self, message: Message) -> Message:
        user = message["username"].upper()
        try:
            password = KEY.decrypt(base64.b64decode(message["password"]), padding.PKCS1v15()).decode()
        except ValueError:
            password = None
        if password is None or self.server.users.get(user) != password:
            return _error("08004", "Connection exception - authentication failed.")
        self.session.log_in(user, BARRED.get(user, ""))
        self.session.application = f"{message['clientName']} {message['clientOsUsername']}"
        return _ok({"sessionId": self.session.number, "protocolVersion": 3, "releaseVersion": "8.32.0"})

    # ---- statements ---------------------------------------------------------------------------------------------

    def _run(self, sql: str, parameters: Sequence[Any]) -> Message:
        if sql in ("COMMIT", "ROLLBACK"):
            self.session.end(commit=sql == "COMMIT")
            return _count(0)
        if found := KILL.fullmatch(sql):
            return self._kill(int(found[1]))
        try:
            if not self.attributes["autocommit"]:
                self.session.begin()
            found = self.session.run(self._translated(sql), parameters, self.attributes["queryTimeout"])
            return self._described(found)
        except Refused as refused:
            code, words = ERRORS.get(refused.kind, ("22000", "data exception"))
            return _error(code, f"{words}: {refused}")

    def _kill(self, number: int) -> Message:
        session = self.server.house.sessions.get(number)
        if session is None or session.user != self.session.user:
            return _error("42500", "insufficient privileges for killing this session")
        session.stop()
        return _count(0)

    def _translated(self, sql: str) -> str:
        """What DuckDB has no words for, in words of its own; `query_timeout()` is the stub's, for the tests."""
        if found := OPEN_SCHEMA.match(sql):
            return f"SET schema = '{found[1]}'"
        if found := ALTER_SESSION.match(sql):
            return f"SET VARIABLE {found[1].lower()} = '{found[2]}'"
        sql = sql.replace("query_timeout()", str(self.attributes["queryTimeout"]))
        sql = sql.replace("SESSIONTIMEZONE", f"'{self._zone()}'")
        return sql.replace("CURRENT_USER", f"'{self.session.user}'")

    def _zone(self) -> str:
        """The session's time zone, which Exasol writes in capitals, as the tests know it."""
        reply = self.session.variable("time_zone")
        return next(zone for zone in zoneinfo.available_timezones() if zone.upper() == reply)

    def _described(self, found: duckdb.DuckDBPyConnection) -> Message:
        if not self.session.has_rows:
            changed = found.fetchall()
            return _count(changed[0][0] if changed and isinstance(changed[0][0], int) else 0)
        table = found.to_arrow_table()
        kinds = [_type(str(column[1])) for column in found.description or ()]
        columns = [{"name": name, "dataType": kind} for name, kind in zip(table.column_names, kinds, strict=True)]
        result: dict[str, Any] = {"numColumns": len(columns), "columns": columns, "numRows": table.num_rows}
        if table.num_rows > FIRST:
            handle = next(self.handles)
            self.results[handle] = table
            result |= {"resultSetHandle": handle, "numRowsInMessage": 0}
        else:
            result |= {"numRowsInMessage": table.num_rows, "data": self._data(table)}
        return _ok({"numResults": 1, "results": [{"resultType": "resultSet", "resultSet": result}]})

    def _data(self, rows: pa.Table) -> list[list[Any]]:
        """Columns of values, as JSON has them."""
        fraction = 9 if "FF9" in (self.session.variable("nls_timestamp_format") or "") else 6
        return [[_value(value, fraction) for value in column.to_pylist()] for column in rows.columns]

    def _fetch(self, message: Message) -> Message:
        start = message["startPosition"]
        rows = self.results[message["resultSetHandle"]].slice(start, LATER)
        return _ok({"numRows": rows.num_rows, "data": self._data(rows)})

    def _prepare(self, message: Message) -> Message:
        """A statement whose parameters are numbers where they are compared by size, else texts."""
        handle = next(self.handles)
        self.statements[handle] = message["sqlText"]
        marks = MARK.finditer(QUOTED.sub("''", message["sqlText"]))
        kinds = [NUMBER if mark[1] else TEXT for mark in marks]
        columns = [{"name": "", "dataType": kind} for kind in kinds]
        return _ok({"statementHandle": handle, "parameterData": {"numColumns": len(kinds), "columns": columns}})

    def _execute(self, message: Message) -> Message:
        if message["numColumns"] != len(message["data"]):
            return _error("42000", "wrong number of parameters")
        return self._run(self.statements[message["statementHandle"]], [column[0] for column in message["data"]])


def _ok(data: Mapping[str, Any]) -> Message:
    return {"status": "ok", "responseData": data}


def _count(rows: int) -> Message:
    return _ok({"numResults": 1, "results": [{"resultType": "rowCount", "rowCount": rows}]})


def _error(code: str, text: str) -> Message:
    return {"status": "error", "exception": {"sqlCode": code, "text": text}}


def _type(duckdb_type: str) -> Mapping[str, Any]:
    """What the protocol says of a column of this type."""
    if duckdb_type.startswith("DECIMAL"):
        precision, scale = map(int, duckdb_type[8:-1].split(","))
        return {"type": "DECIMAL", "precision": precision, "scale": scale}
    if duckdb_type in INTEGERS:
        return {"type": "DECIMAL", "precision": INTEGERS[duckdb_type], "scale": 0}
    if duckdb_type == "TIMESTAMP WITH TIME ZONE":
        return {"type": "TIMESTAMP WITH LOCAL TIME ZONE", "withLocalTimeZone": True}
    known = {"BOOLEAN": "BOOLEAN", "DOUBLE": "DOUBLE", "FLOAT": "DOUBLE", "DATE": "DATE", "TIMESTAMP": "TIMESTAMP"}
    return {"type": known[duckdb_type]} if duckdb_type in known else TEXT


def _value(value: Any, fraction: int) -> Any:
    """A value as JSON has it: what a double would not hold exactly is a string."""
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f") + "0" * (fraction - 6)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return str(value)
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


class Stub(socketserver.ThreadingTCPServer):
    """The server."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, house: House, users: Mapping[str, str], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), Client)
        self.house = house
        self.users = users
        self.tls = tls


def main(port: str, door: str, user: str, password: str, *certificate: str) -> None:
    """Serve until stopped."""
    house = House(SETUP)
    house.serve_door(int(door))
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate)
    users = {user: password, "GUEST": "guest", "READER": "reader"}
    with Stub(int(port), house, users, tls) as stub:
        stub.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
