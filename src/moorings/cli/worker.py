"""`moorings worker`: run jobs until the process is stopped, without the API."""

from __future__ import annotations

import asyncio
import signal

import structlog
import typer
import uvloop

from moorings import app
from moorings.cli import logs, tracing
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
    tracing.start()
    stopped = asyncio.Event()

    def stop(number: signal.Signals) -> None:
        log.info("stopping", signal=number.name)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    if settings.log_format == "console":
        typer.echo("Moorings runs jobs.")
    await app.work(settings, stopped)
