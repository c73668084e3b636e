"""One query: its statement, and its rows as bytes on their way to the caller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from moorings.dialects.base import Statement
from moorings.engine.service import Job, Lease
from moorings.errors import QueryCancelled, ResultTooLarge, WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 16_384
"""How many rows a chunk has at most, where the driver lets us choose."""
SMALL_BYTES = 64 * 1024
"""First rows of fewer bytes wait a moment for the end of the result, so that a small one needs one crossing only."""
SOON_SECONDS = 0.02
"""How long that moment is, counted from the start of the statement."""


class Encoder(Protocol):
    """Turns a result into bytes, in the session's thread, one call after the other."""

    @property
    def exact(self) -> bool:
        """Whether it writes values that readers of Arrow cannot hold."""
        ...

    def start(self, schema: pa.Schema) -> bytes:
        """What comes before the first row."""
        ...

    def batch(self, batch: pa.RecordBatch) -> bytes:
        """Some rows."""
        ...

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """What comes after the last row."""
        ...

    @property
    def pending(self) -> bool:
        """Whether there is more to send than `end` returned."""
        ...

    def more(self) -> bytes:
        """The next piece of that."""
        ...


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What a caller asks for. Absent limits take the connection's and the operator's."""

    sql: str
    parameters: Sequence[Any] = ()
    row_limit: int | None = None
    timeout_seconds: int | None = None
    limited: bool = True
    """Whether the operator's limit of rows cuts the result where the caller names none; else it comes whole."""
    numeric_as: str | None = None
    """What becomes of numbers without a declared precision; the connection says so unless the caller does."""
    query_id: str | None = None
    """The caller's own choice of an id (a UUID), so that it can cancel before the first byte has come."""


@dataclass(frozen=True, slots=True)
class RowLimit:
    """How many rows a query may send; None for all."""

    rows: int | None
    breaks: bool = False
    """Whether a longer result fails, because the caller named no limit; else it is cut, and says so."""

    @classmethod
    def of(cls, request: QueryRequest, default: int, cap: int | None) -> RowLimit:
        """What a request asks for, within the operator's default and cap."""
        wanted = request.row_limit or (default if request.limited else None)
        if wanted is None:
            return cls(cap, breaks=True)
        return cls(min(wanted, cap or wanted))

    def __str__(self) -> str:
        """What the header says."""
        return "none" if self.rows is None else str(self.rows)

    def room(self, sent: int, more: int) -> int:
        """How many of so many more rows may be sent; raises ResultTooLarge where the result fails."""
        if self.rows is None:
            return more
        if self.breaks and sent + more > self.rows:
            raise ResultTooLarge(
                message=f"The result has more than {self.rows} rows, the most that MOORINGS_ROW_LIMIT_MAX allows. "
                "Send a rowLimit."
            )
        return min(more, self.rows - sent)


