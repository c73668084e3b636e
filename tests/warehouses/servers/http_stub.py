"""What our HTTP stubs share: a threaded server on loopback, with TLS or without, and answers of known length.

Standard library only: stubs also run in the interpreters of engines' own environments.
"""

from __future__ import annotations

import base64
import binascii
import http.server
import socket
import ssl
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection. Nothing is logged: requests hold passwords."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def body(self) -> bytes:
        """The request's body, sent by length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def basic(self) -> tuple[str, str] | None:
        """User name and password of the Authorization header."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user, password

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a whole answer; a client that has left meanwhile is no fault."""
        try:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[Handler], context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._context = context

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake waits for the connection's own thread, so that no client keeps others out."""
        accepted, address = super().get_request()
        if self._context is not None:
            accepted = self._context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        return accepted, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave in the middle are what tests are about."""


def server(port: int, handler: type[Handler], certificate: tuple[str, str] | None = None) -> http.server.HTTPServer:
    """A server that listens on a port of loopback, over TLS if there is a certificate and its key."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    return _Server(port, handler, context)
