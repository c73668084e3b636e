"""The process of one session: it holds the driver, runs the service's calls, and ends with the service."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import queue
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from moorings import errors
from moorings.dialects.base import Dialect, Session, SessionContext, Statement
from moorings.dialects.network.dialing import Network
from moorings.engine.batches import Batches
from moorings.engine.process import messages
from moorings.engine.process.messages import Wire

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


@dataclass(frozen=True, slots=True)
class RemoteNetwork(Network):
    """The network of the service: the service resolves and checks each host."""

    questions: ServiceClient = field(kw_only=True)

    def addresses(self, host: str, port: int, *fields: str) -> Sequence[str]:
        """The checked addresses of a host."""
        return self.questions.ask("addresses", host, port, *fields)

    def check(self, host: str, port: int, database: str | None, *fields: str) -> Sequence[str]:
        """The checked addresses for a login to a database."""
        return self.questions.ask("check", host, port, database, *fields)

    def route(self, host: str, port: int, *fields: str) -> Sequence[str] | None:
        """The addresses to dial for HTTP."""
        return self.questions.ask("route", host, port, *fields)


class ServiceClient:
    """Requests of this process to the service, one at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._asking = threading.Lock()
        self.answers: queue.SimpleQueue[tuple[int, Sequence[Any]]] = queue.SimpleQueue()

    def ask(self, question: str, *arguments: Any) -> Any:
        """The answer to a request; raises a WarehouseError that the service sends."""
        with self._asking:
            self._wire.say(messages.ASK, question, *arguments)
            kind, values = self.answers.get()
        if kind == messages.FAULT:
            raise messages.fault(*values)
        return values[0]


class Host:
    """The session, and the calls that the service may make."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.questions = ServiceClient(wire)
        self.calls: queue.SimpleQueue[Sequence[Any]] = queue.SimpleQueue()
        self.cancelling = threading.Event()
        self._dialect: Dialect | None = None
        self._secrets: Sequence[str] = ()
        self._session: Session | None = None
        self._reader: Batches | None = None

    def work(self) -> None:
        """Run the calls one by one, in the driver's thread."""
        while True:
            name, *arguments = self.calls.get()
            try:
                answer = getattr(self, f"_{name}")(*arguments) if name in OWN else self._other(name, *arguments)
            except Exception as error:  # noqa: BLE001  # drivers raise what they like; this is the one border
                messages.say_fault(self._wire, self._translated(error))
            else:
                self._answer(answer)
            if name == "close":
                return

    def _answer(self, answer: Any) -> None:
        if isinstance(answer, pa.Buffer):
            self._wire.send(messages.BATCH, answer)
        else:
            self._wire.say(messages.DONE, answer)

    def _translated(self, error: Exception) -> errors.WarehouseError:
        if self._dialect is None or isinstance(error, errors.WarehouseError):
            return error if isinstance(error, errors.WarehouseError) else errors.UnknownFault()
        return self._dialect.translate(error, self._secrets)

    def _open(self, dialect: Dialect, config: ConnectionConfig, context: SessionContext) -> Any:
        """Log in."""
        self._dialect, self._secrets = dialect, tuple(config.secrets().values())
        way = context.network
        network = RemoteNetwork(None, way.proxy, way.ca_bundle, questions=self.questions)
        self._session = dialect.connect(config, replace(context, network=network))
        return self._session.id, self._session.encrypted, self._session.transport

    def _query(self, statement: Statement) -> pa.Buffer:
        """Run a statement; its schema."""
        self._reader = Batches(
            self._opened.query(statement), statement.limits, exact=statement.exact, numeric_as=statement.numeric_as
        )
        return _stream(self._reader.schema)

    def _next(self) -> pa.Buffer | None:
        """The next batch."""
        batch = None if self._reader is None else self._reader.next()
        if batch is None:
            self._reader = None
            return None
        return _stream(batch.schema, batch)

    def _reset(self) -> bool:
        """Close the open result, and reset the session."""
        self._reader = None
        return self._opened.reset()

    def _other(self, name: str, *arguments: Any) -> Any:
        return getattr(self._opened, name)(*arguments)

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise errors.SessionLost
        return self._session

    def cancel(self) -> None:
        """Cancel whenever the service asks for it; in a thread of its own."""
        while self.cancelling.wait():
            self.cancelling.clear()
            if self._session is not None:
                with contextlib.suppress(Exception):  # the service asks again until the statement is over
                    self._session.cancel()

    def listen(self) -> None:
        """Receive the service's messages; ends this process when the service is gone."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                kind, body = self._wire.receive()
                if kind == messages.CANCEL:
                    self.cancelling.set()
                    continue
                values = pickle.loads(body)  # noqa: S301  # from the service, over its own pair of sockets
                if kind == messages.CALL:
                    self.calls.put(values)
                else:
                    self.questions.answers.put((kind, values))
        os._exit(0)


def _stream(schema: pa.Schema, *batches: pa.RecordBatch) -> pa.Buffer:
    """Arrow's stream format; dictionaries are in it."""
    sink = pa.BufferOutputStream()
    stream = pa.ipc.new_stream(sink, schema)
    for batch in batches:
        stream.write_batch(batch)
    stream.close()
    return sink.getvalue()


OWN = frozenset({"open", "query", "next", "reset"})
"""Calls that need more than a session's method."""


def end_with(parent: int) -> None:
    """Have the system kill this process when the service ends, even if the driver hangs. Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def main() -> None:
    """Serve one session, over the descriptor that was inherited."""
    descriptor, parent = map(int, sys.argv[1:])
    end_with(parent)
    wire = Wire(socket.socket(fileno=descriptor))
    host = Host(wire)
    for work in (host.listen, host.cancel):
        threading.Thread(target=work, daemon=True).start()
    wire.say(messages.HELLO)
    host.work()
    os._exit(0)


if __name__ == "__main__":
    main()
