"""The HTTP server:

Granian inside this process, so that the service is one process. Granian's own process manager needs a parent process
beside each worker: 30 MB more and a second round of imports, at equal speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog
import uvloop
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from moorings.app import create_app
from moorings.cli import handover, logs, tracing
from moorings.cli.configured import configured
from moorings.cli.listening import listener, metrics_listener
from moorings.settings import Settings, handed

log = structlog.get_logger(__name__)

STOP = (signal.SIGINT, signal.SIGTERM)

GARBAGE_THRESHOLD = 10_000
"""The number of new objects after which Python's garbage collector runs.

A batch of rows is thousands of tuples without cycles: with Python's default of 700, collecting takes as long as
building the columns.
"""

WORKERS = "MOORINGS_HANDED_WORKERS"
"""The variable with the folder that the service's worker processes share."""

GIVE_UP_SECONDS = 3.0
"""How long requests may take to end after they were cancelled."""


class CancellableApp:
    """An ASGI app whose running requests can be cancelled."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._running: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        task = asyncio.current_task()
        if scope["type"] == "lifespan" or task is None:
            await self._inner(scope, receive, send)
            return
        self._running.add(task)
        try:
            await self._inner(scope, receive, send)
        finally:
            self._running.discard(task)

    def cut(self) -> None:
        """Cancel every running request; a request that streams a result cancels its statement."""
        if self._running:
            log.warning("requests_cut", running=len(self._running))
        for task in tuple(self._running):
            task.cancel()

    def give_up(self) -> None:
        """End the process. The server would wait for clients that do not read the rest of their responses."""
        if self._running:
            log.error("stopped_hard", reason="requests did not end after they were cancelled")
            os._exit(1)
        log.warning("connections_cut", reason="clients did not read their responses to the end")
        os._exit(0)


def run(settings: Settings, workers: Path | None = None) -> bool:
    """Serve until SIGINT or SIGTERM; returns whether the server failed by itself.

    The worker processes of one service share the folder `workers`.
    """
    gc.set_threshold(GARBAGE_THRESHOLD)
    return uvloop.run(_serve(settings, workers))


class Stop:
    """The effect of signals.

    SIGTERM drains first; a second signal skips the drain; one more, once the stop began, cancels running requests.
    """

    def __init__(self, settings: Settings, server: Server, service: CancellableApp, draining: asyncio.Event) -> None:
        self._settings = settings
        self._server = server
        self._service = service
        self._draining = draining
        self.begun = False

    def signalled(self, number: signal.Signals) -> None:
        """Take the next step of the stop."""
        if self.begun:  # a second signal: the operator does not want to wait
            self._service.cut()
            return
        seconds = self._settings.drain_seconds
        if number == signal.SIGTERM and seconds and not self._draining.is_set():
            self._draining.set()
            log.info("draining", signal=number.name, seconds=seconds)
            asyncio.get_running_loop().call_later(seconds, self._begin, number)
            return
        self._draining.set()
        self._begin(number)

    def _begin(self, number: signal.Signals) -> None:
        if self.begun:
            return
        self.begun = True
        log.info("stopping", signal=number.name)
        loop, seconds = asyncio.get_running_loop(), self._settings.shutdown_seconds
        self._server.stop()
        loop.call_later(seconds, self._service.cut)
        loop.call_later(seconds + GIVE_UP_SECONDS, self._service.give_up)


async def _serve(settings: Settings, workers: Path | None = None) -> bool:
    tracing.start()
    draining = asyncio.Event()
    service = CancellableApp(create_app(settings, draining, workers))
    server = listener(service, settings.host, settings.port, settings)
    stop = Stop(settings, server, service, draining)
    for number in STOP:
        asyncio.get_running_loop().add_signal_handler(number, stop.signalled, number)
    async with metrics_listener(service, settings):
        await server.serve()
    return not stop.begun


def several(settings: Settings) -> bool:
    """Serve with several processes that share the port; when one ends, all do. Returns whether one failed."""
    with tempfile.TemporaryDirectory(prefix="moorings-") as folder:
        return _several(settings, folder)


def _several(settings: Settings, folder: str) -> bool:
    children = [_child(folder) for _ in range(settings.workers)]
    stopping = False

    def stop(number: int, _: object) -> None:
        nonlocal stopping
        stopping = True
        _signal(children, number)

    for number in STOP:
        signal.signal(number, stop)
    _, status = os.wait()
    codes = [os.waitstatus_to_exitcode(status)]
    if not stopping:
        _signal(children, signal.SIGTERM)
        codes.append(1)
    codes += [child.wait() for child in children]
    # A process that had not installed its handler yet was ended by the signal itself: that is a stop as well.
    return any(code not in (0, -signal.SIGTERM, -signal.SIGINT) for code in codes)


def _child(folder: str) -> subprocess.Popen[bytes]:
    """Start another process of this module with the same settings."""
    environment, descriptor = handover.for_child()
    environment[WORKERS] = folder
    command = [sys.executable, "-m", __name__]
    try:
        return subprocess.Popen(command, env=environment, pass_fds=(descriptor,))  # noqa: S603  # our own module
    finally:
        os.close(descriptor)


def _signal(children: list[subprocess.Popen[bytes]], number: int) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(number)


if __name__ == "__main__":
    handover.receive()
    shared = handed(WORKERS)
    read = configured()
    logs.configure(read)
    sys.exit(1 if run(read, Path(shared) if shared else None) else 0)
