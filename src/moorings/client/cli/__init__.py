"""The client's commands: everything here goes through the API, by `moorings.client`.

The commands are declared in the modules beside this one; what they need is imported when they run. `app` is the
`moorings` command of an installation without the service; the service's own command adds the same commands to its own.
"""

from __future__ import annotations

from typing import Annotated

import typer

from moorings import __version__
from moorings.client.cli import (
    account,
    ascode,
    catalog,
    changes,
    completion,
    connections,
    environments,
    health,
    jobs,
    keys,
    query,
    roles,
    schedules,
    users,
)
from moorings.client.cli.base import Commands
from moorings.client.cli.sql import shell


def show_version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        typer.echo(f"moorings {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=show_version, help="Print the version and exit.")
]

app = Commands("Moorings: run SQL through the connections of a service, and manage them.")


@app.callback()
def main(version: Version = False) -> None:
    """Options of the command itself."""


account.add(app)
query.add(app)
shell.add(app)
app.add_typer(connections.app, name="connections")
app.add_typer(catalog.app, name="catalog")
app.add_typer(environments.app, name="environments")
app.add_typer(schedules.app, name="schedules")
app.add_typer(roles.app, name="roles")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
health.add(app)
ascode.add(app)
completion.add(app)

__all__ = ["app", "changes"]
