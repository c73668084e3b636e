"""`moorings worker`: run jobs until told to stop, without the API."""

from __future__ import annotations

import asyncio
import signal

import structlog
import typer
import uvloop

from moorings import app
from moorings.cli import logs
from moorings.cli.configured import prepared
from moorings.settings import Settings

log = structlog.get_logger(__name__)


def work() -> None:
    """Run jobs until SIGINT or SIGTERM; raises OperatorError when it cannot start."""
    settings = prepared()
    logs.configure(settings)
    app.prepare_worker(settings)
    uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    typer.echo("Moorings runs jobs.")
    await app.work(settings, stopped)
