"""HTTP to addresses that callers name, by the standard library: checked addresses, no redirects, bounded answers.

`https_pools` is the same for drivers on urllib3.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from moorings import clock, errors
from moorings.dialects.network.dialing import Network

REDIRECTS = frozenset({300, 301, 302, 303, 305, 307, 308})
MAX_ANSWER_BYTES = 1_000_000
"""The most bytes of an answer that is no result: a token, a page of metadata."""
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer. Its repr does not show the body, which may contain a token."""

    status: int
    body: bytes = field(repr=False)


def context(network: Network, authorities: str | None = None, *, trust: bool = False) -> ssl.SSLContext:
    """The TLS context: it verifies with the connection's own authorities, else with the operator's or the system's.

    `trust` accepts any certificate.
    """
    bundle = None if authorities else network.ca_bundle
    made = ssl.create_default_context(cafile=bundle, cadata=authorities)
    if trust:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def redirected(*fields: str) -> errors.AnotherService:
    """The error of a server that answers with a redirect."""
    message = "The server answers with a redirect. Moorings follows none: give the address that it redirects to."
    return errors.AnotherService(*fields, message=message)


def fetch(
    network: Network,
    url: str,
    *,
    method: str = "GET",
    body: str | None = None,
    headers: Mapping[str, str],
    timeout_seconds: float,
    tls: ssl.SSLContext | None = None,
    fields: tuple[str, ...] = (),
) -> Answer:
    """The answer to one request, within the time limit of the whole exchange.

    Raises OSError or HTTPException if there is none, EgressRefused, and AnotherService for a redirect or an answer of
    more than MAX_ANSWER_BYTES bytes.
    """
    until = clock.monotonic() + timeout_seconds
    wire, path = _connected(network, url, timeout_seconds, tls, fields)
    try:
        wire.request(method, path, body, dict(headers))
        answer = wire.getresponse()
        if answer.status in REDIRECTS:
            raise redirected(*fields)
        return Answer(answer.status, _read(answer, until, fields))
    finally:
        wire.close()


def _connected(
    network: Network, url: str, timeout_seconds: float, tls: ssl.SSLContext | None, fields: tuple[str, ...]
) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    wire = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port, timeout=timeout_seconds)
    dialled = network.connect_http(host, port, timeout_seconds, *fields)
    wire.sock = dialled
    if secure:
        try:
            wire.sock = (tls or context(network)).wrap_socket(dialled, server_hostname=host)
        except BaseException:
            dialled.close()
            raise
    return wire, f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _read(answer: http.client.HTTPResponse, until: float, fields: tuple[str, ...]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(CHUNK):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            message = f"The server's answer has more than {MAX_ANSWER_BYTES} bytes. Check the address."
            raise errors.AnotherService(*fields, message=message)
        if clock.monotonic() > until:
            raise TimeoutError("timed out")
    return b"".join(parts)
