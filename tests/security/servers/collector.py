"""A server that notes who dials it, and what arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Collector:
    """The port, and what each dial sent before it was hung up on."""

    port: int
    received: list[bytes] = field(default_factory=list[bytes])


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Listen on loopback for the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        collector = Collector(server.getsockname()[1])

        def collect() -> None:
            with contextlib.suppress(OSError):
                while True:
                    dialled, _ = server.accept()
                    with dialled:
                        dialled.settimeout(1)
                        with contextlib.suppress(OSError):
                            collector.received.append(dialled.recv(65_536))

        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        yield collector
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
