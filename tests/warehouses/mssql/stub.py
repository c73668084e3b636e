"""A server of TDS 7.4 in this process: encryption, logins, batches, calls, attentions, sessions that can be listed.

Speaks the protocol to the real driver; what statements do is `tds_sql`'s. It gives Entra's half of a login as well: it
tells the driver where to fetch a token, and takes the token.
"""

from __future__ import annotations

import contextlib
import queue
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.warehouses.mssql import wire
from tests.warehouses.mssql.sql import DATABASES, OWNER, Database, Engine, Refused, Result, Stopped
from tests.warehouses.mssql.values import Reader, described, row
from tests.warehouses.mssql.wire import changed, done, message, short, token, utf16

VERSION = struct.pack(">BBHH", 16, 0, 4085, 0)
OFF, ON, UNSUPPORTED, REQUIRED = 0, 1, 2, 3
"""What the two sides say of encryption in PRELOGIN."""
FEDAUTH_OPTION, FEDAUTH_FEATURE = 6, 2
ADAL = 2
"""The kind of login for which the server says where tokens are to be had."""
RUN_SQL, RUN_PREPARED, PREPARE_AND_RUN, UNPREPARE = 10, 12, 13, 15


@dataclass
class Stub:
    """What the server is told to be, and what it saw."""

    certificate: Path | None = None
    key: Path | None = None
    tokens_at: str = ""
    """Where Entra's tokens are fetched; the server only passes it on."""
    principals: Mapping[str, str] = field(default_factory=dict[str, str])
    """Token → the user that it stands for."""
    database: Database = field(default_factory=Database)
    sessions: dict[int, Session] = field(default_factory=dict[int, "Session"])
    logins: list[Login] = field(default_factory=list["Login"])

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the owner, past the protocol; returns the rows of the last one."""
        engine = Engine(self.database, OWNER, "app", 0)
        rows: list[tuple[Any, ...]] = []
        try:
            for statement in statements:
                results = [[tuple(row) for rows in result.rows for row in rows] for result in engine.run(statement, {})]
                rows = results[-1] if results else []
        finally:
            engine.close()
        return rows


@dataclass(frozen=True)
class Login:
    """What LOGIN7 said, its password left out."""

    user: str
    database: str
    application: str
    read_only_intent: bool
    encrypted: bool


class Session(socketserver.BaseRequestHandler):
    """One connection: this thread runs what it sends, another one reads ahead, so that an attention is heard."""

    server: Server

    def handle(self) -> None:
        self._wire = wire.Wire(self.request)
        self._engine: Engine | None = None
        self._attentions, self._answered = 0, 0
        self._prepared: dict[int, str] = {}
        with contextlib.suppress(EOFError, OSError, ssl.SSLError):
            if self._log_in():
                self._serve()
        if self._engine is not None:
            self.server.stub.sessions.pop(self._id, None)
            self._engine.close()

    @property
    def user(self) -> str:
        return self._engine.user if self._engine else ""

    @property
    def running(self) -> str:
        """The batch that runs now."""
        return self._engine.batch if self._engine else ""

    def kill(self) -> None:
        """What KILL does: the client is told no more, not even that its statement was stopped."""
        self._wire.disconnect()
        if self._engine is not None:
            self._engine.stop()

    # ---- logging in -------------------------------------------------------------------------------------------

    def _log_in(self) -> bool:
        stub = self.server.stub
        requested = _options(self._wire.receive()[1])
        wants = requested.get(1, bytes([UNSUPPORTED]))[0]
        able = stub.certificate is not None
        agreed = (OFF if wants == OFF else ON) if able and wants != UNSUPPORTED else UNSUPPORTED
        answer = {0: VERSION, 1: bytes([agreed]), 2: b"\0", 3: b"", 4: b"\0"}
        if FEDAUTH_OPTION in requested:
            answer[FEDAUTH_OPTION] = b"\x01"
        self._wire.send(_prelogin(answer))
        if stub.certificate and stub.key and agreed != UNSUPPORTED:
            self._wire.encrypt(stub.certificate, stub.key)
        login = _Login7(self._wire.receive()[1])
        if agreed == OFF:
            self._wire.decrypt()
        stub.logins.append(Login(login.user, login.database, login.application, login.read_only_intent, agreed == ON))
        try:
            user = self._authenticated(login)
            self._open(user, login)
        except Refused as refused:
            self._wire.send(message(refused.number, refused.text, severity=14) + done(wire.ERROR))
            return False
        return True

    def _authenticated(self, login: _Login7) -> str:
        stub = self.server.stub
        if login.fedauth is None:
            known = stub.database.users.get(login.user)
            if known is None or known.password != login.password:
                raise Refused(18456, f"Login failed for user '{login.user}'.")
            return login.user
        kind, given = login.fedauth[0] >> 1, login.fedauth
        if kind == ADAL:
            self._wire.send(_fedauth_info(stub.tokens_at, "https://database.windows.net/"))
            given = self._wire.receive()[1]
        text = given[8:] if kind == ADAL else given[5:]
        user = stub.principals.get(text.decode("utf-16-le", "replace"))
        if user is None:
            raise Refused(18456, "Login failed for user '<token-identified principal>'.")
        return user

    def _open(self, user: str, login: _Login7) -> None:
        stub = self.server.stub
        database = login.database or "master"
        if database not in DATABASES or database not in stub.database.users[user].databases:
            text = f'Cannot open database "{database}" requested by the login. The login failed.'
            self._wire.buffer(message(4060, text, severity=11))
            raise Refused(18456, f"Login failed for user '{user}'.")
        self._id = self.server.next_id()
        self._engine = Engine(stub.database, user, database, self._id)
        stub.sessions[self._id] = self
        name = "Microsoft SQL Server"
        body = struct.pack(">BI", 1, 0x74000004) + short(name) + struct.pack(">BBH", 16, 0, 4085)
        collation = token(0xE3, b"\x07\x05" + wire.COLLATION + b"\0")
        acknowledged = b"" if login.fedauth is None else b"\xae\x02" + struct.pack("<I", 0) + b"\xff"
        self._wire.send(
            changed(1, database, "master")
            + collation
            + token(0xAD, body)
            + changed(4, str(wire.PACKET_BYTES), str(wire.PACKET_BYTES))
            + acknowledged
            + done()
        )

    # ---- statements -------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        requested: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._read_ahead, args=(requested,), daemon=True).start()
        while (came := requested.get())[0]:
            kind, body = came
            if kind == wire.ATTENTION:
                self._acknowledge()
            elif kind == wire.TRANSACTION:
                self._wire.send(done())
            else:
                self._answer(kind, body)

    def _read_ahead(self, requested: queue.SimpleQueue[tuple[int, bytes]]) -> None:
        try:
            while True:
                kind, body = self._wire.receive()
                if kind == wire.ATTENTION and self._engine is not None:
                    self._attentions += 1
                    self._engine.stop()
                requested.put((kind, body))
        except (EOFError, OSError, ssl.SSLError):
            requested.put((0, b""))
            if self._engine is not None:
                self._engine.stop()

    def _acknowledge(self) -> None:
        """Say once for each attention that nothing runs any more."""
        if self._answered < self._attentions:
            self._answered += 1
            self._wire.send(done(wire.ATTENTION_DONE))

    def _answer(self, kind: int, body: bytes) -> None:
        if self._wire.reset_asked and self._engine is not None:
            self._engine.reset()
        body = body[struct.unpack_from("<I", body)[0] :]
        if kind == wire.BATCH:
            self._run(body.decode("utf-16-le"), {}, 0xFD, done)
        else:
            self._call(_Call.read(body))

    def _call(self, call: _Call) -> None:
        """sp_executesql, and what drivers prepare statements with."""
        returned = struct.pack("<Bi", 0x79, 0)
        if call.procedure == RUN_SQL:
            self._run(call.values[0][1], call.parameters(2), 0xFF, lambda: returned + done(kind=0xFE))
        elif call.procedure == PREPARE_AND_RUN:
            self._prepared[len(self._prepared) + 1] = sql = call.values[2][1]
            handle = b"\xac\0\0\0\x01\0\0\0\0\0\0\x26\x04\x04" + struct.pack("<i", len(self._prepared))
            self._run(sql, call.parameters(3), 0xFF, lambda: returned + handle + done(kind=0xFE))
        elif call.procedure == RUN_PREPARED:
            sql = self._prepared[call.values[0][1]]
            self._run(sql, call.parameters(1), 0xFF, lambda: returned + done(kind=0xFE))
        elif call.procedure == UNPREPARE:
            self._wire.send(returned + done(kind=0xFE))
        else:
            text = f"Could not find stored procedure '{call.procedure}'."
            self._wire.send(message(2812, text) + done(wire.ERROR, kind=0xFE))

    def _run(self, sql: str, parameters: Mapping[str, Any], kind: int, ended: Callable[[], bytes]) -> None:
        assert self._engine is not None
        try:
            for result in self._engine.run(sql, parameters):
                self._send(result, kind)
        except Stopped:
            self._answered += 1
            self._wire.send(done(wire.ATTENTION_DONE))
        except Refused as refused:
            error = message(refused.number, refused.text, severity=refused.severity)
            self._wire.send(error + done(wire.ERROR, kind=0xFD if kind == 0xFD else 0xFE))
        else:
            self._wire.send(ended())

    def _send(self, result: Result, kind: int) -> None:
        rows = 0
        if result.columns:
            metadata, encoders = described(result.columns)
            self._wire.buffer(metadata)
            for values in result.rows:
                rows += len(values)
                self._wire.buffer(b"".join(row(each, encoders) for each in values))
        counted = rows if result.columns else result.changed
        if counted is not None:
            self._wire.buffer(done(wire.COUNT | wire.MORE, counted, kind=kind))


class Server(socketserver.ThreadingTCPServer):
    """Listens on loopback, a thread a connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, stub: Stub) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.stub = stub
        self._last_id = 50
        self._lock = threading.Lock()

    def next_id(self) -> int:
        with self._lock:
            self._last_id += 1
            return self._last_id


