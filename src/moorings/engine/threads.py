"""Threads for sessions: drivers block, the event loop must not.

A session lives in one thread for its whole life, as several drivers demand. The threads are daemons, because a driver
that hangs because of a dead network must not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 2.0


class Job(Generic[T]):
    """One piece of work for a thread. `future` is for the loop; `over` is set once the work has really ended.

    Cancelling the future drops the outcome but does not stop the work: also stop the statement.
    """

    __slots__ = ("_loop", "_work", "future", "over")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self._loop.create_future()
        self.over = threading.Event()

    def perform(self) -> None:
        """Do the work, in the calling thread."""
        try:
            outcome = self._work()
        except BaseException as error:  # noqa: BLE001  # the caller gets every exception
            self._settle(_fail, error)
        else:
            self._settle(_succeed, outcome)

    def _settle(self, settle: Callable[[asyncio.Future[T], Any], None], outcome: object) -> None:
        self.over.set()
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: no task waits
            self._loop.call_soon_threadsafe(settle, self.future, outcome)


def _succeed(future: asyncio.Future[Any], outcome: object) -> None:
    if not future.done():
        future.set_result(outcome)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


class SessionThread:
    """The one thread of a session; its jobs run in the order they came."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)
        self.thread.start()

    def run(self, work: Callable[[], T]) -> Job[T]:
        """Queue work after the jobs that already wait."""
        job = Job(work)
        self._jobs.put(job)
        return job

    def end(self) -> None:
        """Let the thread end once its jobs are done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.perform()
            del job  # or the last batch would live on until the next job


def run_in_thread(work: Callable[[], T]) -> tuple[Job[T], threading.Thread]:
    """Run work in a new thread, if it must not wait for a session's thread or for a place in a thread pool."""
    job = Job(work)
    thread = threading.Thread(target=job.perform, name="moorings-aside", daemon=True)
    thread.start()
    return job, thread


def cancel_until_over(cancel: Callable[[], None], over: threading.Event) -> tuple[Job[None], threading.Thread]:
    """Cancel again and again until the work is over, in a thread; the job is done after the first attempt.

    Once is not enough: a cancel that reaches the server just before the statement does stops nothing.
    """
    first: Job[None] = Job(lambda: None)

    def keep_on() -> None:
        pause = FIRST_PAUSE_SECONDS
        _attempt(cancel)
        first.perform()
        while not over.wait(pause):
            _attempt(cancel)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    thread = threading.Thread(target=keep_on, name="moorings-cancel", daemon=True)
    thread.start()
    return first, thread


def _attempt(cancel: Callable[[], None]) -> None:
    with contextlib.suppress(Exception):  # the session may be gone; then there is nothing to cancel
        cancel()


_background_tasks: set[asyncio.Task[None]] = set()


def keep(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a background task and keep a reference to it: the loop's weak reference does not prevent its collection."""
    task = asyncio.get_running_loop().create_task(work)
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)
    return task
