"""One request on its way through a route, and the answers that can send themselves."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Receive, Scope, Send

from moorings.access.service import Actor
from moorings.api.http.state import Services
from moorings.connections.models import Connection
from moorings.db import Versions

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
JSON = b"application/json"

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Call:
    """One request on its way through a route."""

    services: Services
    scope: Scope
    receive: Receive
    send: Send
    actor: Actor
    version: Versions
    """The database's versions when the request arrived, for caches."""
    ids: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra_headers: Headers = field(default_factory=list[tuple[bytes, bytes]])
    """Headers that the handler adds to its answer."""
    transaction: AsyncSession | None = None
    subject: Connection | None = None
    after_commit: list[Callable[[], Awaitable[None]]] = field(default_factory=list[Callable[[], Awaitable[None]]])
    """The functions that a plain route runs after its transaction is committed, before the response is sent."""

    @property
    def session(self) -> AsyncSession:
        """The transaction of a plain route; committed before the response is sent."""
        assert self.transaction is not None, "only plain routes have a transaction of their own"  # noqa: S101
        return self.transaction

    @property
    def connection(self) -> Connection:
        """The connection that the path names, of a route that declares a permission."""
        assert self.subject is not None, "only routes with a permission name a connection"  # noqa: S101
        return self.subject

    @property
    def query_string(self) -> bytes:
        """The query as it was sent."""
        return self.scope["query_string"]

    def query(self) -> dict[str, str]:
        """The query's parameters; the last of repeated ones wins."""
        return dict(parse_qsl(self.query_string.decode("utf-8", "replace"), keep_blank_values=True))

    def header(self, name: bytes) -> bytes | None:
        """A request header, by its name in lower case."""
        return next((value for key, value in self.scope["headers"] if key == name), None)


class Reply(Protocol):
    """A handler's response: an object that can send itself."""

    status: int

    async def send(self, call: Call, headers: Headers) -> None:
        """Send the response; `headers` are those that every response to this call carries."""
        ...


@dataclass(slots=True)
class Rendered:
    """A whole body, ready to be sent."""

    body: bytes
    status: int = 200
    headers: Headers = field(default_factory=list[tuple[bytes, bytes]])
    media_type: bytes = JSON

    async def send(self, call: Call, headers: Headers) -> None:
        """Send status, headers and, but for HEAD, the body."""
        own = [(b"content-type", self.media_type), (b"content-length", b"%d" % len(self.body))]
        await call.send({"type": "http.response.start", "status": self.status, "headers": own + self.headers + headers})
        body = b"" if call.scope["method"] == "HEAD" else self.body
        await call.send({"type": "http.response.body", "body": body})


@dataclass(slots=True)
class Nothing:
    """An answer without a body."""

    status: int = 204

    async def send(self, call: Call, headers: Headers) -> None:
        """Send status and headers."""
        await call.send({"type": "http.response.start", "status": self.status, "headers": headers})
        await call.send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or a header, as the OpenAPI document describes it."""

    name: str
    schema: Mapping[str, Any]
    description: str
    place: Literal["query", "header"] = "query"
    required: bool = False
