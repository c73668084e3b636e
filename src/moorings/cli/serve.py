"""`moorings serve`: prepare, say where everything is, serve."""

from __future__ import annotations

import typer

from moorings.cli import directory, first_run, logs, ports
from moorings.errors import OperatorError
from moorings.settings import Settings, load


def serve() -> None:
    """Run the service until it is told to stop; raises OperatorError when it cannot start."""
    settings = load()
    check(settings)
    directory.make_private(settings.data_dir)
    with directory.alone_in(settings.data_dir):
        ports.check_free(settings.host, settings.port)
        logs.configure(settings)
        made = first_run.prepare(settings)
        typer.echo(first_run.greeting(settings, made))
        # Imported when everything is ready: a start that is refused above is refused at once.
        from moorings.cli import server

        failed = server.several(settings) if settings.workers > 1 else server.run(settings)
    raise typer.Exit(1 if failed else 0)


def check(settings: Settings) -> None:
    """Refuse settings that do not go together."""
    if settings.workers > 1 and settings.rate_limit_url is None and settings.rate_limit != "0":
        raise OperatorError(
            "MOORINGS_WORKERS above 1 needs MOORINGS_RATE_LIMIT_URL: each worker would count its own rate limits"
        )
