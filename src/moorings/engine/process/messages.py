"""The protocol between a session's process and the service, over a pair of sockets.

A message is its kind, the length of its body, and the body. The service sends pickled objects. The process contains
native code that talks to strange servers, so the service accepts only data from it: four classes of `introspection` by
a restricted unpickler, and Arrow.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moorings import errors
from moorings.dialects import introspection

if TYPE_CHECKING:
    import pyarrow as pa

HEADER = struct.Struct("<BQ")
HELLO, CALL, CANCEL, ASK, ANSWER, DONE, FAULT, BATCH = range(8)
"""Kinds. The process says HELLO once it can be called. A CALL ends in DONE, FAULT or BATCH; meanwhile the process may
ASK the service for checked addresses, and gets an ANSWER or a FAULT."""
ANSWERED = frozenset({"Table", "Column", "ForeignKey", "Plan"})
"""The classes of `introspection` that a process may send."""


@dataclass(slots=True)
class Wire:
    """One end. Any thread may send, one receives."""

    socket: socket.socket
    max_bytes: int | None = None
    """The largest message that `receive` accepts; None for any: the process trusts the service, not the reverse."""
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, kind: int, body: bytes | memoryview | pa.Buffer = b"") -> None:
        """Send one message; raises OSError when the other end is gone."""
        with self._sending, memoryview(body) as view:
            self.socket.sendall(HEADER.pack(kind, view.nbytes))
            self.socket.sendall(view)

    def say(self, kind: int, *values: Any) -> None:
        """Send objects."""
        self.send(kind, pickle.dumps(values))

    def receive(self) -> tuple[int, bytearray]:
        """The next message; raises EOFError or OSError when the other end is gone, or sends a message too large."""
        kind, size = HEADER.unpack(self._exactly(HEADER.size))
        if self.max_bytes is not None and size > self.max_bytes:
            raise EOFError
        return kind, self._exactly(size)

    def _exactly(self, size: int) -> bytearray:
        body = bytearray(size)
        with memoryview(body) as view:
            place = 0
            while place < size:
                read = self.socket.recv_into(view[place:])
                if not read:
                    raise EOFError
                place += read
        return body


class _Data(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module != introspection.__name__ or name not in ANSWERED:
            raise pickle.UnpicklingError(f"{module}.{name} is no data")
        return getattr(introspection, name)


def data(body: bytes | bytearray) -> Sequence[Any]:
    """Decode a message of a session's process; raises UnpicklingError for anything but plain data."""
    return _Data(io.BytesIO(body)).load()


def say_fault(wire: Wire, fault: errors.WarehouseError) -> None:
    """Send an error of ours, without its traceback."""
    known = next(kind.__name__ for kind in type(fault).__mro__ if getattr(errors, kind.__name__, None) is kind)
    wire.say(FAULT, known, tuple(fault.fields), fault.message, fault.detail)


def fault(name: str, fields: Sequence[str], message: str, detail: str | None) -> errors.WarehouseError:
    """The error that such a message stands for."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, errors.WarehouseError)):
        kind = errors.UnknownFault
    return kind(*fields, message=message, detail=detail)
