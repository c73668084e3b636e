"""HTTP servers that send a driver elsewhere, or quote what is not theirs to quote."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Canary:
    """A listener that nobody may reach."""

    port: int
    visits: list[str] = field(default_factory=list)


@contextlib.contextmanager
def canary() -> Iterator[Canary]:
    """Listen, and note whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watched = Canary(listener.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    wire, address = listener.accept()
                    watched.visits.append(str(address))
                    wire.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield watched
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@dataclass
class Answering:
    """A server that gives every request the same answer."""

    port: int
    paths: list[str] = field(default_factory=list)


@contextlib.contextmanager
def answering(
    status: int,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Answering]:
    """Answer every request with one status, body and head; over TLS with the files of a certificate and its key."""
    state = Answering(0)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.paths.append(self.path)
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815  # names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
