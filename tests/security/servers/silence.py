"""A server that falls silent: it stands in front of a real one, and passes bytes on until it does so no longer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Silence:
    """A port that answers as the server behind it does, until `fall`; connections stay open all the while.

    Without a server behind it, it accepts and says nothing from the first byte on. `enough` bytes may be said on each
    connection before silence falls by itself. With `trickle`, a silent server still says one byte every so many
    seconds.
    """

    def __init__(
        self, behind: tuple[str, int] | None = None, *, enough: int | None = None, trickle: float | None = None
    ) -> None:
        self._behind = behind
        self._enough = enough
        self._trickle = trickle
        self._silent = threading.Event()
        if behind is None:
            self._silent.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self.dialled = 0
        """How many connections there were so far."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def open(self) -> int:
        """How many connections the client has not ended yet."""
        return len(self._open)

    def fall(self) -> None:
        """Say nothing from now on."""
        self._silent.set()

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        for wire in list(self._open):
            _end(wire)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed, at the end
            while True:
                wire, _ = self._listener.accept()
                self._open.add(wire)
                self.dialled += 1
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(self._behind) if self._behind else None
        if server is not None:
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
        with contextlib.suppress(OSError):
            while sent := client.recv(65536):
                if server is not None and not self._silent.is_set():
                    server.sendall(sent)
        self._open.discard(client)
        for wire in filter(None, (client, server)):
            _end(wire)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while answer := server.recv(65536):
                if self._enough is not None and sent + len(answer) > self._enough:
                    client.sendall(answer[: self._enough - sent])
                    self._silent.set()
                    answer = answer[self._enough - sent :]
                if self._silent.is_set():
                    self._say_slowly(client, answer)
                    return
                client.sendall(answer)
                sent += len(answer)
            if not self._silent.is_set():
                client.shutdown(socket.SHUT_WR)

    def _say_slowly(self, client: socket.socket, answer: bytes) -> None:
        for byte in answer if self._trickle is not None else b"":
            client.sendall(bytes([byte]))
            time.sleep(self._trickle or 0)


def _end(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()


@contextlib.contextmanager
def silence(
    behind: tuple[str, int] | None = None, *, enough: int | None = None, trickle: float | None = None
) -> Iterator[Silence]:
    """Such a server, for a block."""
    server = Silence(behind, enough=enough, trickle=trickle)
    try:
        yield server
    finally:
        server.close()
