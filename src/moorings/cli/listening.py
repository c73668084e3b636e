"""Listeners for HTTP: Granian inside this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.types import ASGIApp

from moorings.cli import logs
from moorings.settings import Settings


def listener(app: ASGIApp, host: str, port: int, settings: Settings, *, lifespan: bool = True) -> Server:
    """A server for an app, which does not listen yet; `lifespan` starts and stops the app with it."""
    return Server(
        target=app,
        address=host,
        port=port,
        interface=Interfaces.ASGI if lifespan else Interfaces.ASGINL,
        websockets=False,
        backlog=1024,
        # With HTTP/2 enabled, it waits without limit for the first bytes, which distinguish the versions.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=settings.head_seconds * 1000),
        log_dictconfig=logs.GRANIAN,
        # At lower levels it logs that it starts, listens and is "experimental"; this mode is covered by our tests.
        log_level=LogLevels.error,
    )


@contextlib.asynccontextmanager
async def metrics_listener(app: ASGIApp, settings: Settings) -> AsyncGenerator[None]:
    """Serve an app on MOORINGS_METRICS_PORT as well while the block runs, if the operator has set it."""
    if settings.metrics_port is None:
        yield
        return
    server = listener(app, settings.metrics_host, settings.metrics_port, settings, lifespan=False)
    serving = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.stop()
        await serving
