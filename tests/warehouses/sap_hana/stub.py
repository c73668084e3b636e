"""A stub of SAP HANA: its network protocol for the real driver, SQL by DuckDB. See `sap_hana.py` for what it proves.

Run as `python -m tests.warehouses.sap_hana.stub PORT DOOR USER PASSWORD [CERTIFICATE KEY]`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import socketserver
import ssl
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from tests.warehouses.sap_hana import wire
from tests.warehouses.servers.duck import House, Refused

ERRORS = {
    "syntax": (257, "sql syntax error"),
    "forbidden": (258, "insufficient privilege"),
    "table": (259, "invalid table name"),
    "column": (260, "invalid column name"),
    "schema": (362, "invalid schema name"),
    "cancelled": (139, "current operation cancelled by request and transaction rolled back"),
    "timeout": (613, "execution aborted by timeout"),
    "read only": (7, "feature not supported: not allowed in a read-only transaction"),
}
DATABASE = "HXE"
BARRED = {"GUEST": "closed", "READER": "written"}
"""What users may not name in a statement."""
LOCKED = {"LOCKED": (416, "user is locked; try again later"), "EXPIRED": (414, "user is forced to change password")}
PARAMETER = re.compile(r"([<>]\s*)?\?")
"""A parameter is a number where it is compared by size, else a text: HANA would ask the column."""
QUOTED = re.compile(r"'[^']*'")
CANCEL = re.compile(r"ALTER SYSTEM CANCEL SESSION '(\d+)'")
SET_SCHEMA = re.compile(r'SET SCHEMA "(.*)"')
EXPLAIN = re.compile(r"EXPLAIN PLAN SET STATEMENT_NAME = '([^']*)' FOR (.*)", re.DOTALL)
FIRST = 32
"""Rows that come with the answer to a statement."""
SETUP = (Path(__file__).parent / "views.sql").read_text()


class Result:
    """A result that is fetched bit by bit. The protocol wants to be told with the last row that it is the last."""

    def __init__(self, kinds: Sequence[wire.Kind], found: duckdb.DuckDBPyConnection) -> None:
        self._kinds = kinds
        self._found = found
        self._ahead = found.fetchmany(1)

    def parts(self, handle: int, size: int) -> list[bytes]:
        """The parts that bring the next rows."""
        rows = self._ahead + (self._found.fetchmany(size - 1) if size > 1 else [])
        self._ahead = self._found.fetchmany(1)
        data = b"".join(kind.write(value) for row in rows for kind, value in zip(self._kinds, row, strict=True))
        left = 0 if self._ahead else wire.NOTHING_LEFT if rows else wire.NOTHING_FOUND
        return [
            wire.part(wire.PART_RESULT_ID, struct.pack("<q", handle)),
            wire.part(wire.PART_RESULT, data, len(rows), left),
        ]


class Client(socketserver.BaseRequestHandler):
    """One connection."""

    server: Stub

    def handle(self) -> None:
        """Serve it until it leaves."""
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, EOFError, struct.error):
            if self.server.tls is not None:
                self.request = stack.enter_context(self.server.tls.wrap_socket(self.request, server_side=True))
            self._read(14)
            self.request.sendall(b"\x04\x14\x00\x04\x01\x00\x00\x01")
            self._serve()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.request.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _serve(self) -> None:
        self.session = self.server.house.open(lambda: self.request.shutdown(socket.SHUT_RDWR))
        self.statements: dict[int, tuple[str, list[wire.Kind]]] = {}
        self.results: dict[int, Result] = {}
        self.handles = itertools.count(1)
        try:
            while True:
                header = self._read(32)
                message = wire.read(header, self._read(wire.length(header)))
                self.request.sendall(wire.numbered(self._answer(message), message.number))
                if message.kind == wire.DISCONNECT:
                    return
        finally:
            self.session.close()

    def _answer(self, message: wire.Message) -> bytes:
        if wire.PART_CLIENT_INFO in message.parts:
            reply = [value.decode() for value in wire.read_texts(message.parts[wire.PART_CLIENT_INFO])]
            self.session.application = dict(zip(reply[::2], reply[1::2], strict=True)).get("APPLICATION", "")
        answers = {
            wire.DATABASE_CONNECT_INFO: self._database,
            wire.AUTHENTICATE: self._challenge,
            wire.CONNECT: self._log_in,
            wire.EXECUTE_DIRECT: self._execute_direct,
            wire.PREPARE: self._prepare,
            wire.EXECUTE: self._execute,
            wire.FETCH_NEXT: self._fetch,
            wire.COMMIT: lambda _: self._end(commit=True),
            wire.ROLLBACK: lambda _: self._end(commit=False),
        }
        answer = answers.get(message.kind)
        return answer(message) if answer else self._reply([])

    def _reply(self, parts: Sequence[bytes], function: int = wire.OTHER) -> bytes:
        """A reply with the statement's context: only then does the driver tell us of time limits."""
        return wire.reply(self.session.number, [*parts, wire.CONTEXT], function)

    # ---- logging in ---------------------------------------------------------------------------------------------

    def _database(self, message: wire.Message) -> bytes:
        """Another database than ours is nowhere: not connected, and no other host to go to."""
        requested = message.parts[wire.PART_DATABASE_CONNECT_INFO]
        name = requested[4 : 4 + struct.unpack_from("<h", requested, 2)[0]].decode()
        connected = wire.option(4, name.upper() == DATABASE)
        return wire.reply(0, [wire.part(wire.PART_DATABASE_CONNECT_INFO, connected)])

    def _challenge(self, message: wire.Message) -> bytes:
        user, *methods = wire.read_texts(message.parts[wire.PART_AUTHENTICATION], 2)
        self.user = user.decode().upper()
        self.client_challenge = dict(zip(methods[::2], methods[1::2], strict=True))[b"SCRAMSHA256"]
        self.salt, self.challenge = os.urandom(16), os.urandom(48)
        answer = wire.fields(b"SCRAMSHA256", wire.fields(self.salt, self.challenge))
        return wire.reply(0, [wire.part(wire.PART_AUTHENTICATION, answer)])

    def _log_in(self, message: wire.Message) -> bytes:
        proof = wire.read_texts(message.parts[wire.PART_AUTHENTICATION], 2)[2][-32:]
        password = self.server.users.get(self.user)
        if password is None or not wire.scram_accepts(
            password, self.salt, self.challenge, self.client_challenge, proof
        ):
            return wire.error(self.session.number, 10, "authentication failed", "28000")
        if self.user in LOCKED:
            return wire.error(self.session.number, *LOCKED[self.user])
        self.session.log_in(self.user, BARRED.get(self.user, ""))
        options = [
            wire.option(1, self.session.number),
            wire.option(2, True),
            wire.option(3, "en_US"),
            wire.option(11, DATABASE),
            wire.option(12, 1),
            wire.option(14, True),
            wire.option(15, 0),
            wire.option(23, 8),
            wire.option(43, True),
            wire.option(44, "4.00.000.00.1700000000"),
        ]
        parts = [
            wire.part(wire.PART_AUTHENTICATION, wire.fields(b"SCRAMSHA256", b"")),
            wire.part(wire.PART_CONNECT_OPTIONS, b"".join(options), len(options)),
        ]
        return self._reply(parts, 14)

    # ---- statements ---------------------------------------------------------------------------------------------

    def _execute_direct(self, message: wire.Message) -> bytes:
        return self._run(wire.decoded(message.parts[wire.PART_COMMAND]), (), message)

    def _run(self, sql: str, parameters: Sequence[Any], message: wire.Message) -> bytes:
        if self._settles(sql):
            return self._reply([])
        try:
            if not message.commits:
                self.session.begin()
            limit = wire.timeout(message)
            return self._ran(self._translated(sql, limit), parameters, limit)
        except Refused as refused:
            code, words = ERRORS.get(refused.kind, (2, "general error"))
            return wire.error(self.session.number, code, f"{words}: {refused}")

    def _settles(self, sql: str) -> bool:
        """Whether a statement was HANA's own, with no rows."""
        if found := CANCEL.match(sql):
            self.server.house.sessions[int(found[1])].stop()
        elif sql == "SET TRANSACTION READ ONLY":
            self.session.read_only = True
        return bool(found) or sql == "SET TRANSACTION READ ONLY"

    def _translated(self, sql: str, limit: int) -> str:
        """What DuckDB has no words for, in words of its own; `query_timeout()` is the stub's, for the tests."""
        if found := SET_SCHEMA.match(sql):
            return f"SET schema = '{found[1]}'"
        sql = sql.replace("CURRENT_CONNECTION", str(self.session.number)).replace("query_timeout()", str(limit))
        if found := EXPLAIN.match(sql):
            plan = self.session.run(f"EXPLAIN {found[2]}").fetchall()[0][1]
            lines = plan.replace("'", "''")
            return f"INSERT INTO sys.explain_plan_table VALUES ('{found[1]}', 1, 'PLAN', '{lines}', NULL, 1, 1.5)"
        return sql

    def _ran(self, sql: str, parameters: Sequence[Any], timeout: float) -> bytes:
        found = self.session.run(sql, parameters, timeout)
        if not self.session.has_rows:
            changed = found.fetchall()
            count = changed[0][0] if changed and isinstance(changed[0][0], int) else 0
            return self._reply([wire.part(wire.PART_ROWS_AFFECTED, struct.pack("<i", count))], wire.DDL)
        described = [(str(column[0]), wire.kind(str(column[1]))) for column in found.description or ()]
        handle = next(self.handles)
        self.results[handle] = Result([kind for _, kind in described], found)
        return self._reply([wire.result_metadata(described), *self.results[handle].parts(handle, FIRST)], wire.SELECT)

    def _fetch(self, message: wire.Message) -> bytes:
        handle = struct.unpack("<q", message.parts[wire.PART_RESULT_ID])[0]
        size = struct.unpack("<i", message.parts[wire.PART_FETCH_SIZE])[0]
        return self._reply(self.results[handle].parts(handle, size)[1:], wire.FETCHED)

    def _prepare(self, message: wire.Message) -> bytes:
        sql = wire.decoded(message.parts[wire.PART_COMMAND])
        handle = next(self.handles)
        marks = PARAMETER.finditer(QUOTED.sub("''", sql))
        kinds = [wire.KINDS["BIGINT"] if mark[1] else wire.WORDS for mark in marks]
        self.statements[handle] = sql, kinds
        parts = [wire.part(wire.PART_STATEMENT, struct.pack("<q", handle))]
        if kinds:
            parts.append(wire.parameter_metadata(kinds))
        return self._reply(parts)

    def _execute(self, message: wire.Message) -> bytes:
        handle = struct.unpack("<q", message.parts[wire.PART_STATEMENT])[0]
        sql, _ = self.statements[handle]
        return self._run(sql, wire.read_parameters(message.parts.get(wire.PART_PARAMETERS, b"")), message)

    def _end(self, *, commit: bool) -> bytes:
        self.session.end(commit=commit)
        return self._reply([])


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
    users = {user: password, **{name: name.lower() for name in ("LOCKED", "EXPIRED", "GUEST", "READER")}}
    with Stub(int(port), house, users, tls) as stub:
        stub.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
