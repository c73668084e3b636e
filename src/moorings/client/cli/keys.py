"""`moorings keys`: API keys, over the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Yes, confirm
from moorings.client.cli.exits import UsageError
from moorings.client.cli.names import CONNECTIONS, KEYS
from moorings.client.cli.output import Columns, done, show, show_one
from moorings.client.cli.text import safe

if TYPE_CHECKING:
    from moorings.client import Client

app = Commands("Manage API keys.")

SCOPES = ("read", "query", "manage", "scim", "mcp")
Scope = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help=f"Limit it to operations with this scope: {', '.join(SCOPES)}. Can be repeated.",
        autocompletion=lambda: list(SCOPES),
    ),
]
OnConnection = Annotated[
    list[str] | None,
    typer.Option(
        "--connection",
        metavar="CONNECTION",
        help="Limit it to this connection. Can be repeated.",
        autocompletion=CONNECTIONS,
    ),
]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="TIME", help="When it ends, such as 2099-01-31."),
]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Name or id of the key.", autocompletion=KEYS)]


@app.command("list")
def list_keys(
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only organization or personal keys.")
    ] = None,
) -> None:
    """List the keys that you may see, without their tokens, which are not stored."""
    with client() as service:
        found = list(service.keys.list(type=type_))
    columns: Columns = {
        "NAME": "name",
        "TYPE": "type",
        "ENABLED": lambda each: "yes" if each["enabled"] else "no",
        "SCOPES": lambda each: ", ".join(each.get("scopes", ())),
        "EXPIRES": "expiresAt",
        "LAST USED": "lastUsedAt",
        "ID": "id",
    }
    show(found, columns)


@app.command("get")
def get(key: Key) -> None:
    """Show a key, without its token."""
    with client() as service:
        found = service.keys.get(key)
    show_one(found, {name: name for name in found})


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the key.")],
    personal: Annotated[
        bool, typer.Option("--personal", help="A personal access token of yours; default: an organization key.")
    ] = False,
    scope: Scope = None,
    connection: OnConnection = None,
    expires: Expires = None,
) -> None:
    """Create a key and print its token, which is never shown again.

    A key without limits acts as an organization admin, or as you if it is personal.
    """
    with client() as service:
        limits = _limits(service, scope, connection, expires)
        made = service.keys.create(name, type="personal" if personal else "organization", **limits)
    done(made["token"], made, name=name, identity=made["id"])


@app.command("edit")
def edit(
    key: Key,
    scope: Scope = None,
    connection: OnConnection = None,
    expires: Expires = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Remove the limits that are not given.")] = False,
) -> None:
    """Change the limits of a key."""
    with client() as service:
        fields: dict[str, Any] = _limits(service, scope, connection, expires)
        if unlimited:
            fields = {"scopes": None, "connectionIds": None, "expiresAt": None} | fields
        if not fields:
            raise UsageError("What shall be changed?", "Add --scope, --connection, --expires or --unlimited.")
        found = service.keys.update(key, fields)
    done(f"Changed {safe(key)}.", found, name=key, identity=found.get("id", ""))


def _limits(
    service: Client, scopes: list[str] | None, connections: list[str] | None, expires: str | None
) -> dict[str, Any]:
    """The limits of a key, as the API names them."""
    found: dict[str, Any] = {}
    if scopes:
        found["scopes"] = scopes
    if connections:
        found["connectionIds"] = [service.connections.get(each)["id"] for each in connections]
    if expires:
        found["expiresAt"] = _instant(expires)
    return found


def _instant(text: str) -> str:
    return f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text


@app.command("rotate")
def rotate(
    key: Key,
    overlap: Annotated[
        int | None,
        typer.Option("--overlap", metavar="SECONDS", min=0, help="How long the old token works; default: a day."),
    ] = None,
    expires: Expires = None,
) -> None:
    """Give a key a new token and print it. The old one works until the overlap ends."""
    with client() as service:
        made = service.keys.rotate(key, overlap_seconds=overlap, expires_at=_instant(expires) if expires else None)
    done(made["token"], made, name=key, identity=made["id"])


@app.command("disable")
def disable(key: Key) -> None:
    """Disable an organization key until it is enabled again."""
    _set_enabled(key, enabled=False)


@app.command("enable")
def enable(key: Key) -> None:
    """Enable a disabled organization key."""
    _set_enabled(key, enabled=True)


def _set_enabled(key: str, *, enabled: bool) -> None:
    with client() as service:
        found = service.keys.set_enabled(key, enabled=enabled)
    done(f"{'Enabled' if enabled else 'Disabled'} {safe(key)}.", found, name=key, identity=found.get("id", ""))


@app.command("revoke")
def revoke(key: Key, yes: Yes = False) -> None:
    """Revoke a key permanently, on every replica at once."""
    confirm(f"Revoke {safe(key)}?", yes=yes)
    with client() as service:
        answer = service.keys.delete(key)
    done(f"Revoked {safe(key)}.", answer, name=key)
