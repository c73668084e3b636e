"""The HTTP server: Granian inside this process, so that one process starts, holds everything and stops.

Its own process manager needs a parent beside each worker: 30 MB more and a second round of imports, at equal speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
from typing import Any

import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from moorings.app import create_app
from moorings.cli import handover, logs
from moorings.cli.configured import configured
from moorings.settings import Settings

log = structlog.get_logger(__name__)

STOP = (signal.SIGINT, signal.SIGTERM)

GARBAGE_THRESHOLD = 10_000
"""How many more objects there are before Python looks for cycles among them. A batch of rows is thousands of tuples
that hold none: with Python's 700, looking takes as long as making their columns."""

GIVE_UP_SECONDS = 3.0
"""How long requests may take to end after they were cut."""


class CancellableApp:
    """An ASGI app whose running requests can be cut."""

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
        """Cancel every running request; whoever streams a result cancels its statement."""
        if self._running:
            log.warning("requests_cut", running=len(self._running))
        for task in tuple(self._running):
            task.cancel()

    def give_up(self) -> None:
        """End the process. The server waits for clients that do not read what is left for them; we do not."""
        if self._running:
            log.error("stopped_hard", reason="requests did not end after they were cut")
            os._exit(1)
        log.warning("connections_cut", reason="clients did not read the end of their responses")
        os._exit(0)


def run(settings: Settings) -> bool:
    """Serve until SIGINT or SIGTERM; returns whether the server failed by itself."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> bool:
    service = CancellableApp(create_app(settings))
    server = Server(
        target=service,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=1024,
        # Where it takes HTTP/2 as well, it waits without limit for the first bytes, which tell the two apart.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=settings.head_seconds * 1000),
        log_dictconfig=logs.GRANIAN,
        # Below that it says that it starts, listens and is "experimental", which is tested here.
        log_level=LogLevels.error,
    )
    loop = asyncio.get_running_loop()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:  # asked twice: whoever asks does not want to wait
            service.cut()
            return
        stopping = True
        server.stop()
        loop.call_later(settings.shutdown_seconds, service.cut)
        loop.call_later(settings.shutdown_seconds + GIVE_UP_SECONDS, service.give_up)

    for number in STOP:
        loop.add_signal_handler(number, stop)
    await server.serve()
    return not stopping


def several(settings: Settings) -> bool:
    """Serve with several processes that share the port; when one ends, all do. Returns whether one failed."""
    children = [_child() for _ in range(settings.workers)]
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        _terminate(children)

    for number in STOP:
        signal.signal(number, stop)
    _, status = os.wait()
    codes = [os.waitstatus_to_exitcode(status)]
    if not stopping:
        _terminate(children)
        codes.append(1)
    codes += [child.wait() for child in children]
    # One that had not come so far as to catch the signal was ended by it: that is a stop as well.
    return any(code not in (0, -signal.SIGTERM, -signal.SIGINT) for code in codes)


def _child() -> subprocess.Popen[bytes]:
    """One more process of this module, with the settings of this one."""
    environment, descriptor = handover.for_child()
    command = [sys.executable, "-m", __name__]
    try:
        return subprocess.Popen(command, env=environment, pass_fds=(descriptor,))  # noqa: S603  # our own module
    finally:
        os.close(descriptor)


def _terminate(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()


if __name__ == "__main__":
    handover.receive()
    read = configured()
    logs.configure(read)
    sys.exit(1 if run(read) else 0)
