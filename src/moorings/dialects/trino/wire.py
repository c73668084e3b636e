"""HTTP with a Trino coordinator: TLS, login, and no requests to other hosts. Imports requests."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.auth import HTTPBasicAuth

from moorings import errors
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.requests import install

SPOOLING = "X-Trino-Query-Data-Encoding"
"""The header that asks for results in files of an object store.

The driver would fetch these without our TLS settings.
"""


class Wire(Session):
    """Connections with one coordinator, whose every request logs in."""

    def __init__(
        self, network: Network, place: tuple[str, int], context: ssl.SSLContext | None, login: tuple[str, str] | None
    ) -> None:
        super().__init__()
        host, port = place
        self._place = ("https" if context else "http", host.lower(), port)
        install(self, network, context, "host", "port")
        self._login = HTTPBasicAuth(*(part.encode() for part in login)) if login else None
        self.auth = self._signed

    def request(self, method: Any, url: Any, *arguments: Any, **options: Any) -> Response:
        """Send a request, without following redirects and without proxies of the environment."""
        return super().request(method, url, *arguments, **{**options, "allow_redirects": False, "proxies": {}})

    def _signed(self, request: PreparedRequest) -> PreparedRequest:
        """A request with the login.

        Raises HostUnreachable for one to another address: a page has the URL of the next one, and the password must not
        be sent elsewhere.
        """
        where = urlsplit(request.url or "")
        port = where.port or {"https": 443, "http": 80}.get(str(where.scheme))
        if (where.scheme, (where.hostname or "").strip("[]").lower(), port) != self._place:
            raise errors.HostUnreachable(
                "host",
                "port",
                message=(
                    "Trino returns another address for its results. Set http-server.process-forwarded=true in Trino."
                ),
            )
        request.headers.pop(SPOOLING, None)
        for name, value in request.headers.items():
            if isinstance(value, str) and not value.isascii():  # http.client would encode it in Latin-1, or fail
                request.headers[name] = value.encode()
        return self._login(request) if self._login else request
