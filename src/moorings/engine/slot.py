"""A slot: one session with a warehouse, and the thread it lives in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from moorings import errors
from moorings.dialects.base import ByteLimits, Dialect, Session, SessionContext
from moorings.dialects.config.connection import ConnectionConfig
from moorings.engine.metering import Meter
from moorings.engine.process.session import ProcessSession
from moorings.engine.severing import Abandoned, sever
from moorings.engine.shares import Holder
from moorings.engine.threads import Job, SessionThread, cancel_until_over, keep, run_in_thread

T = TypeVar("T")

SLACK_SECONDS = 2.0
"""The extra time that a driver gets after its own time limit, before its connection is severed."""
CLOSE_GRACE_SECONDS = 5.0
"""How long a discarded session may take to stop and to log out, before its connection is severed."""
SEVERED_SECONDS = 2.0
"""How long a thread may take to end once its connection is severed, before it is abandoned."""
START_SECONDS = 20.0
"""How long a session's own process may take to start, on a busy machine."""
RETRY_SECONDS = 0.1
"""The pause between two attempts to sever: a thread may have dialled again."""
ABANDONED_SECONDS = 1.0
"""The same for abandoned threads."""


@dataclass(frozen=True, slots=True)
class Target:
    """A connection at one revision of its credentials. Its repr shows no setting."""

    connection_id: str
    revision: int
    dialect: Dialect = field(repr=False)
    config: ConnectionConfig = field(repr=False)