@contextlib.contextmanager
def serving(stub: Stub) -> Iterator[int]:
    """The stub, listening for the block; its port."""
    with Server(stub) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
            for session in list(stub.sessions.values()):
                session.kill()


# ---- the login's messages ---------------------------------------------------------------------------------------


def _options(body: bytes) -> dict[int, bytes]:
    options, place = {}, 0
    while body[place] != 0xFF:
        kind, offset, length = struct.unpack_from(">BHH", body, place)
        options[kind] = body[offset : offset + length]
        place += 5
    return options


def _prelogin(options: Mapping[int, bytes]) -> bytes:
    heads, values, offset = b"", b"", 5 * len(options) + 1
    for kind, value in options.items():
        heads += struct.pack(">BHH", kind, offset + len(values), len(value))
        values += value
    return heads + b"\xff" + values


class _Login7:
    """The LOGIN7 message."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.user, self.application, self.database = self._text(1), self._text(3), self._text(8)
        scrambled = self._bytes(2)
        self.password = bytes(_nibbles(byte ^ 0xA5) for byte in scrambled).decode("utf-16-le")
        self.read_only_intent = bool(body[26] & 0x20)
        self.fedauth = self._feature(FEDAUTH_FEATURE) if body[27] & 0x10 else None

    def _bytes(self, place: int) -> bytes:
        offset, length = struct.unpack_from("<HH", self._body, 36 + 4 * place)
        return self._body[offset : offset + 2 * length]

    def _text(self, place: int) -> str:
        return self._bytes(place).decode("utf-16-le")

    def _feature(self, expected: int) -> bytes | None:
        pointer = struct.unpack_from("<H", self._body, 36 + 4 * 5)[0]
        place = struct.unpack_from("<I", self._body, pointer)[0]
        while (kind := self._body[place]) != 0xFF:
            length = struct.unpack_from("<I", self._body, place + 1)[0]
            if kind == expected:
                return self._body[place + 5 : place + 5 + length]
            place += 5 + length
        return None


def _nibbles(byte: int) -> int:
    return (byte & 0x0F) << 4 | byte >> 4


def _fedauth_info(tokens_at: str, audience: str) -> bytes:
    places, values, offset = b"", b"", 4 + 2 * 9
    for kind, text in ((1, tokens_at), (2, audience)):
        raw = utf16(text)
        places += struct.pack("<BII", kind, len(raw), offset + len(values))
        values += raw
    body = struct.pack("<I", 2) + places + values
    return b"\xee" + struct.pack("<I", len(body)) + body


@dataclass(frozen=True)
class _Call:
    """A call of a stored procedure: which one, and its parameters with their names."""

    procedure: int | str
    values: list[tuple[str, Any]]

    @classmethod
    def read(cls, body: bytes) -> _Call:
        reader = Reader(body)
        length = reader.number("H")
        procedure = reader.number("H") if length == 0xFFFF else reader.text(length)
        reader.take(2)
        values: list[tuple[str, Any]] = []
        while reader.left():
            name = reader.text(reader.number("B"))
            reader.take(1)
            values.append((name.lstrip("@"), reader.value()))
        return cls(procedure, values)

    def parameters(self, first: int) -> dict[str, Any]:
        return {name or f"P{place}": value for place, (name, value) in enumerate(self.values[first:], 1)}
