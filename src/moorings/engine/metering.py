"""Metering: shuts down the connections of a driver's call that receives more bytes than memory allows.

Drivers buffer data that a server sends: libpq a whole row, others a whole message, before our code gets a byte. Linux
counts the received bytes of each TCP connection (`TCP_INFO`), for Python and native drivers alike. One thread
of the process reads these counts while calls run. On other systems, nothing is metered.

Connections that we dial are registered at once. Those that a native driver dials are found while its thread waits
for them, as in `severing`, or as the only new one after its login.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Generator, Mapping
from typing import Protocol
from weakref import WeakValueDictionary

from moorings import errors
from moorings.dialects.network.dialing import DIALLED
from moorings.engine.severing import awaited_sockets, copied

TICK_SECONDS = 0.005
"""The pause between two checks of the process's memory while calls run."""
LOOK_TICKS = 10
"""After so many ticks connections are checked even if memory did not grow: freed memory may have been reused."""
IDLE_TICKS = 200
"""After so many ticks without calls the thread sleeps until the next one."""
GROWTH_PAGES = 1024
"""The growth of memory, in pages, that triggers a check of connections at once."""
TCP_INFO_BYTES = 256
RECEIVED = struct.Struct("=Q")
RECEIVED_AT = 128
"""The offset of `tcpi_bytes_received` in TCP_INFO. Source: include/uapi/linux/tcp.h of Linux."""


OWNED: WeakValueDictionary[int, Meter] = WeakValueDictionary()
"""Inode of a connection → the meter that counts it."""


class Meter:
    """Limits the bytes that one session receives in one call. Its first call `logs_in`, and so opens connections."""

    def __init__(self, max_bytes: int, *, logs_in: bool = True) -> None:
        self._max = max_bytes
        self._lock = threading.Lock()
        self._wires: dict[int, int] = {}
        """Inode of a connection → its descriptor. Descriptors are used again for other files, inodes are not."""
        self._begins: dict[int, int] = {}
        """Inode → the bytes received before the call began, or before the connection was found in it."""
        self._received: dict[int, int] = {}
        """Inode → the bytes received in this call; includes connections that are closed by now."""
        self._first = logs_in
        self._exceeded = False

    @contextlib.contextmanager
    def metered(self) -> Generator[None]:
        """A block that calls a driver; raises ResultTooLarge in place of the driver's error for a lost connection."""
        with self._lock:
            self._begins.clear()
            self._received.clear()
            self._exceeded = False
        thread = threading.current_thread()
        token = DIALLED.set(self._note)
        before = _sockets() if self._first else {}
        WATCH.begin(self, thread)
        try:
            yield
        except Exception:
            self._raise_exceeded()
            raise
        finally:
            WATCH.end(self)
            DIALLED.reset(token)
            if self._first:
                self._claim(before)
            self._first = False
        self._raise_exceeded()

    def _raise_exceeded(self) -> None:
        if self._exceeded:
            raise errors.ResultTooLarge.of("What the warehouse sent at once", self._max) from None

    def _claim(self, before: Mapping[int, int]) -> None:
        """Take the one connection that is new since the login began, if no other session's thread waits for it."""
        new = {inode: where for inode, where in _sockets().items() if inode not in before and inode not in OWNED}
        if len(new) == 1 and not self._open():
            self._found(*next(iter(new.items())))

    def _note(self, wire: socket.socket) -> None:
        """Count a connection from its first byte."""
        inode = os.fstat(wire.fileno()).st_ino
        with self._lock:
            self._wires[inode] = wire.fileno()
            self._begins[inode] = 0
            OWNED[inode] = self

    def find(self, thread: threading.Thread) -> None:
        """Find the connections that the thread waits for, until there are any. Called by the watching thread."""
        for descriptor, wire in awaited_sockets(thread) if not self._open() else ():
            self._found(os.fstat(wire.fileno()).st_ino, descriptor)

    def _open(self) -> bool:
        """Whether a known connection is still open; forgets the closed ones."""
        with self._lock:
            for inode, descriptor in list(self._wires.items()):
                try:
                    with copied(descriptor, inode):
                        return True
                except OSError:
                    del self._wires[inode]
        return False

    def _found(self, inode: int, descriptor: int) -> None:
        with self._lock:
            self._wires[inode] = descriptor
            with contextlib.suppress(OSError), copied(descriptor, inode) as wire:
                self._begins.setdefault(inode, 0 if self._first else _received(wire))
            OWNED[inode] = self

    def look(self) -> None:
        """Count the bytes, and shut down every connection above the limit. Called by the watching thread."""
        with self._lock:
            for inode, descriptor in list(self._wires.items()):
                self._count(inode, descriptor)
            if sum(self._received.values()) <= self._max:
                return
            self._exceeded = True
            for inode, descriptor in list(self._wires.items()):
                with contextlib.suppress(OSError), copied(descriptor, inode) as wire:
                    wire.shutdown(socket.SHUT_RDWR)

    def _count(self, inode: int, descriptor: int) -> None:
        try:
            with copied(descriptor, inode) as wire:
                received = _received(wire)
        except OSError:  # closed
            del self._wires[inode]
            return
        begin = self._begins.setdefault(inode, 0 if self._first else received)
        self._received[inode] = received - begin


