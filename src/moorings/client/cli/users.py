"""`moorings users`: the users of the organization, over the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Yes, confirm
from moorings.client.cli.exits import UsageError
from moorings.client.cli.names import USERS
from moorings.client.cli.output import Columns, done, show, show_one
from moorings.client.cli.text import safe

app = Commands("Manage users and their attribute values. Needs the key of an organization admin.")

User = Annotated[str, typer.Argument(metavar="USER", help="Email or id of the user.", autocompletion=USERS)]


@app.command("list")
def list_users(
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="SCIM", help='A SCIM filter, such as active eq "true".')
    ] = None,
) -> None:
    """List the users."""
    with client() as service:
        found = list(service.users.list(filter=filter_))
    columns: Columns = {
        "EMAIL": "userName",
        "NAME": "displayName",
        "ACTIVE": lambda each: "yes" if each.get("active", True) else "no",
        "GROUPS": lambda each: ", ".join(group.get("display", "") for group in each.get("groups", ())),
        "ID": "id",
    }
    show(found, columns, name="userName")


@app.command("get")
def get(user: User) -> None:
    """Show a user, with their groups and attribute values."""
    with client() as service:
        found = service.users.get(user)
        values = service.users.attributes(found["id"])["attributes"]
    columns: Columns = {
        "email": "userName",
        "id": "id",
        "name": "displayName",
        "active": "active",
        "groups": lambda each: ", ".join(group.get("display", "") for group in each.get("groups", ())),
    }
    attributes = {f"attribute {name}": _values(each) for name, each in values.items()}
    show_one(found, columns | attributes, name="userName")


def _values(found: Sequence[str]) -> Callable[[Any], str]:
    return lambda _: ", ".join(found)


@app.command("create")
def create(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's email address.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The name to show.")] = None,
) -> None:
    """Create a user."""
    with client() as service:
        found = service.users.create(email, name=name)
    done(f"Created {safe(email)} ({found['id']}).", found, name=email, identity=found["id"])


@app.command("disable")
def disable(user: User) -> None:
    """Disable a user: their keys are refused until the user is enabled again."""
    _set_active(user, active=False)


@app.command("enable")
def enable(user: User) -> None:
    """Enable a disabled user."""
    _set_active(user, active=True)


def _set_active(user: str, *, active: bool) -> None:
    with client() as service:
        found = service.users.update(user, {"active": active})
    done(f"{'Enabled' if active else 'Disabled'} {safe(user)}.", found, name=user, identity=found["id"])


@app.command("delete")
def delete(user: User, yes: Yes = False) -> None:
    """Delete a user permanently: their keys are revoked, their groups, roles and attribute values removed."""
    confirm(f"Delete {safe(user)}?", yes=yes)
    with client() as service:
        service.users.delete(user)
    done(f"Deleted {safe(user)}.", {"success": True}, name=user)


@app.command("attributes")
def attributes(
    user: User,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set an attribute. NAME= clears it; several values: NAME=a,b."
        ),
    ] = None,
) -> None:
    """Show the attribute values of a user, or set some of them."""
    with client() as service:
        found = service.users.get(user)
        if set_:
            many = {each["name"] for each in service.attributes.list() if each["multiple_values"]}
            service.users.set_attributes(found["id"], dict(_assignment(each, many) for each in set_))
        answer = service.users.attributes(found["id"])
    rows = [{"name": name, "values": values} for name, values in answer["attributes"].items()]
    show(rows, {"ATTRIBUTE": "name", "VALUES": lambda each: ", ".join(each["values"])}, answer=answer)


def _assignment(text: str, many: set[str]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("--set takes NAME=VALUE", "For example --set tenant=acme.")
    if not value:
        return name, None
    return name, value.split(",") if name in many else value
