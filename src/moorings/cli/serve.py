"""`moorings serve`: prepare, print the addresses, serve."""

from __future__ import annotations

import sys

import structlog
import typer

from moorings.cli import directory, first_run, logs, ports
from moorings.cli.configured import prepared

log = structlog.get_logger(__name__)


def serve() -> None:
    """Run the service until it is stopped; raises OperatorError when it cannot start."""
    settings = prepared(new=True)
    with directory.alone_in(settings.data_dir):
        ports.check_free(settings.host, settings.port)
        if settings.flight_port is not None:
            ports.check_free(settings.host, settings.flight_port, "MOORINGS_FLIGHT_PORT")
        if settings.metrics_port is not None:
            ports.check_free(
                settings.metrics_host, settings.metrics_port, "MOORINGS_METRICS_PORT", "MOORINGS_METRICS_HOST"
            )
        logs.configure(settings)
        # A JSON log must not contain a key, even on a terminal.
        for_people = settings.log_format == "console"
        made = first_run.prepare(settings, shown=for_people and sys.stdout.isatty())
        if for_people:
            typer.echo(first_run.greeting(settings, made))
        else:
            log.info("starting", **first_run.facts(settings, made))
        # Imported last, so that the checks above fail without waiting for the import.
        from moorings.cli import server

        failed = server.several(settings) if settings.workers > 1 else server.run(settings)
    raise typer.Exit(1 if failed else 0)
