"""The endpoints that run and cancel queries."""

from __future__ import annotations

import asyncio
from typing import Self

from moorings.access.policy import Permission
from moorings.api import schemas
from moorings.api.fields import Fields
from moorings.api.negotiation import FORMATS, choose
from moorings.api.results import Encoder, encoder
from moorings.api.routing import UUID, Call, Headers, Route
from moorings.api.shapes import Done
from moorings.connections import service as connections
from moorings.engine.service import Target
from moorings.errors import (
    Fault,
    InvalidInput,
    NotAcceptable,
    ProtocolTooOld,
    QueryCancelled,
    QueryNotFound,
    QueryTimeout,
    Saturated,
    WarehouseError,
)
from moorings.queries.service import Asked, RunningResult

QUERY_ID = "Moorings-Query-Id"
TIMEOUT = "Moorings-Timeout-Seconds"
SQL_LIMIT = 500_000
PREFETCHED = 1
"""Chunks that wait while one is sent: enough for warehouse and client to work at once, and little memory."""


async def query(call: Call) -> Stream:
    """Run one SQL statement and stream its rows, in the format that Accept names (Arrow unless said)."""
    if call.scope["http_version"] == "1.0":  # its cut streams look whole
        raise ProtocolTooOld
    asked = _read(call)
    chosen = encoder(choose((call.header(b"accept") or b"").decode("latin-1")))
    async with call.services.db.reading() as session:
        target = await connections.opened(session, call.services.keyset, call.connection)
    return await Stream(call, target, asked, chosen).open()


def _read(call: Call) -> Asked:
    fields = Fields(call.body, ("sql", "parameters", "rowLimit", "timeoutSeconds"))
    sql = fields.string("sql", required=True, longest=SQL_LIMIT)
    parameters = fields.array("parameters") or []
    for position, value in enumerate(parameters):
        if isinstance(value, str):
            fields.fits(f"parameters.{position}", value, shortest=0, longest=SQL_LIMIT)
        elif isinstance(value, list | dict):
            fields.fault(f"parameters.{position}", "invalid")
    row_limit = fields.integer("rowLimit", least=1)
    timeout = fields.integer("timeoutSeconds", least=1, most=3600)
    fields.done()
    return Asked(sql, parameters, row_limit, timeout, _chosen_id(call))


def _chosen_id(call: Call) -> str | None:
    """The id that the caller chose for its query, if it did."""
    sent = (call.header(QUERY_ID.lower().encode()) or b"").decode("latin-1")
    if sent and not UUID.fullmatch(sent):
        raise InvalidInput([Fault(QUERY_ID, "uuid")])
    return sent.lower() or None


class Stream:
    """A result on its way. One task reads the warehouse, one watches for the client to leave, the caller sends."""

    status = 200

    def __init__(self, call: Call, target: Target, asked: Asked, chosen: Encoder) -> None:
        self._encoder = chosen
        self._result: RunningResult
        self._first = b""
        self._chunks: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(PREFETCHED)
        self._reading = asyncio.create_task(self._read(call, target, asked))
        self._watching = asyncio.create_task(_left(call))

    async def open(self) -> Self:
        """Wait for the first rows; raises what fails until then."""
        try:
            self._first = await self._next() or b""
        except BaseException:
            await self._stop()
            raise
        return self

    async def _read(self, call: Call, target: Target, asked: Asked) -> None:
        """Put every chunk into the queue, then None, or what the query failed with."""
        outcome: Exception | None = None
        try:
            async with call.services.queries.running(call.actor, target, asked) as self._result:
                chunk = await self._result.start(asked, self._encoder, read_only=target.config.read_only)
                while chunk is not None:
                    await self._chunks.put(chunk)
                    chunk = await self._result.next(self._encoder)
        except Exception as failure:  # noqa: BLE001  # raised again where the chunks are awaited
            outcome = failure
        await self._chunks.put(outcome)

    async def _next(self) -> bytes | None:
        arriving = asyncio.ensure_future(self._chunks.get())
        await asyncio.wait({arriving, self._watching}, return_when=asyncio.FIRST_COMPLETED)
        if not arriving.done():
            arriving.cancel()
            raise QueryCancelled
        chunk = arriving.result()
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    async def send(self, call: Call, headers: Headers) -> None:
        """Send the rows. A failure on the way breaks the transfer off, so that no client takes a part for the whole."""
        own = [
            (b"content-type", self._encoder.media_type.encode()),
            (QUERY_ID.lower().encode(), self._result.id.encode()),
            (TIMEOUT.lower().encode(), b"%d" % self._result.timeout_seconds),
        ]
        try:
            await call.send({"type": "http.response.start", "status": self.status, "headers": own + headers})
            chunk: bytes | None = self._first
            while chunk is not None:
                await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await self._next()
            await call.send({"type": "http.response.body", "body": b""})
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """End both tasks; a statement that still runs is cancelled in the warehouse."""
        self._reading.cancel()
        self._watching.cancel()
        await asyncio.wait({self._reading, self._watching})


async def _left(call: Call) -> None:
    """Return when the client has gone: a server's send() does not tell."""
    message = await call.receive()
    while message["type"] != "http.disconnect":
        message = await call.receive()


async def cancel(call: Call) -> Done:
    """Stop a running query in the warehouse itself."""
    await call.services.queries.cancel(call.actor, call.ids["queryId"])
    return Done()


ROUTES = (
    Route(
        method="POST",
        path="/connections/{id}/query",
        handler=query,
        kind="free",
        permission=Permission.QUERY,
        summary="Run a query",
        answer=None,
        body=schemas.query,
        media_types=FORMATS,
        headers={QUERY_ID: "The id to cancel it by.", TIMEOUT: "The time limit it runs under."},
        errors=(ProtocolTooOld, NotAcceptable, Saturated, WarehouseError, QueryTimeout, QueryCancelled),
    ),
    Route(
        method="DELETE",
        path="/queries/{queryId}",
        handler=cancel,
        kind="free",
        summary="Cancel a query",
        answer=Done,
        errors=(QueryNotFound,),
    ),
)
