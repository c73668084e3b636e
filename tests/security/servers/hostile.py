"""What hostile servers share: a thread for each connection, and TLS by a self-signed certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Self

Certificate = tuple[Path, Path]
"""The files of a certificate and its key."""


class HungUp(Exception):
    """The client closed the connection."""


def exactly(wire: socket.socket, length: int) -> bytes:
    """So many bytes; raises HungUp when they do not come."""
    data = b""
    while len(data) < length:
        more = wire.recv(length - len(data))
        if not more:
            raise HungUp
        data += more
    return data


class Hostile(ABC):
    """A server on loopback, for a block."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.certificate = certificate
        self.dials = 0
        """How often a client connected."""
        self.faults: list[BaseException] = []
        self._own = threading.local()
        """What belongs to the thread of a connection."""

    @abstractmethod
    def serve(self, wire: socket.socket) -> None:
        """Speak with one client; the connection is closed afterwards."""

    def encrypted(self, wire: socket.socket) -> socket.socket:
        """The wire with TLS in it."""
        assert self.certificate is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certificate)
        wire = context.wrap_socket(wire, server_side=True, do_handshake_on_connect=False)
        self._own.wires.append(wire)
        wire.do_handshake()
        return wire

    @contextlib.contextmanager
    def running(self, address: str = "127.0.0.1", port: int = 0) -> Iterator[Self]:
        """Listen for the block; raises what went wrong in `serve`."""
        with socket.create_server((address, port)) as self._listener:
            self.port = self._listener.getsockname()[1]
            accepting = threading.Thread(target=self._accept, daemon=True)
            accepting.start()
            yield self
            self._listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
        assert self.faults == []

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                self.dials += 1
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        wire.settimeout(10)
        self._own.wires = [wire]
        try:
            self.serve(wire)
        except (HungUp, OSError):
            pass
        except Exception as fault:  # noqa: BLE001  # for the test that runs the server
            self.faults.append(fault)
        finally:
            for wire in self._own.wires:
                wire.close()
