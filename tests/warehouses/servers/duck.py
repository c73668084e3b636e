"""What stubs run SQL on: DuckDB, with sessions that can be listed, stopped and ended, and a back door for the tests.

A stub speaks one warehouse's protocol to the real driver; the SQL behind it is DuckDB's, not the warehouse's.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Listener
from typing import Any

import duckdb

AUTHKEY = b"moorings-tests"
PAUSE = re.compile(r"\bpause\((\d+)\)", re.IGNORECASE)
"""Where a statement says `pause(30)`, it takes so many seconds, and no processor."""

WITH_ROWS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


class Refused(Exception):
    """What a statement failed with: `kind` is syntax, table, column, schema, cancelled, timeout or other."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Session:
    """One login: a connection of DuckDB's, and what it does now."""

    def __init__(self, number: int, house: House, disconnect: Callable[[], None]) -> None:
        self.number = number
        self.user = ""
        self.application = ""
        self.running = ""
        self.has_rows = False
        self.in_transaction = False
        self.read_only = False
        self.barred = ""
        self.house = house
        self._hang_up = disconnect
        self._connection = house.connection.cursor()
        self._stopped = threading.Event()
        self._why = ""

    def log_in(self, user: str, barred: str = "") -> None:
        """Note who this is, and the word that this user may not use: the stubs' only kind of permission."""
        self.user, self.barred = user, barred
        self._connection.execute("SET VARIABLE barred = ?", [barred])

    def variable(self, name: str) -> str | None:
        """A variable that `SET VARIABLE` set in this session."""
        return self._connection.execute("SELECT getvariable(?)", [name]).fetchall()[0][0]

    def begin(self) -> None:
        """Open a transaction, unless one is open."""
        if not self.in_transaction:
            self._connection.execute("BEGIN TRANSACTION READ ONLY" if self.read_only else "BEGIN TRANSACTION")
            self.in_transaction = True

    def end(self, *, commit: bool) -> None:
        """End the transaction, if one is open."""
        if self.in_transaction:
            self.in_transaction = self.read_only = False
            self._connection.execute("COMMIT" if commit else "ROLLBACK")

    def run(self, sql: str, parameters: Sequence[Any] = (), timeout: float = 0) -> duckdb.DuckDBPyConnection:
        """Run one statement; the connection that comes back has its description and rows.

        Raises Refused; an open transaction is rolled back then, as DuckDB would let nothing else happen in it.
        """
        self.running, self._why = sql, ""
        self.house.ran += 1
        self._stopped.clear()
        timer = threading.Timer(timeout, self.stop, ("timeout",)) if timeout else None
        if timer:
            timer.start()
        try:
            return self._run(sql, parameters)
        except duckdb.Error as error:
            self.end(commit=False)
            raise Refused(self._why or _kind(error), str(error).split("\n", maxsplit=1)[0]) from error
        finally:
            self.running = ""
            if timer:
                timer.cancel()

    def _run(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1:
            raise Refused("syntax", f"{len(statements)} statements, where there should be one")
        if self.barred and self.barred in sql:
            raise Refused("forbidden", "not authorized")
        self.has_rows = statements[0].type in WITH_ROWS
        if found := PAUSE.search(sql):
            if self._stopped.wait(int(found[1])):
                raise Refused(self._why, "the statement was stopped")
            sql = PAUSE.sub(found[1], sql)
        return self._connection.execute(sql, parameters or None)

    def stop(self, why: str = "cancelled") -> None:
        """Stop what runs, if anything does; from any thread."""
        if self.running:
            self._why = why
            self._stopped.set()
            self._connection.interrupt()

    def disconnect(self) -> None:
        """End the session, as an administrator does: the client is told no more, not even that it was stopped."""
        with contextlib.suppress(OSError):  # it may just have left
            self._hang_up()
        self.stop()

    def close(self) -> None:
        """Forget the session; an open transaction is rolled back."""
        self.house.sessions.pop(self.number, None)
        self._connection.close()


def _kind(error: duckdb.Error) -> str:
    text = str(error)
    if isinstance(error, duckdb.ParserException):
        return "syntax"
    if "Schema" in text and "does not exist" in text:
        return "schema"
    if isinstance(error, duckdb.CatalogException):
        return "table"
    if "read-only" in text or "READ ONLY" in text:
        return "read only"
    return "column" if isinstance(error, duckdb.BinderException) else "other"


class House:
    """The database of a stub, and the sessions that are in it."""

    def __init__(self, setup: str) -> None:
        self.connection = duckdb.connect(":memory:", config={"threads": 1})
        self.connection.execute(setup)
        self.sessions: dict[int, Session] = {}
        self.ran = 0
        """How many statements were run, but for those of the back door."""
        self._numbers = itertools.count(100_001)

    def open(self, disconnect: Callable[[], None], number: int | None = None) -> Session:
        """A session for a client that has just come; `disconnect` ends its connection."""
        session = Session(number or next(self._numbers), self, disconnect)
        self.sessions[session.number] = session
        return session

    def serve_door(self, port: int) -> None:
        """Answer the back door, in a thread of its own."""
        listener = Listener(("127.0.0.1", port), authkey=AUTHKEY)
        threading.Thread(target=self._answer, args=(listener,), daemon=True).start()

    def _answer(self, listener: Listener) -> None:
        while True:
            with contextlib.suppress(EOFError, OSError), listener.accept() as requested:
                self._reply(requested)

    def _reply(self, requested: Connection) -> None:
        verb, *rest = requested.recv()
        answers = {
            "ask": self.ask,
            "running": self._running,
            "sessions": lambda: len(self.sessions),
            "statements": lambda: self.ran,
            "kill": lambda number: self.sessions[number].disconnect(),
        }
        try:
            requested.send(answers[verb](*rest))
        except duckdb.Error as error:
            requested.send(error)

    def ask(self, statements: Sequence[str]) -> list[tuple[Any, ...]]:
        """Run statements as the database itself; returns the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with self.connection.cursor() as cursor:
            for statement in statements:
                rows = cursor.execute(statement).fetchall()
        return rows

    def _running(self) -> list[tuple[str, str]]:
        return [(session.running, session.application) for session in list(self.sessions.values()) if session.running]
