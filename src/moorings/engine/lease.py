"""A lease: a session for the time of one request, and the statement that runs in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from moorings import clock, errors
from moorings.dialects.base import Session, Statement
from moorings.dialects.bounds import check_size
from moorings.engine.batches import Batches
from moorings.engine.slot import Slot
from moorings.engine.threads import Job

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.introspection import Plan

T = TypeVar("T")

Next = Callable[[], "pa.RecordBatch | None"]
"""Reads the next batch; None after the last one."""

CLOSED_SECONDS = 0.5
"""A session that fails within so long was closed before its statement ran: one that is killed later had begun."""
GRACE_SECONDS = 5.0
"""How long a stopped statement may take to end, before its connection is severed and its caller hears of it anyway."""
RESET_SECONDS = 2.0
"""How long a reset may take that was stopped, before its connection is severed."""


class Lease:
    """One session, leased. Used by one task at a time, but for `cancel`, which any task may call."""

    def __init__(self, slot: Slot, session: Session) -> None:
        self._slot = slot
        self._session = session
        self._untouched = True
        """No statement was sent in this lease."""
        self._reader: Batches | None = None
        self._job: Job[Any] | None = None
        self._resetting: Job[bool] | None = None
        """The job behind that of `begin`: it resets the session where nothing is left to read."""
        self._read = self._resets = False
        self._cancelling: Job[None] | None = None
        self._late = False
        """The session was not reset in its time: a cancel is on its way that would hit the next statement."""
        self.stopped: asyncio.Future[errors.WarehouseError] = asyncio.get_running_loop().create_future()
        """Done, with the reason, once the statement was stopped: for callers still busy with earlier rows."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _stopped(self) -> errors.WarehouseError | None:
        return self.stopped.result() if self.stopped.done() else None

    @property
    def session_id(self) -> str:
        """The warehouse's own name for the session; empty where it has none."""
        return self._session.id

    async def open(self, statement: Statement) -> pa.Schema:
        """Run a statement; returns its result's schema, raises WarehouseError.

        The statement's timeout covers it until its last batch was pulled, and is kept by us besides the server.
        """
        self._start_timer(statement.timeout_seconds)
        return await self._cross(lambda: self._begin(statement))

    def begin(self, statement: Statement, consume: Callable[[pa.Schema, Next], T]) -> Job[T]:
        """Run a statement and consume rows of it, all in one crossing into the session's thread; see `outcome`.

        `consume` is given the schema, and what reads the next batch (None after the last one). Where it has called
        `done`, the session is reset right after it, without another crossing. Raises the reason of a cancel that was
        first.
        """
        if self._stopped is not None:
            raise self._stopped
        self._start_timer(statement.timeout_seconds)

        def work() -> T:
            outcome = consume(self._begin(statement), lambda: self._slot.guard(self._next))
            self._resets = self._read
            return outcome

        job = self._send(work)
        self._resetting = self._slot.run(lambda: self._resets and self._reset())
        return job

    def done(self) -> None:
        """Note, in the session's thread, that nobody reads more of the result."""
        self._read = True

    async def ask(self, work: Callable[[Session], T], timeout_seconds: float) -> T:
        """What the session answers to a call that is no stream of rows; raises WarehouseError."""
        self._start_timer(timeout_seconds)
        answer = await self._cross(lambda: self._slot.guard(lambda: work(self._session)))
        self._end_timer()
        return answer

    async def plan(self, statement: Statement) -> Plan:
        """What running a statement would take; it is not run. Raises WarehouseError."""

        def work(session: Session) -> Plan:
            check_size(statement.sql)
            return session.plan(statement)

        return await self.ask(work, statement.timeout_seconds)

    async def pull(self, encode: Callable[[pa.RecordBatch | None], T]) -> T:
        """Read the next batch (None after the last one) and encode it, in one crossing into the session's thread."""
        return await self._cross(lambda: encode(self._slot.guard(self._next)))

    async def cancel(self, reason: errors.QueryCancelled | None = None) -> None:
        """Stop the statement in the warehouse; the open or pull that waits for it raises the reason."""
        self._stop(reason or errors.QueryCancelled())
        if self._cancelling is not None:
            await asyncio.wait({self._cancelling.future}, timeout=GRACE_SECONDS)

    def _begin(self, statement: Statement) -> pa.Schema:
        """Run a statement, in a new session where the server had closed this one while it was idle."""
        check_size(statement.sql)
        began, self._untouched, untouched = clock.monotonic(), False, self._untouched
        try:
            return self._opened(statement)
        except errors.SessionLost:
            replaceable = untouched and statement.read_only and self._slot.is_reused and not self.stopped.done()
            if not replaceable or clock.monotonic() - began > CLOSED_SECONDS:
                raise
        self._session = self._slot.replaced()
        return self._opened(statement)

    def _opened(self, statement: Statement) -> pa.Schema:
        limits = self._slot.limits
        bounded = replace(statement, limits=limits)
        self._reader = self._slot.guard(
            lambda: Batches(
                self._session.query(bounded), limits, exact=statement.exact, numeric_as=statement.numeric_as
            )
        )
        return self._reader.schema

    def _next(self) -> pa.RecordBatch | None:
        if self._reader is None:
            return None
        batch = self._reader.next()
        if batch is None:
            self._reader = None
        return batch

    async def _cross(self, work: Callable[[], T]) -> T:
        if self._stopped is not None:
            raise self._stopped
        return await self.outcome(self._send(work))

    def _send(self, work: Callable[[], T]) -> Job[T]:
        self._job = job = self._slot.run_unguarded(work)
        return job

    async def outcome(self, job: Job[T]) -> T:
        """What a job of `begin` answered; raises WarehouseError."""
        try:
            outcome = await job.future
        except errors.WarehouseError as fault:
            reason = self._stopped or fault
        else:
            if self._reader is None or self._read:
                self._end_timer()
            if self._stopped is None:
                return outcome
            reason = self._stopped  # some statements end in peace when they are killed, with half of what they were for
        reason.__context__ = None
        raise reason

    # ---- the end ------------------------------------------------------------------------------------------------

    def _stop(self, reason: errors.WarehouseError) -> None:
        if self._stopped is not None:
            return
        self.stopped.set_result(reason)
        self._end_timer()
        if self._job is None:
            return
        if self._job.over.is_set():
            # Nobody reads: PostgreSQL hears of a cancel only once its rows are taken, or the connection is gone.
            self._cancelling = self._slot.run(self._slot.logout)
            return
        job = self._job
        self._cancelling = self._slot.cancel_until_over(job.over)
        self._slot.after(GRACE_SECONDS, job, lambda: _end(job, reason))

    def _start_timer(self, seconds: float) -> None:
        self._end_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._stop, errors.QueryTimeout())

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> Job[bool] | None:
        """End the lease without waiting: the job tells whether the session can be used again; None when it cannot.

        A statement that still runs is cancelled in the warehouse. Its session is not used again, since a cancel
        that arrives late would hit the next caller.
        """
        self._end_timer()
        running = self._job is not None and not self._job.over.is_set()
        if running:
            self._stop(errors.QueryCancelled())
        if running or self._stopped is not None:
            return None
        resetting = self._resetting if self._resets and self._resetting else self._slot.run(self._reset)
        hurrying = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._hurry, resetting)
        ending = self._slot.after(
            GRACE_SECONDS + RESET_SECONDS, resetting, lambda: _end(resetting, errors.SessionLost())
        )
        resetting.future.add_done_callback(lambda _: (hurrying.cancel(), ending.cancel()))
        return resetting

    def _reset(self) -> bool:
        self._reader = None
        return self._session.reset() and not self._late

    def _hurry(self, resetting: Job[bool]) -> None:
        if not resetting.over.is_set():
            self._late = True
            self._slot.cancel_until_over(resetting.over)


def _end(job: Job[Any], reason: errors.WarehouseError) -> None:
    """Resolve a job's future, though its thread may still hang."""
    if not job.future.done():
        job.future.set_exception(reason)
