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

    from moorings.dialects.introspection import Description, Plan

T = TypeVar("T")

Next = Callable[[], "pa.RecordBatch | None"]
"""Reads the next batch; None after the last one."""

CLOSED_SECONDS = 0.5
"""A session that fails within this time was closed before its statement ran; after it, the statement had begun."""
GRACE_SECONDS = 5.0
"""How long a stopped statement may take to end, before its connection is severed and its caller gets the reason."""
RESET_SECONDS = 2.0
"""How long a stopped reset may take, before its connection is severed."""


class Lease:
    """One leased session. One task at a time uses it; any task may call `cancel`."""

    def __init__(self, slot: Slot, session: Session) -> None:
        self._slot = slot
        self._session = session
        self._untouched = True
        """No statement was sent in this lease."""
        self._reader: Batches | None = None
        self._job: Job[Any] | None = None
        self._resetting: Job[bool] | None = None
        """The job after that of `begin`: it resets the session if no rows are left to read."""
        self._read = self._resets = False
        self._cancelling: Job[None] | None = None
        self._late = False
        """The session was not reset in time: a late cancel would hit the next statement."""
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

        The statement's timeout applies until its last batch was pulled; we enforce it in addition to the server.
        """
        self._start_timer(statement.timeout_seconds)
        return await self._cross(lambda: self._begin(statement))

    def begin(self, statement: Statement, consume: Callable[[pa.Schema, Next], T]) -> Job[T]:
        """Run a statement and consume rows of it, all in one crossing into the session's thread; see `outcome`.

        `consume` gets the schema, and a function that reads the next batch (None after the last one). If it calls
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
        """Record, in the session's thread, that no task reads more of the result."""
        self._read = True

    async def ask(self, work: Callable[[Session], T], timeout_seconds: float) -> T:
        """The session's result for a call that returns no stream of rows; raises WarehouseError."""
        self._start_timer(timeout_seconds)
        answer = await self._cross(lambda: self._slot.guard(lambda: work(self._session)))
        self._end_timer()
        return answer

    async def plan(self, statement: Statement) -> Plan:
        """The warehouse's plan of a statement, without running it. Raises WarehouseError."""

        def work(session: Session) -> Plan:
            check_size(statement.sql)
            return session.plan(statement)

        return await self.ask(work, statement.timeout_seconds)

    async def describe(self, statement: Statement) -> Description:
        """The columns and parameters of a statement, without running it. Raises WarehouseError."""

        def work(session: Session) -> Description:
            check_size(statement.sql)
            return session.describe(statement)

        return await self.ask(work, statement.timeout_seconds)

    async def pull(self, encode: Callable[[pa.RecordBatch | None], T]) -> T:
        """Read the next batch (None after the last one) and encode it, in one crossing into the session's thread."""
        return await self.consume(lambda read: encode(read()))

    async def consume(self, consume: Callable[[Next], T]) -> T:
        """Consume further batches in one crossing; `consume` gets the function that reads the next one."""
        return await self._cross(lambda: consume(lambda: self._slot.guard(self._next)))

    async def cancel(self, reason: errors.QueryCancelled | None = None) -> None:
        """Stop the statement in the warehouse; the open or pull that waits for it raises the reason."""
        self._stop(reason or errors.QueryCancelled())
        if self._cancelling is not None:
            await asyncio.wait({self._cancelling.future}, timeout=GRACE_SECONDS)

    def _begin(self, statement: Statement) -> pa.Schema:
        """Run a statement, in a new session if the server closed this one while it was idle.

        A statement that only reads may be sent twice. One that may write is sent after a ping, and once.
        """
        check_size(statement.sql)
        reused = self._untouched and self._slot.is_reused
        began, self._untouched = clock.monotonic(), False
        if reused and not statement.read_only and self._slot.can_be_lost:
            self._ensure_session()
            reused = False
        try:
            return self._opened(statement)
        except errors.SessionLost:
            replaceable = reused and statement.read_only and not self.stopped.done()
            if not replaceable or clock.monotonic() - began > CLOSED_SECONDS:
                raise
        self._session = self._slot.replaced()
        return self._opened(statement)

    def _ensure_session(self) -> None:
        try:
            self._slot.guard(self._session.ping)
        except errors.SessionLost:
            if self.stopped.done():
                raise
            self._session = self._slot.replaced()

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
        """The result of a job of `begin`; raises WarehouseError."""
        try:
            outcome = await job.future
        except errors.WarehouseError as fault:
            reason = self._stopped or fault
        else:
            if self._reader is None or self._read:
                self._end_timer()
            if self._stopped is None:
                return outcome
            reason = self._stopped  # some statements end without an error when killed, with part of their work done
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
            # No task reads: PostgreSQL notices a cancel only once its rows are read, or the connection is closed.
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
        """End the lease without waiting. The job's result is whether the session can be used again; None if it cannot.

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