def _received(wire: socket.socket) -> int:
    """The bytes received over a TCP connection since it was opened; 0 if the system has no count."""
    info = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    return RECEIVED.unpack_from(info, RECEIVED_AT)[0] if len(info) >= RECEIVED_AT + RECEIVED.size else 0


def _sockets() -> dict[int, int]:
    """Inode → descriptor of every open socket; none where the system does not list them."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                known = os.fstat(int(name))
                if stat.S_ISSOCK(known.st_mode) and _is_tcp(int(name)):
                    found[known.st_ino] = int(name)
    return found


def _is_tcp(descriptor: int) -> bool:
    with copied(descriptor) as wire:
        return wire.family in (socket.AF_INET, socket.AF_INET6) and wire.type == socket.SOCK_STREAM


class Watched(Protocol):
    """Limits one call: the bytes that its driver receives, or the memory of its process."""

    def find(self, thread: threading.Thread) -> None:
        """Find what is to be measured; called at each tick."""
        ...

    def look(self) -> None:
        """Measure, and end a call above the limit; called when memory grows, and every few ticks."""
        ...


class Watch:
    """The thread that checks the meters of all running calls of the process."""

    def __init__(self) -> None:
        self._running: dict[Watched, threading.Thread] = {}
        self._called = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._possible = hasattr(socket, "TCP_INFO") and os.path.exists("/proc/self/statm")

    def begin(self, meter: Watched, thread: threading.Thread) -> None:
        """Start to check a meter."""
        self._running[meter] = thread
        if self._possible and not self._called.is_set():
            self._called.set()
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._watch, name="moorings-meter", daemon=True)
                    self._thread.start()

    def end(self, meter: Watched) -> None:
        """Stop checking a meter."""
        self._running.pop(meter, None)

    def _watch(self) -> None:
        with open("/proc/self/statm", "rb", buffering=0) as memory:
            while self._called.wait():
                self._while_called(memory.fileno())

    def _while_called(self, memory: int) -> None:
        idle = ticks = pages = 0
        before: set[Watched] = set()
        while idle < IDLE_TICKS:
            time.sleep(TICK_SECONDS)
            ticks, idle = ticks + 1, 0 if self._running else idle + 1
            running = self._running.copy()
            for meter, thread in running.items():
                if meter not in before:
                    continue  # a call of a few milliseconds is over before it can receive too much
                with contextlib.suppress(Exception):  # after any error, the other meters still need their check
                    meter.find(thread)
            before = set(running)
            if ticks < LOOK_TICKS and (now := _resident(memory)) - pages < GROWTH_PAGES:
                pages = min(pages, now)
                continue
            ticks, pages = 0, _resident(memory)
            for meter in running:
                with contextlib.suppress(Exception):
                    meter.look()
        self._called.clear()
        if self._running:  # since the last check
            self._called.set()


def _resident(memory: int) -> int:
    return int(os.pread(memory, 64, 0).split()[1])


WATCH = Watch()
