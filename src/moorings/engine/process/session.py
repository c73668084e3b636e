"""The service's end of a session that lives in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moorings import errors, settings
from moorings.dialects.base import Dialect, Session, SessionContext, Statement
from moorings.dialects.network.dialing import Network
from moorings.engine.process import messages
from moorings.engine.process.memory import ProcessMemory
from moorings.engine.process.messages import Wire

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.config.connection import ConnectionConfig
    from moorings.dialects.introspection import Plan, Scope, Table

CHILD = "moorings.engine.process.child"
REAPED_SECONDS = 1.0
LONGEST_GREETING = 65_536
MESSAGE_ROOM = 4
"""How often the limit of a result fits into a message: a catalog takes more room than its rows did on the wire."""


class ProcessSession(Session):
    """A session whose driver runs in a process of its own; `sever` kills that process at any time.

    `start` and `open` come first. Faults arrive translated and redacted.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._network = Network()
        self._severed = False
        self._memory: ProcessMemory | None = None

    def start(self) -> None:
        """Start the process, and wait until it can be called. Raises SessionLost when it ends instead."""
        ours, theirs = socket.socketpair()
        self._wire = Wire(ours, LONGEST_GREETING)
        try:
            with theirs:
                process = _started(theirs.fileno())
        except OSError:  # the system starts no more processes
            ours.close()
            raise
        with self._guard:
            self._process = process
            severed = self._severed
        if severed:
            process.kill()
        self._outcome()

    def open(self, dialect: Dialect, config: ConnectionConfig, context: SessionContext) -> None:
        """Log in there, at addresses that are checked here; raises the translated fault of the login."""
        self._network = context.network
        apart = replace(context, network=Network(None, self._network.proxy, self._network.ca_bundle))
        most = context.limits.buffer + 2 * context.limits.batch
        self._connected.max_bytes = MESSAGE_ROOM * most
        self._memory = ProcessMemory(self._pid, most, self.sever)
        try:
            self.id, self.encrypted, self.transport = self._call("open", dialect, config, apart)
        except BaseException:
            self._end()
            raise
        self._memory.logged_in()

    # ---- calls --------------------------------------------------------------------------------------------------

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call the process; raises its WarehouseError, SessionLost when it is gone, ResultTooLarge when it grew."""
        with self._memory.limited() if self._memory else contextlib.nullcontext():
            try:
                self._connected.say(messages.CALL, name, *arguments)
            except OSError:
                self._end()
                raise errors.SessionLost from None
            return self._outcome()

    def _outcome(self) -> Any:
        """The result of a call: a value, or the bytes of a batch."""
        while True:
            try:
                kind, body = self._connected.receive()
                if kind == messages.BATCH:
                    return body
                values = messages.data(body)
                if kind != messages.ASK:
                    break
                self._advise(*values)
            except (OSError, EOFError, pickle.UnpicklingError):
                self._end()
                raise errors.SessionLost from None
        if kind == messages.FAULT:
            raise messages.fault(*values)
        return values[0] if values else None

    def _advise(self, question: str, *arguments: Any) -> None:
        """Answer the process's requests to the network: it resolves no names, and checks no addresses itself."""
        ask = {
            "addresses": self._network.addresses,
            "check": self._network.check,
            "route": self._network.route,
        }[question]
        try:
            answer = ask(*arguments)
        except errors.WarehouseError as refused:
            messages.say_fault(self._connected, refused)
        else:
            self._connected.say(messages.ANSWER, answer)

    @property
    def _pid(self) -> int:
        if self._process is None:
            raise errors.SessionLost
        return self._process.pid

    @property
    def _connected(self) -> Wire:
        if self._wire is None:
            raise errors.SessionLost
        return self._wire

    def ping(self) -> None:
        """See `Session`."""
        self._call("ping")

    def check_schemas(self) -> str:
        """See `Session`."""
        return self._call("check_schemas")

    def try_query(self) -> str:
        """See `Session`."""
        return self._call("try_query")

    def tables(self, scope: Scope) -> Sequence[Table]:
        """See `Session`."""
        return self._call("tables", scope)

    def plan(self, statement: Statement) -> Plan:
        """See `Session`."""
        return self._call("plan", statement)

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement. The process reads a batch when it is asked for one, and holds one at a time."""
        import pyarrow as pa

        schema = pa.ipc.open_stream(pa.py_buffer(self._call("query", statement))).schema
        return pa.RecordBatchReader.from_batches(schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        while (body := self._call("next")) is not None:
            yield pa.ipc.open_stream(pa.py_buffer(body)).read_next_batch()

    def reset(self) -> bool:
        """See `Session`."""
        return self._call("reset")

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask the process to cancel; returns without waiting."""
        with contextlib.suppress(OSError):  # the process is gone, and the statement with its connection
            self._connected.send(messages.CANCEL)

    def sever(self) -> None:
        """Kill the process: its connections end with it, and the call that waits for it."""
        with self._guard:
            self._severed = True
            process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Log out, and let the process end."""
        with contextlib.suppress(errors.WarehouseError):
            self._call("close")
        self._end()

    def _end(self) -> None:
        """Kill the process if it still runs, and reap it; in the session's thread."""
        self.sever()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):  # Popen reaps it later
                self._process.wait(REAPED_SECONDS)
        if self._wire is not None:
            self._wire.socket.close()


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    """The process, which lives no longer than the calling thread."""
    return subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-P", "-m", CHILD, str(descriptor), str(os.getpid())],
        env=settings.driver_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[descriptor],
        start_new_session=True,  # the terminal's Ctrl-C is for the service
    )
