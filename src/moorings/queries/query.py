"""One query: it runs a statement and streams the rows to the caller, in chunks that an encoder makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from moorings import clock
from moorings.dialects.base import Statement
from moorings.engine.service import Job, Lease
from moorings.errors import QueryCancelled, ResultTooLarge, WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 16_384
"""The maximum rows of a chunk, if the driver has such an option."""
SMALL_BYTES = 64 * 1024
"""First rows of fewer bytes wait a moment for the end of the result, so that a small result needs one crossing only."""
SOON_SECONDS = 0.02
"""How long that moment is, counted from the start of the statement."""

FILLED_BYTES = 1024 * 1024
"""A chunk of fewer bytes takes further batches, as long as each is read at once."""
AT_ONCE_SECONDS = 0.005
"""The time within which a batch counts as read at once."""


class Chunk(Protocol):
    """A piece of a result: bytes, or record batches where the protocol itself carries Arrow."""

    def __len__(self) -> int:
        """Its size in bytes; 0 if it has no rows and nothing else to send."""
        ...

    def __add__(self, other: Self, /) -> Self:
        """This piece with the next one behind it."""
        ...


C = TypeVar("C", bound=Chunk)
C_co = TypeVar("C_co", bound=Chunk, covariant=True)


class Encoder(Protocol[C_co]):
    """Turns a result into chunks, in the session's thread, one call after the other."""

    @property
    def exact(self) -> bool:
        """Whether the encoder writes values that Arrow readers cannot represent."""
        ...

    def start(self, schema: pa.Schema) -> C_co:
        """The bytes before the first row."""
        ...

    def batch(self, batch: pa.RecordBatch) -> C_co:
        """Some rows, one at least."""
        ...

    def end(self, *, truncated: bool, row_count: int) -> C_co:
        """The bytes after the last row."""
        ...

    @property
    def pending(self) -> bool:
        """Whether there is more to send than `end` returned."""
        ...

    def more(self) -> C_co:
        """The next piece of the rest."""
        ...


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A caller's request. The connection's and the operator's limits replace absent ones."""

    sql: str
    parameters: Sequence[Any] = ()
    row_limit: int | None = None
    timeout_seconds: int | None = None
    limited: bool = True
    """Whether the operator's row limit applies if the caller names none; otherwise all rows are sent."""
    numeric_as: str | None = None
    """The format of numbers without a declared precision. Default: the connection's setting."""
    read_only: bool = False
    """Whether the statement may only read, also on a writable connection."""
    query_id: str | None = None
    """An id (a UUID) that the caller chose, so that it can cancel before it receives the first byte."""


@dataclass(frozen=True, slots=True)
class RowLimit:
    """The number of rows that a query may send; None for all."""

    rows: int | None
    breaks: bool = False
    """Whether a longer result fails, because the caller named no limit; otherwise it is cut, and a header says so."""

    @classmethod
    def of(cls, request: QueryRequest, default: int, cap: int | None) -> RowLimit:
        """The limit of a request, within the operator's default and cap."""
        limit = request.row_limit or (default if request.limited else None)
        if limit is None:
            return cls(cap, breaks=True)
        return cls(min(limit, cap or limit))

    def __str__(self) -> str:
        """The value of the header."""
        return "none" if self.rows is None else str(self.rows)

    def room(self, sent: int, more: int) -> int:
        """How many of `more` further rows may be sent; raises ResultTooLarge if a longer result fails."""
        if self.rows is None:
            return more
        if self.breaks and sent + more > self.rows:
            raise ResultTooLarge(
                message=f"The result has more than {self.rows} rows, the most that MOORINGS_ROW_LIMIT_MAX allows. "
                "Send a rowLimit."
            )
        return min(more, self.rows - sent)


