"""`moorings roles`: what users and groups may do with connections."""

from __future__ import annotations

from typing import Annotated

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Connection
from moorings.client.cli.exits import UsageError
from moorings.client.cli.names import CONNECTIONS, GROUPS, USERS
from moorings.client.cli.output import Columns, done, show
from moorings.client.cli.text import safe

app = Commands("Show and give roles on connections.")

ROLES = ("NO_ACCESS", "VIEWER", "RESTRICTED_QUERIER", "QUERIER", "MODELER", "CONNECTION_ADMIN")

User = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="Email or id of a user.", autocompletion=USERS)
]
Group = Annotated[
    str | None, typer.Option("--group", metavar="GROUP", help="Name or id of a group.", autocompletion=GROUPS)
]


@app.command("list")
def list_roles(
    user: User = None,
    group: Group = None,
    connection: Annotated[
        str | None,
        typer.Option("--connection", metavar="CONNECTION", help="Only on this one.", autocompletion=CONNECTIONS),
    ] = None,
) -> None:
    """List the roles of a user or group, where each comes from, and which one applies."""
    with client() as service:
        one, holder = _holder(user, group)
        answer = (service.users if one == "user" else service.groups).roles(holder, connection=connection)
        names = {each["id"]: each["name"] for each in service.connections.list()}
    rows = [{**each, "name": names.get(each["connectionId"], each["connectionId"])} for each in answer["results"]]
    columns: Columns = {
        "CONNECTION": "name",
        "ROLE": "roleName",
        "FROM": lambda each: " ".join(filter(None, (each["from"]["type"], each["from"].get("name")))),
        "APPLIES": lambda each: "yes" if each["resolved"] else "",
    }
    show(rows, columns, answer=answer, name="roleName")


@app.command("assign")
def assign(
    connection: Connection,
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help=f"{', '.join(ROLES)}.", autocompletion=lambda: list(ROLES))
    ],
    user: User = None,
    group: Group = None,
) -> None:
    """Give a user or group a role on a connection. It replaces the previous one; NO_ACCESS removes it."""
    one, holder = _holder(user, group)
    with client() as service:
        answer = (service.users if one == "user" else service.groups).assign_role(holder, connection, role.upper())
    done(f"{safe(holder)} has {answer['roleName']} on {safe(connection)}.", answer, name=answer["roleName"])


def _holder(user: str | None, group: str | None) -> tuple[str, str]:
    if user and not group:
        return "user", user
    if group and not user:
        return "group", group
    raise UsageError("Whose role?", "Add --user or --group.")
