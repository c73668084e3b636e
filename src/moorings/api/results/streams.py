"""Streams a query's result to the client over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from moorings.api.http import exchange
from moorings.api.http.call import Call, Headers
from moorings.api.results.encoders import Encoder
from moorings.engine.service import Target
from moorings.errors import MooringsError, StreamInterrupted
from moorings.queries.query import Query, QueryRequest
from moorings.queries.rights import Claim
from moorings.queries.streaming import ClientLeft, ended, pump, unless

T = TypeVar("T")

log = structlog.get_logger(__name__)

QUERY_ID = "Moorings-Query-Id"
TIMEOUT = "Moorings-Timeout-Seconds"
ROW_LIMIT = "Moorings-Row-Limit"
PIECE_BYTES = 8 * 1024 * 1024
"""The size of one message to the server."""


class Client:
    """Watches the client of one call: only a waiting `receive` notices a disconnect; `send` never does."""

    def __init__(self, call: Call) -> None:
        self.leaving = asyncio.create_task(_leaving(call))

    async def unless_disconnected(self, work: Awaitable[T]) -> T:
        """Await something; if the client disconnects first, cancel it and raise ClientLeft."""
        return await unless(work, self.leaving)

    async def unwatch(self) -> None:
        """Stop watching."""
        await ended(self.leaving)


async def _leaving(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass


@dataclass(slots=True, kw_only=True)
class Stream:
    """The reply of a query whose first rows have arrived.

    `resources` closes client, query and session, in this order.
    """

    encoder: Encoder
    client: Client
    query: Query
    first: bytes
    stalled_seconds: float
    resources: contextlib.AsyncExitStack = field(repr=False)
    status: int = 200

    async def send(self, call: Call, headers: Headers) -> None:
        """Send all rows.

        A failure is raised: the server then ends the transfer without its last chunk, so that no client accepts an
        incomplete result.
        """
        async with self.resources:
            try:
                await self._send(call, headers)
            except ClientLeft:
                log.info("query_abandoned", query=self.query.id)
            except MooringsError as failed:
                log.warning("query_broken_off", query=self.query.id, reason=failed.message)
                raise StreamInterrupted from None

    async def _send(self, call: Call, headers: Headers) -> None:
        own = _own_headers(self.encoder, self.query)
        await call.send({"type": "http.response.start", "status": self.status, "headers": own + headers})
        query, encoder, leaving = self.query, self.encoder, self.client.leaving
        await pump(query, encoder, self._take_first(), partial(_written, call), self.stalled_seconds, leaving)
        await call.send({"type": "http.response.body", "body": b""})

    def _take_first(self) -> bytes:
        first, self.first = self.first, b""  # nothing may hold it while later rows are sent
        return first


async def _written(call: Call, chunk: bytes) -> None:
    """Send a chunk in pieces, because the server copies what it sends, and a row may be very long."""
    view = memoryview(chunk)
    for start in range(0, len(view), PIECE_BYTES):
        piece = chunk if len(chunk) <= PIECE_BYTES else bytes(view[start : start + PIECE_BYTES])
        await call.send({"type": "http.response.body", "body": piece, "more_body": True})


@dataclass(slots=True)
class Whole:
    """The reply of a query whose rows have all arrived: its session is free again."""

    body: bytes
    own: Headers
    status: int = 200

    async def send(self, call: Call, headers: Headers) -> None:
        """Send the rows, with their length."""
        length = (b"content-length", b"%d" % len(self.body))
        start = {"type": "http.response.start", "status": self.status, "headers": [*self.own, length, *headers]}
        await call.send(start)
        await call.send({"type": "http.response.body", "body": self.body})


def _own_headers(encoder: Encoder, query: Query) -> Headers:
    headers = [
        (b"content-type", encoder.media_type.encode()),
        (b"vary", b"Accept, User-Agent"),
        (QUERY_ID.lower().encode(), query.id.encode()),
        (TIMEOUT.lower().encode(), b"%d" % query.timeout_seconds),
        (ROW_LIMIT.lower().encode(), str(query.row_limit).encode()),
    ]
    if encoder.extension:
        name = f'attachment; filename="query-{query.id[:8]}.{encoder.extension}"'
        headers.append((b"content-disposition", name.encode()))
    return headers


async def opened(call: Call, target: Target, request: QueryRequest, claim: Claim, encoder: Encoder) -> Stream | Whole:
    """Run a query up to its first rows; errors until then are raised, for an ordinary error response.

    For a small result that arrives at once, the client is not watched.
    """
    queries = call.services.queries
    running = queries.running(call.actor, target, request, claim, call.version.access)
    async with contextlib.AsyncExitStack() as resources:
        resources.callback(encoder.close)
        client = None if queries.ready(call.actor, target) else _client(call, resources)
        entering = resources.enter_async_context(running)
        query = await (client.unless_disconnected(entering) if client else entering)
        query.begin(request, encoder, read_only=target.config.read_only or request.read_only)
        if client is None and not await query.soon():
            client = _client(call, resources)
        first = await (client.unless_disconnected(query.first(encoder)) if client else query.first(encoder))
        exchange.of(call.scope).query_id = query.id
        if query.ended:
            return Whole(first, _own_headers(encoder, query))
        stalled = call.services.settings.stalled_seconds
        client = client or _client(call, resources)
        return Stream(
            encoder=encoder,
            client=client,
            query=query,
            first=first,
            stalled_seconds=stalled,
            resources=resources.pop_all(),
        )


def _client(call: Call, resources: contextlib.AsyncExitStack) -> Client:
    client = Client(call)
    resources.push_async_callback(client.unwatch)
    return client