class Query:
    """One running query: its rows, encoded. One task at a time uses it; any task may call `cancel`."""

    def __init__(self, query_id: str, lease: Lease, timeout_seconds: int, row_limit: RowLimit) -> None:
        self.id = query_id
        self.timeout_seconds = timeout_seconds
        self.ended = False
        """Whether the last bytes were handed out."""
        self._lease = lease
        self.row_limit = row_limit
        self.row_count = 0
        self.byte_count = 0
        """The rows and bytes that were returned so far."""
        self.traceparent = ""
        self._complete = False
        self._ahead: pa.RecordBatch | None = None
        """A batch that was read, and is to be encoded next."""
        self._first = _First()

    def begin(self, request: QueryRequest, encoder: Encoder[C], *, read_only: bool) -> None:
        """Send the statement to the session's thread, which runs it and encodes its first rows: see `first`."""
        statement = Statement(
            request.sql,
            request.parameters,
            read_only=read_only,
            timeout_seconds=self.timeout_seconds,
            batch_rows=min((self.row_limit.rows or BATCH_ROWS) + 1, BATCH_ROWS),
            exact=encoder.exact,
            numeric_as=request.numeric_as or "text",
            query_id=self.id,
            traceparent=self.traceparent,
        )

        def consume(schema: pa.Schema, read: Callable[[], pa.RecordBatch | None]) -> C:
            rows = encoder.start(schema) + self._encode(encoder, read())
            if self._complete or len(rows) >= SMALL_BYTES:
                return rows
            if rows:
                self._first.offer(rows)
            following = self._encode(encoder, read())  # once only: `next` returns the later rows
            withdrawn = self._first.withdraw()
            return following if withdrawn is None else withdrawn + following

        self._first.job = self._lease.begin(statement, consume)

    async def soon(self) -> bool:
        """Wait a moment; returns whether `first` then returns without waiting."""
        return await self._first.soon()

    async def first(self, encoder: Encoder[C]) -> C:
        """The first chunk, as soon as there are any; raises WarehouseError if the statement fails before."""
        early = await self._first.early()
        if early:
            self.byte_count += len(early)
        return early or await self._outcome(encoder)

    async def next(self, encoder: Encoder[C]) -> C | None:
        """The next chunk, None after the last; raises WarehouseError."""
        if self.ended:
            return None
        if self._first.taken:
            self._first.taken = False
            return await self._outcome(encoder)
        if self._complete and encoder.pending:
            piece = await asyncio.to_thread(encoder.more)
            self.byte_count += len(piece)
            self.ended = not encoder.pending
            return piece
        rows = await self._lease.consume(lambda read: self._filled(encoder, read))
        self.byte_count += len(rows)
        self.ended = self._complete and not encoder.pending
        return rows

    async def _outcome(self, encoder: Encoder[C]) -> C:
        """The result of the first crossing: all that it read, without the rows taken early."""
        rows = await self._lease.outcome(self._first.job)
        del self._first.job  # it holds the rows, which may be many
        self.byte_count += len(rows)
        self.ended = self._complete and not encoder.pending
        return rows

    @property
    def session_id(self) -> str:
        """The warehouse's own id of the session; empty if it has none."""
        return self._lease.session_id

    @property
    def stopped(self) -> asyncio.Future[WarehouseError]:
        """Done, with the reason, once the statement was cancelled or ran out of time."""
        return self._lease.stopped

    async def cancel(self, reason: QueryCancelled | None = None) -> None:
        """Stop the statement in the warehouse; `reason` is raised in the task that waits for its rows."""
        await self._lease.cancel(reason)

    def _filled(self, encoder: Encoder[C], read: Callable[[], pa.RecordBatch | None]) -> C:
        """The next batch, and small ones behind it that are there at once, so that these share one crossing."""
        began = now = clock.monotonic()
        batch, self._ahead = self._ahead, None
        chunk, read_at = self._encode(encoder, read() if batch is None else batch), clock.monotonic()
        while not self._complete and len(chunk) < FILLED_BYTES:
            if read_at - now > AT_ONCE_SECONDS or read_at - began > SOON_SECONDS:
                break
            now, batch = read_at, read()
            if batch is not None and batch.nbytes > FILLED_BYTES:
                self._ahead = batch  # to join it would copy all of it
                break
            chunk, read_at = chunk + self._encode(encoder, batch), clock.monotonic()
        return chunk

    def _encode(self, encoder: Encoder[C], batch: pa.RecordBatch | None) -> C:
        if batch is None:
            return self._end(encoder, truncated=False)
        room = self.row_limit.room(self.row_count, batch.num_rows)
        visible = batch if batch.num_rows <= room else batch.slice(0, room)
        self.row_count += visible.num_rows
        if visible is batch:
            return encoder.batch(batch)
        rows = encoder.batch(visible) if visible.num_rows else None
        end = self._end(encoder, truncated=True)
        return end if rows is None else rows + end

    def _end(self, encoder: Encoder[C], *, truncated: bool) -> C:
        self._complete = True
        self._lease.done()
        return encoder.end(truncated=truncated, row_count=self.row_count)


class _First:
    """The first crossing into the session's thread, and the first rows while the thread reads more.

    Either side takes the rows: the thread once it has read on, or the loop when that takes too long. Each first records
    its own step and then checks the other side's, so that neither waits in vain.
    """

    job: Job[Any]

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rows: list[Any] = []
        self._waited = False
        self._offered: asyncio.Future[None] = self._loop.create_future()
        self.taken = False

    def offer(self, rows: Chunk) -> None:
        """Offer first rows to the loop; called in the thread."""
        self._rows.append(rows)
        if self._waited:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: no task waits
                self._loop.call_soon_threadsafe(self._note)

    def _note(self) -> None:
        if not self._offered.done():
            self._offered.set_result(None)

    def withdraw(self) -> Any | None:
        """Take the rows back, to add the later ones to them; None if the loop has taken them."""
        try:
            return self._rows.pop()
        except IndexError:
            return None

    async def soon(self) -> bool:
        """Wait a moment at most until the crossing is over."""
        if not self.job.future.done():
            await asyncio.wait({self.job.future}, timeout=SOON_SECONDS)
        self._waited = True
        return self.job.future.done() or bool(self._rows)

    async def early(self) -> Any | None:
        """The first rows, if they are ready before the crossing is over; None once it is."""
        while not self.job.future.done():
            self._waited = True
            rows = self.withdraw()
            if rows is not None:
                self.taken = True
                self.job.future.add_done_callback(_seen)
                return rows
            either = {self.job.future} if self._offered.done() else {self.job.future, self._offered}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return None


def _seen(future: asyncio.Future[Any]) -> None:
    """Retrieve a failure, so that asyncio logs none if the client leaves before it reads on."""
    if not future.cancelled():
        future.exception()
