"""`moorings keys`: API keys, over the API."""

from __future__ import annotations

from typing import Annotated

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Yes, confirm
from moorings.client.cli.names import KEYS
from moorings.client.cli.output import Columns, done, show, show_one
from moorings.client.cli.text import safe

app = Commands("Manage API keys.")

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
        "CREATED": "createdAt",
        "ID": "id",
    }
    show(found, columns)


@app.command("get")
def get(key: Key) -> None:
    """Show a key, without its token."""
    with client() as service:
        found = service.keys.get(key)
    show_one(found, {name: name for name in found})


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
