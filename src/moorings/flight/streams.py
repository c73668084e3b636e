"""Results on their way from the event loop to the thread in which gRPC writes them. Imports pyarrow.

The loop's task reads one piece ahead and waits while the client takes none, so that memory holds three pieces.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import flight

from moorings.dialects.arrow.leaves import leaf_types
from moorings.flight import faults

POLL_SECONDS = 0.1
"""How often a thread that waits for rows checks whether its client has left."""
ROOM = 1
"""Pieces that wait for the thread, beside the one that it writes and the one that is read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Record batches of a result; the first piece has the schema."""

    schema: pa.Schema | None
    batches: tuple[pa.RecordBatch, ...] = ()
    size: int = 0
    """Of the batches, in bytes: counting it takes Arrow a while."""

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Piece:
        """One batch."""
        return cls(None, (batch,), batch.nbytes)

    def __len__(self) -> int:
        """The size in bytes."""
        return self.size

    def __bool__(self) -> bool:
        """Every piece counts: a result without rows has a schema."""
        return True

    def __add__(self, other: Piece, /) -> Piece:
        """This piece with the next one behind it."""
        return Piece(self.schema or other.schema, self.batches + other.batches, self.size + other.size)


class PieceEncoder:
    """Keeps record batches as they are: Flight itself carries Arrow."""

    exact = False
    pending = False

    def start(self, schema: pa.Schema) -> Piece:
        """The schema."""
        return Piece(schema)

    def batch(self, batch: pa.RecordBatch) -> Piece:
        """Some rows."""
        return Piece.of(batch)

    def end(self, *, truncated: bool, row_count: int) -> Piece:
        """Nothing: a Flight stream ends by its status."""
        del truncated, row_count
        return Piece(None)

    def more(self) -> Piece:
        """Nothing."""
        return Piece(None)


def call_on(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Call a function on the loop, from a thread; a loop that has ended meanwhile needs no call."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function)


class Handover:
    """Passes pieces from a task of the loop to one thread. A failure comes as the last item, the end as None."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: queue.SimpleQueue[Piece | BaseException | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(ROOM)

    async def put(self, piece: Piece) -> None:
        """Wait for room and pass a piece on."""
        await self._room.acquire()
        self._items.put(piece)

    def finish(self, failure: BaseException | None) -> None:
        """Pass the end on."""
        self._items.put(failure)

    def take(self, has_left: Callable[[], bool]) -> Piece | None:
        """The next piece, None after the last one; for the thread. Raises the failure as gRPC's error."""
        while True:
            try:
                item = self._items.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if has_left():
                    raise flight.FlightCancelledError("The client has left") from None
                continue
            if isinstance(item, BaseException):
                raise faults.fault(item) from None
            if item is not None:
                call_on(self._loop, self._room.release)
            return item


class Source:
    """A result that a task of the loop produces; used by the thread of its call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handover: Handover, task: asyncio.Task[Any]) -> None:
        self._loop = loop
        self._handover = handover
        self._task = task

    def stop(self) -> None:
        """Stop the task, which cancels its statement in the warehouse; harmless once it has ended."""
        call_on(self._loop, self._task.cancel)

    def stream(self, has_left: Callable[[], bool]) -> flight.FlightDataStream:
        """The result for gRPC, once its schema is there; raises the failure as gRPC's error."""
        try:
            first = self._handover.take(has_left)
        except BaseException:
            self.stop()
            raise
        schema = first.schema if first is not None and first.schema is not None else pa.schema([])
        return flight.GeneratorStream(schema, self._parts(first, schema, has_left))

    def drain(self, has_left: Callable[[], bool]) -> int:
        """Wait for the end of a statement that changes something; -1, since warehouses do not count alike."""
        try:
            while self._handover.take(has_left) is not None:
                pass
        finally:
            self.stop()
        return -1

    def _parts(self, first: Piece | None, schema: pa.Schema, has_left: Callable[[], bool]) -> Iterator[Any]:
        """The batches. gRPC drops this generator when the client leaves, and so runs its `finally`."""
        encoded = any(pa.types.is_dictionary(leaf) for field in schema for leaf in leaf_types(field.type))
        piece, first = first, None
        try:
            while piece is not None:
                for batch in piece.batches:
                    # A bare batch is sent without its dictionaries.
                    yield flight.RecordBatchStream(pa.Table.from_batches([batch])) if encoded else batch
                piece = None
                piece = self._handover.take(has_left)
        finally:
            self.stop()
