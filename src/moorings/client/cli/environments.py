"""`moorings environments`: the environments of base connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Yes, confirm
from moorings.client.cli.names import CONNECTIONS
from moorings.client.cli.output import Columns, done, show
from moorings.client.cli.text import safe

app = Commands("Manage the environments of base connections.")

Base = Annotated[
    str, typer.Argument(metavar="BASE", help="Name or id of the base connection.", autocompletion=CONNECTIONS)
]
Environment = Annotated[
    str,
    typer.Argument(
        metavar="ENVIRONMENT",
        help="Id of the environment, or name or id of its connection.",
        autocompletion=CONNECTIONS,
    ),
]


@app.command("list")
def list_environments(
    base: Annotated[
        str | None,
        typer.Option(metavar="CONNECTION", help="Only those of this base connection.", autocompletion=CONNECTIONS),
    ] = None,
) -> None:
    """List environments, and the attribute values that select each."""
    with client() as service:
        found = service.environments.list(base=base)
        names = {each["id"]: each["name"] for each in service.connections.list(include_deleted=True)}
    rows = [
        {**each, "base": names.get(each["baseConnectionId"]), "name": names.get(each["connectionId"])} for each in found
    ]
    columns: Columns = {
        "BASE": "base",
        "CONNECTION": "name",
        "VALUES": lambda each: ", ".join(each["userAttributeValues"]),
        "ID": "id",
    }
    show(rows, columns, answer=found)


@app.command("create")
def create(
    base: Base,
    connections: Annotated[
        list[str],
        typer.Argument(
            metavar="CONNECTION…", help="Names or ids of the connections to attach.", autocompletion=CONNECTIONS
        ),
    ],
) -> None:
    """Attach connections to a base connection as its environments."""
    with client() as service:
        answer = service.environments.create(base, connections)
    made = ", ".join(each["id"] for each in answer["data"])
    done(f"Attached {len(answer['data'])} to {safe(base)}: {made}", answer, identity=made)


@app.command("edit")
def edit(
    environment: Environment,
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE…", help="The attribute values that select this environment.")
    ],
) -> None:
    """Set the attribute values that select an environment. They replace the previous ones."""
    with client() as service:
        answer = service.environments.update(environment, values)
    _warn(answer)
    done(f"{safe(environment)} is selected by {', '.join(map(safe, values))}.", answer, name=environment)


@app.command("delete")
def delete(environment: Environment, yes: Yes = False) -> None:
    """Detach an environment. Its connection stays."""
    confirm(f"Detach {safe(environment)}?", yes=yes)
    with client() as service:
        answer = service.environments.delete(environment)
    _warn(answer)
    done(f"Detached {safe(environment)}.", answer, name=environment)


def _warn(answer: Mapping[str, Any]) -> None:
    from moorings.client.cli import terminal

    for warning in answer.get("warnings") or ():
        terminal.note(f"Warning: {safe(str(warning))}")
