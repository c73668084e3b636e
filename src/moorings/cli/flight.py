"""`moorings flight`: serve Flight SQL until the process is stopped, without the API."""

from __future__ import annotations

import asyncio
import os
import signal

import structlog
import typer
import uvloop

from moorings import app
from moorings.cli import logs, ports, tracing
from moorings.cli.configured import prepared
from moorings.settings import Settings

log = structlog.get_logger(__name__)


def fly() -> None:
    """Serve until SIGINT or SIGTERM; raises OperatorError when it cannot start."""
    settings = prepared()
    if settings.flight_port is None:
        settings = settings.model_copy(update={"flight_port": app.FLIGHT_PORT})
    assert settings.flight_port is not None  # noqa: S101  # for the type checker
    ports.check_free(settings.host, settings.flight_port, "MOORINGS_FLIGHT_PORT")
    logs.configure(settings)
    app.prepare_worker(settings)
    uvloop.run(_fly(settings))
    # gRPC would wait without limit for clients that do not read their streams to the end.
    os._exit(0)


async def _fly(settings: Settings) -> None:
    tracing.start()
    stopped = asyncio.Event()

    def stop(number: signal.Signals) -> None:
        log.info("stopping", signal=number.name)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    if settings.log_format == "console":
        typer.echo(f"Moorings serves Flight SQL on {settings.host}:{settings.flight_port}.")
    await app.fly(settings, stopped)
