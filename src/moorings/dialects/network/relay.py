"""Our own proxy on loopback, for drivers that dial by themselves and accept only a proxy.

It accepts only CONNECT (https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6), with a password that only the driver
has. It dials checked addresses, for the first connection and for those that the server's answers name. TLS stays
between the driver and the server.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import re
import secrets
import select
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextvars import copy_context
from typing import Any

from moorings import errors
from moorings.dialects.network.dialing import OWN_PORTS, Network

USER = "moorings"
MAX_HEAD_BYTES = 16_384
HEAD_SECONDS = 5.0
CHUNK = 65_536
CONNECT_REQUEST = re.compile(rb"CONNECT (\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5}) HTTP/1\.[01]\r\n")
AUTHORIZATION = re.compile(rb"\r\nproxy-authorization: *basic +([A-Za-z0-9+/=]+) *\r\n", re.IGNORECASE)


class Relay:
    """The proxy of one session. `only` restricts it to one host and port; None allows all that the rules allow."""

    def __init__(
        self, network: Network, connect_timeout_seconds: float, fields: Sequence[str], only: tuple[str, int] | None
    ) -> None:
        self.password = secrets.token_urlsafe(32)
        self.only = only
        self.fault: BaseException | None = None
        """The error of the last dial; None if it succeeded."""
        self._network = network
        self._seconds = connect_timeout_seconds
        self._fields = tuple(fields)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        OWN_PORTS.add(self.port)
        _start(self._accept)

    @contextlib.contextmanager
    def explaining(self, *, anew: bool = True) -> Generator[None]:
        """A block in which the driver works: its errors are replaced by the relay's error, if there was one.

        With `anew=False` errors before the block count too: drivers fetch results ahead.
        """
        if anew:
            self.fault = None
        try:
            yield
        except Exception as error:
            if self.fault is not None:
                raise self.fault from error
            raise

    def close(self) -> None:
        """Stop listening, and close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        OWN_PORTS.discard(self.port)
        with self._lock:
            for wire in self._open:
                with contextlib.suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                wire, _ = self._listener.accept()
                _start(self._serve, wire)

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), self._registered(near):
            near.settimeout(HEAD_SECONDS)
            place = self._asked(near)
            if place is None:
                return
            far = self._dialled(*place)
            if far is None:
                near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            with self._registered(far):
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                pump(near, far)

    @contextlib.contextmanager
    def _registered(self, wire: socket.socket) -> Generator[None]:
        with self._lock:
            self._open.add(wire)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(wire)
            wire.close()

    def _asked(self, near: socket.socket) -> tuple[str, int] | None:
        """The host and port that a driver asks for; None (and 407) for clients without the password."""
        head = _head(near)
        given = AUTHORIZATION.search(head)
        events = base64.b64encode(f"{USER}:{self.password}".encode())
        if given is None or not hmac.compare_digest(given[1], events):
            near.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="moorings"\r\nContent-Length: 0\r\n\r\n'
            )
            return None
        request = CONNECT_REQUEST.match(head)
        if request is None:
            message = "The server names an address without TLS. Moorings does not follow it."
            self.fault = errors.AnotherService(*self._fields, message=message)
            near.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return None
        return request[1].decode().strip("[]"), int(request[2])

    def _dialled(self, host: str, port: int) -> socket.socket | None:
        try:
            if self.only is not None and (host.lower(), port) != (self.only[0].lower().strip("[]"), self.only[1]):
                message = f"The server sends the login on to another address, {host}. Moorings follows no redirect."
                raise errors.AnotherService(*self._fields, message=message)
            far = self._network.connect_http(host, port, self._seconds, *self._fields)
        except (OSError, errors.WarehouseError) as fault:
            self.fault = fault
            return None
        self.fault = None
        return far


def _start(work: Callable[..., None], *given: Any) -> None:
    """Work in a thread, on behalf of the current session: received bytes are counted for it."""
    threading.Thread(target=copy_context().run, args=(work, *given), name="moorings-relay", daemon=True).start()


def _head(wire: socket.socket) -> bytes:
    """The client's request up to the blank line; empty if it is too long. CONNECT has no body."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = wire.recv(4096)
        if not part or len(head) > MAX_HEAD_BYTES:
            return b""
        head += part
    return head


def pump(near: socket.socket, far: socket.socket) -> None:
    """Copy bytes both ways, until both ends have finished or one has closed."""
    waiting = {near: b"", far: b""}
    other = {near: far, far: near}
    by_number = {wire.fileno(): wire for wire in other}
    talking = {near, far}
    near.setblocking(False)
    far.setblocking(False)
    while talking or any(waiting.values()):
        ready = select.poll()
        for wire in other:
            reads = wire in talking and not waiting[other[wire]]
            if events := (select.POLLIN if reads else 0) | (select.POLLOUT if waiting[wire] else 0):
                ready.register(wire, events)
        for number, event in ready.poll():
            wire = by_number[number]
            if waiting[wire] and event & (select.POLLOUT | select.POLLERR | select.POLLHUP):
                waiting[wire] = waiting[wire][wire.send(waiting[wire]) :]
            elif wire in talking and not waiting[other[wire]]:
                waiting[other[wire]] = data = wire.recv(CHUNK)
                if not data:
                    talking.discard(wire)
                    other[wire].shutdown(socket.SHUT_WR)
