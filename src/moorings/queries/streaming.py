"""Streams a query's result to the client, for every protocol.

The next chunk is read while one is sent: warehouse and socket work at the same time, and memory holds two chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from moorings.errors import MooringsError, QueryCancelled, WarehouseError
from moorings.queries.query import C, Encoder, Query

T = TypeVar("T")


class ClientLeft(QueryCancelled):
    """The client disconnected."""


class Stalled(QueryCancelled):
    """The client read nothing of the result for too long."""


Leaving = asyncio.Future[Any] | None
"""Done once the client has left; None where the task itself is cancelled then."""


async def unless(work: Awaitable[T], leaving: Leaving, *stopped: asyncio.Future[WarehouseError]) -> T:
    """Await something; if the client leaves first or the query is stopped, cancel it and raise the reason."""
    task = asyncio.ensure_future(work)
    events = (*stopped, leaving) if leaving is not None else stopped
    try:
        await asyncio.wait({task, *events}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise next((reason.result() for reason in stopped if reason.done()), ClientLeft())
    finally:
        await ended(task)


async def ended(task: asyncio.Future[T]) -> None:
    """Cancel a task that is not done yet, and wait until it is."""
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, MooringsError):
            await task


async def pump(
    query: Query,
    encoder: Encoder[C],
    first: C,
    send: Callable[[C], Awaitable[None]],
    stalled_seconds: float,
    leaving: Leaving = None,
) -> None:
    """Send all chunks of a query, from its first one; raises what stops the query, ClientLeft or Stalled."""
    chunk: C | None = first
    del first  # a chunk may be large
    while chunk is not None:
        sending = send(chunk)
        del chunk
        chunk = await _sent(query, encoder, sending, stalled_seconds, leaving)


async def _sent(
    query: Query, encoder: Encoder[C], sending: Awaitable[None], stalled_seconds: float, leaving: Leaving
) -> C | None:
    """Wait until a chunk is sent and read the next one meanwhile; returns the next one."""
    ahead = asyncio.ensure_future(query.next(encoder))
    try:
        # A client that reads nothing must not delay the end of a query that was stopped.
        async with asyncio.timeout(stalled_seconds):
            await unless(sending, leaving, query.stopped)
    except TimeoutError:
        raise Stalled from None
    else:
        return await unless(ahead, leaving)
    finally:
        await ended(ahead)