class Slot:
    """One session and its thread. Every call into the driver goes through `run`, which translates faults.

    Every call ends: a call that exceeds its time is severed, and a thread that hangs even then is
    abandoned, so that the place of its session is free.
    """

    def __init__(self, target: Target, context: SessionContext, abandoned: Abandoned, owner: str) -> None:
        self.target = target
        self.owner = owner
        """The owner of the place: the connection, at any revision."""
        self.session: Session | None = None
        self._closing: Session | None = None
        self._starting: ProcessSession | None = None
        """The session's own process, if the dialect needs one: it starts before the login."""
        self.born = asyncio.get_running_loop().time()
        self.idle_since = self.born
        self.expiry: asyncio.TimerHandle | None = None
        self.holder: Holder | None = None
        """The current owner; None while it is idle."""
        self._context = context
        self.light = context.light and target.dialect.probes_cheaply
        self._own_process = target.dialect.needs_process(target.config)
        self._secrets = tuple(target.config.secrets().values())
        self._thread = SessionThread(f"moorings-{target.connection_id[:8]}")
        self._side_threads: list[threading.Thread] = []
        self._abandoned = abandoned
        self._severed = False
        self._max_received = self.limits.buffer + 2 * self.limits.batch  # drivers read a little ahead
        self._meter = Meter(self._max_received)

    @property
    def limits(self) -> ByteLimits:
        """The most bytes of a result in memory at once."""
        return self._context.limits

    @property
    def connected(self) -> Session:
        """The session of a slot that was taken; raises SessionLost when there is none."""
        if self.session is None:
            raise errors.SessionLost
        return self.session

    @property
    def config(self) -> ConnectionConfig:
        """The Config as the driver gets it, checked by today's rules. Raises InvalidSettings."""
        return self.target.config.dialable()

    def run(self, work: Callable[[], T]) -> Job[T]:
        """Run work in the session's thread; the driver's exceptions are raised translated and redacted."""
        return self._thread.run(lambda: self.guard(work))

    def run_unguarded(self, work: Callable[[], T]) -> Job[T]:
        """Run work in the session's thread that translates the driver's faults itself, by `guard`."""
        return self._thread.run(work)

    def guard(self, work: Callable[[], T]) -> T:
        """Run work; raises the driver's exceptions translated, without a reference to the original.

        A call that receives more than may be in memory at once raises ResultTooLarge.

        The original is not even its context: tracebacks would show its text, and with it perhaps a secret. Nor is there
        a traceback into the driver, whose frames would keep its objects alive.
        """
        try:
            with self._meter.metered():
                return work()
        except errors.WarehouseError as error:
            fault = error
        except Exception as error:  # noqa: BLE001  # drivers raise what they like; this is the one border
            fault = self.target.dialect.translate(error, self._secrets)
        fault.__cause__ = fault.__context__ = fault.__traceback__ = None
        raise fault

    async def login(self) -> Session:
        """Connect; raises ConnectTimeout when the driver does not come back in time."""
        if self._own_process:
            await self.within(START_SECONDS, self._start)
        limit = self._context.connect_timeout_seconds + SLACK_SECONDS
        return await self.within(limit, self._login)

    def _start(self) -> None:
        self.logout()
        self._starting = ProcessSession()
        self._starting.start()

    def _login(self) -> Session:
        if self._starting is None:
            self.logout()
        config = self.config
        self._check_address(config)
        self.session = self._connect(config)
        return self.session

    @property
    def is_reused(self) -> bool:
        """Whether the session was used before and can be replaced from its own thread."""
        return self.idle_since != self.born

    @property
    def can_be_lost(self) -> bool:
        """Whether the server holds a session, which it can close: a file has none, nor have requests of their own."""
        dialect = self.target.dialect
        return not dialect.stateless and dialect.address(self.target.config) is not None

    def replaced(self) -> Session:
        """A new session in the place of one that the server closed; to be called in the session's thread."""
        if self._own_process:
            self._start()
        return self.guard(self._login)

    def _connect(self, config: ConnectionConfig) -> Session:
        dialect, process = self.target.dialect, self._starting
        if process is None:
            return dialect.connect(config, self._context)
        process.open(dialect, config, self._context)
        return process

    def _check_address(self, config: ConnectionConfig) -> None:
        """Apply the egress rules before the driver logs in; drivers then dial checked addresses."""
        dialect = self.target.dialect
        if (place := dialect.address(config)) is None:
            return
        network = self._context.network
        if not dialect.over_http or network.route(*place, *dialect.ADDRESS_FIELDS) is not None:
            self._context.network.check(*place, config.database, *dialect.ADDRESS_FIELDS)

    async def within(self, seconds: float, work: Callable[[], T]) -> T:
        """Run work with a hard deadline: raises ConnectTimeout after it, and severs the thread's connections."""
        return await self._awaited(seconds, self.run(work))

    async def within_in_thread(self, seconds: float, work: Callable[[], T]) -> T:
        """The same in a thread of its own, for work that needs no session; raises what the work raises."""
        job, thread = run_in_thread(work)
        self._side_threads.append(thread)
        return await self._awaited(seconds, job)

    async def _awaited(self, seconds: float, job: Job[T]) -> T:
        try:
            if (await asyncio.wait({job.future}, timeout=seconds))[0]:
                return job.future.result()
        finally:
            job.future.cancel()  # a later result is dropped
        self.sever()
        raise errors.ConnectTimeout(*self.target.dialect.ADDRESS_FIELDS)

    def cancel_until_over(self, over: threading.Event) -> Job[None]:
        """Cancel the session's statement repeatedly until it is over; the job is done after the first attempt."""
        cancel = self.connected.cancel

        def metered() -> None:
            with Meter(self._max_received, logs_in=False).metered():  # some drivers open a connection to cancel
                cancel()

        job, thread = cancel_until_over(metered, over)
        self._side_threads.append(thread)
        return job

    def sever(self) -> None:
        """End hanging calls, in the session's thread and beside it, by shutting down their network connections."""
        self._severed = True
        for thread in (self._thread.thread, *self._side_threads):
            sever(thread)
        session = self.session or self._closing or self._starting
        if session is not None:
            with contextlib.suppress(Exception):  # a call that cannot be severed is abandoned
                session.sever()

    def after(self, seconds: float, job: Job[Any], act: Callable[[], None]) -> asyncio.TimerHandle:
        """Sever a job that is not over after so many seconds, and do something besides: its future may need an end."""

        def late() -> None:
            if not job.over.is_set():
                self.sever()
                act()

        return asyncio.get_running_loop().call_later(seconds, late)

    def leave(self) -> asyncio.Future[None]:
        """Close the session after the current job of its thread, and end the thread.

        Returns within seconds: a thread that does not end is abandoned.
        """
        job = self._thread.run(self.logout)
        self._thread.end()
        if any(thread.is_alive() for thread in self._side_threads):
            keep(
                self._wait_or_abandon(
                    [thread for thread in self._side_threads if thread.is_alive()], CLOSE_GRACE_SECONDS
                )
            )
        return keep(self._closed(job))

    async def _closed(self, job: Job[None]) -> None:
        await asyncio.wait({job.future}, timeout=0 if self._severed else CLOSE_GRACE_SECONDS)
        if not job.over.is_set():
            await self._wait_or_abandon([self._thread.thread], 0)

    async def _wait_or_abandon(self, threads: list[threading.Thread], grace_seconds: float) -> None:
        """Wait for threads to end; sever them when they take too long, and abandon those that hang even then."""
        began = asyncio.get_running_loop().time()
        while threads := [thread for thread in threads if thread.is_alive()]:
            waited = asyncio.get_running_loop().time() - began
            if waited >= grace_seconds:
                self.sever()
            if waited >= grace_seconds + SEVERED_SECONDS:
                break
            await asyncio.sleep(RETRY_SECONDS)
        for thread in threads:
            self._abandoned.add(self.owner, thread)
        if threads:
            keep(self._keep_severing(threads))

    async def _keep_severing(self, threads: list[threading.Thread]) -> None:
        """Sever abandoned threads for as long as they last: some drivers dial again by themselves."""
        while any(thread.is_alive() for thread in threads):
            await asyncio.sleep(ABANDONED_SECONDS)
            self.sever()

    def logout(self) -> None:
        """Close the session, in its thread; a second call does nothing."""
        self._closing = self.session or self._starting
        self.session = self._starting = None
        if self._closing is not None:
            with contextlib.suppress(Exception), self._meter.metered():  # the session is closed either way
                self._closing.close()
            self._closing = None
