"""Severing: a call that hangs in a driver ends when its socket is shut down from outside.

Linux shows the system call that a thread waits in, and so the descriptors that it waits for. This works for drivers in
Python and native ones, during login and after it, and no driver has to expose its socket. On other systems
nothing is found, and the thread is abandoned instead. See docs/project/decisions/0008-severing.md.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import socket
import stat
import struct
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

Words = Sequence[int]
"""The arguments of a system call."""

POLLFD = struct.Struct("=ihh")
MAX_DESCRIPTORS = 1024
"""The most descriptors that a session waits for at once."""


def sever(thread: threading.Thread) -> bool:
    """Shut down the network connections that a thread waits for; returns whether there were any.

    Safe from every thread, and never waits. The descriptor is copied before the thread is checked a second time. If the
    thread still waits in the same call, the copy is the connection that it waits for, not a file that was opened since.
    """
    found = False
    for _, wire in awaited_sockets(thread):
        with contextlib.suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)
            found = True
    return found


def awaited_sockets(thread: threading.Thread) -> Iterator[tuple[int, socket.socket]]:
    """The network connections that a thread waits for: each descriptor, with a copy of it that lives for one step."""
    path = f"/proc/self/task/{thread.native_id}/syscall"
    waiting = _read(path)
    for descriptor in _descriptors(waiting):
        with contextlib.suppress(OSError), copied(descriptor) as descriptor_copy:
            if descriptor_copy.family in (socket.AF_INET, socket.AF_INET6) and _read(path) == waiting:
                yield descriptor, descriptor_copy


@contextlib.contextmanager
def copied(descriptor: int, inode: int | None = None) -> Generator[socket.socket]:
    """A copy of a socket's descriptor, for a block; raises OSError for another kind of file, or another inode."""
    descriptor_copy = os.dup(descriptor)
    try:
        found = os.fstat(descriptor_copy)
        if not stat.S_ISSOCK(found.st_mode) or inode not in (None, found.st_ino):
            raise OSError("no such socket")  # noqa: TRY301  # as the system would
        wire = socket.socket(fileno=descriptor_copy)
    except BaseException:
        os.close(descriptor_copy)
        raise
    with wire:
        yield wire


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except OSError:  # the thread ended, or this is no Linux
        return ""


def _descriptors(waiting: str) -> list[int]:
    """The descriptors of a system call, as `/proc` shows it: its number, and its arguments in hexadecimal."""
    number, *rest = waiting.split()[:7] or ["running"]
    find = CALLS.get(platform.machine(), {}).get(int(number)) if number.isdecimal() else None
    return list(find([int(word, 16) for word in rest])) if find else []


def _first(words: Words) -> Iterator[int]:
    yield words[0]


def _polled(words: Words) -> Iterator[int]:
    """The descriptors of `poll`: an array, each with the awaited events."""
    for descriptor, _, _ in POLLFD.iter_unpack(_memory(words[0], min(words[1], MAX_DESCRIPTORS) * POLLFD.size)):
        if descriptor >= 0:
            yield descriptor


def _selected(words: Words) -> Iterator[int]:
    """Of `select`: three sets, a bit for each descriptor."""
    size = (min(words[0], MAX_DESCRIPTORS) + 63) // 64 * 8
    chosen = 0
    for address in filter(None, words[1:4]):
        chosen |= int.from_bytes(_memory(address, size), "little")
    yield from (descriptor for descriptor in range(size * 8) if chosen >> descriptor & 1)


def _watched(words: Words) -> Iterator[int]:
    """The descriptors of `epoll_wait`: those registered with the epoll descriptor."""
    for found in re.finditer(r"^tfd:\s*(\d+)", _read(f"/proc/self/fdinfo/{words[0]}"), re.MULTILINE):
        yield int(found[1])


def _memory(address: int, size: int) -> bytes:
    """Memory of this process, read as a file: an address that is no longer there is an error, not a crash."""
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return b""
    try:
        read = os.pread(memory, size, address)
    except (OSError, OverflowError):
        return b""
    finally:
        os.close(memory)
    return read if len(read) == size else b""


def _calls(
    direct: Sequence[int], poll: Sequence[int], select: Sequence[int], epoll: Sequence[int]
) -> Mapping[int, Callable[[Words], Iterator[int]]]:
    return {
        **dict.fromkeys(direct, _first),
        **dict.fromkeys(poll, _polled),
        **dict.fromkeys(select, _selected),
        **dict.fromkeys(epoll, _watched),
    }


CALLS: Mapping[str, Mapping[int, Callable[[Words], Iterator[int]]]] = {
    "x86_64": _calls(
        direct=(0, 1, 19, 20, 42, 44, 45, 46, 47, 299, 307), poll=(7, 271), select=(23, 270), epoll=(232, 281, 441)
    ),
    "aarch64": _calls(
        direct=(63, 64, 65, 66, 203, 206, 207, 211, 212, 243, 269), poll=(73,), select=(72,), epoll=(22, 441)
    ),
}
"""System calls that may wait (read, write, connect, send, recv and the like), for each machine.

They are grouped by the descriptors that they wait for. Source: arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h of Linux.
"""


class Abandoned:
    """Threads that hang in a driver after their sockets were shut down: no task waits for them, and they are counted.

    `share` is how many of them one connection may have before it gets no new session.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.share = max(1, most // 4)
        self._threads: list[tuple[str, threading.Thread]] = []

    def add(self, connection: str, thread: threading.Thread) -> None:
        """Count a thread until it ends after all."""
        self._threads.append((connection, thread))

    def count(self) -> int:
        """The number of threads that hang now."""
        self._threads = [(connection, thread) for connection, thread in self._threads if thread.is_alive()]
        return len(self._threads)

    def of(self, connection: str) -> int:
        """The number of a connection's threads that hang now."""
        self.count()
        return sum(1 for owner, _ in self._threads if owner == connection)

    def full(self, connection: str) -> bool:
        """Whether a connection may have no new thread for now."""
        return bool(self._threads) and (self.count() >= self.most or self.of(connection) >= self.share)