class Query:
    """One running query: its rows, encoded. Used by one task at a time, but for `cancel`."""

    def __init__(self, query_id: str, lease: Lease, timeout_seconds: int, row_limit: RowLimit) -> None:
        self.id = query_id
        self.timeout_seconds = timeout_seconds
        self.ended = False
        """Whether the last bytes were handed out."""
        self._lease = lease
        self.row_limit = row_limit
        self.row_count = 0
        self.byte_count = 0
        """What was handed out."""
        self.traceparent = ""
        self._complete = False
        self._first = _First()

    def begin(self, request: QueryRequest, encoder: Encoder, *, read_only: bool) -> None:
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

        def consume(schema: pa.Schema, read: Callable[[], pa.RecordBatch | None]) -> bytes:
            rows = encoder.start(schema) + self._encode(encoder, read())
            if self._complete or len(rows) >= SMALL_BYTES:
                return rows
            if rows:
                self._first.offer(rows)
            following = self._encode(encoder, read())
            return self._first.withdraw() + following  # no more than once: what is read later is for `next`

        self._first.job = self._lease.begin(statement, consume)

    async def soon(self) -> bool:
        """Wait a moment; whether `first` then answers at once."""
        return await self._first.soon()

    async def first(self, encoder: Encoder) -> bytes:
        """The first bytes, as soon as there are any; raises WarehouseError before there is a byte to send."""
        early = await self._first.early()
        if early:
            self.byte_count += len(early)
        return early or await self._outcome(encoder)

    async def next(self, encoder: Encoder) -> bytes | None:
        """The next bytes, None after the last; raises WarehouseError."""
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
        rows = await self._lease.pull(lambda batch: self._encode(encoder, batch))
        self.byte_count += len(rows)
        self.ended = self._complete and not encoder.pending
        return rows

    async def _outcome(self, encoder: Encoder) -> bytes:
        """What the first crossing ended with: all it read, but for what was taken from it before."""
        rows = await self._lease.outcome(self._first.job)
        self.byte_count += len(rows)
        self.ended = self._complete and not encoder.pending
        return rows

    @property
    def session_id(self) -> str:
        """The warehouse's own name for the session; empty where it has none."""
        return self._lease.session_id

    @property
    def stopped(self) -> asyncio.Future[WarehouseError]:
        """Done, with the reason, once the statement was cancelled or ran out of time."""
        return self._lease.stopped

    async def cancel(self, reason: QueryCancelled | None = None) -> None:
        """Stop the statement in the warehouse; the task that waits for its rows gets the reason."""
        await self._lease.cancel(reason)

    def _encode(self, encoder: Encoder, batch: pa.RecordBatch | None) -> bytes:
        if batch is None:
            return self._end(encoder, truncated=False)
        room = self.row_limit.room(self.row_count, batch.num_rows)
        visible = batch if batch.num_rows <= room else batch.slice(0, room)
        self.row_count += visible.num_rows
        rows = encoder.batch(visible) if visible.num_rows else b""
        return rows if visible is batch else rows + self._end(encoder, truncated=True)

    def _end(self, encoder: Encoder, *, truncated: bool) -> bytes:
        self._complete = True
        self._lease.done()
        return encoder.end(truncated=truncated, row_count=self.row_count)


class _First:
    """The first crossing into the session's thread, and the first rows, while the thread reads what follows them.

    Either side takes the rows: the thread once it has read on, or the loop when that takes too long. Each first says
    what it has done and then looks at what the other side has, so that none of them waits for nothing.
    """

    job: Job[bytes]

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rows: list[bytes] = []
        self._waited = False
        self._offered: asyncio.Future[None] = self._loop.create_future()
        self.taken = False

    def offer(self, rows: bytes) -> None:
        """Let the loop take first rows; called in the thread."""
        self._rows.append(rows)
        if self._waited:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                self._loop.call_soon_threadsafe(self._note)

    def _note(self) -> None:
        if not self._offered.done():
            self._offered.set_result(None)

    def withdraw(self) -> bytes:
        """Take the rows back, for what follows to be added; nothing where the loop has taken them."""
        return self._take() or b""

    def _take(self) -> bytes | None:
        try:
            return self._rows.pop()
        except IndexError:
            return None

    async def soon(self) -> bool:
        """Wait until the crossing is over, but a moment only."""
        if not self.job.future.done():
            await asyncio.wait({self.job.future}, timeout=SOON_SECONDS)
        self._waited = True
        return self.job.future.done() or bool(self._rows)

    async def early(self) -> bytes | None:
        """The first rows, where they are there before the crossing is over; None once it is."""
        while not self.job.future.done():
            self._waited = True
            rows = self._take()
            if rows is not None:
                self.taken = True
                self.job.future.add_done_callback(_seen)
                return rows
            either = {self.job.future} if self._offered.done() else {self.job.future, self._offered}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return None


def _seen(future: asyncio.Future[bytes]) -> None:
    """Look at a failure: nobody else does, where the client leaves before it asks for what follows."""
    if not future.cancelled():
        future.exception()
