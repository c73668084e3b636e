"""`moorings worker`: run jobs until the process is stopped, without the API."""

from __future__ import annotations

import asyncio
import signal

import structlog
import typer
import uvloop

from moorings import app
from moorings.api.resources import monitoring
from moorings.cli import logs, ports, tracing
from moorings.cli.configured import prepared
from moorings.settings import Settings

log = structlog.get_logger(__name__)


def work() -> None:
    """Run jobs until SIGINT or SIGTERM; raises OperatorError when it cannot start."""
    settings = prepared()
    if settings.metrics_port is not None:
        ports.check_free(settings.metrics_host, settings.metrics_port, "MOORINGS_METRICS_PORT", "MOORINGS_METRICS_HOST")
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
    if settings.metrics_port is None:
        await app.work(settings, stopped)
        return
    from moorings.cli.listening import metrics_listener  # a worker without that port needs no HTTP server

    async with metrics_listener(monitoring.of_worker, settings):
        await app.work(settings, stopped)
