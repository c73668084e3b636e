"""`moorings login`, `logout`, `profiles` and `whoami`: which service the commands use, with which key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from moorings.client.cli import exits, terminal
from moorings.client.cli.base import Commands, PlainCommand, asked, client
from moorings.client.cli.output import Columns, show, show_one
from moorings.client.environment import variables

if TYPE_CHECKING:
    from moorings.client.profiles import Profiles

DEFAULT_URL = "http://127.0.0.1:8000"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

profiles_app = Commands("Manage the profiles of `moorings login`.")


def add(app: Commands) -> None:
    """Add the commands."""
    app.command("login", cls=PlainCommand)(login)
    app.command("logout", cls=PlainCommand)(logout)
    app.command("whoami")(whoami)
    app.add_typer(profiles_app, name="profiles")


def login(
    key_file: Annotated[
        str | None, typer.Option("--key-file", metavar="FILE", help="Read the key from this file; - is stdin.")
    ] = None,
    connection: Annotated[
        str | None, typer.Option("--connection", metavar="NAME", help="The connection of queries that name none.")
    ] = None,
    no_keyring: Annotated[
        bool, typer.Option("--no-keyring", help="Keep the key in a file of mode 0600, not in the system's keyring.")
    ] = False,
) -> None:
    """Log in to a service: store its address and your key as a profile.

    The key is asked for without echo, or read from stdin or a file; it is never an argument. It is kept in the
    system's keyring, or in a file of mode 0600 if there is no keyring. --profile names the profile (`default`).
    """
    from moorings.client import Client, profiles

    name = asked.profile or variables().get("MOORINGS_PROFILE") or "default"
    known = profiles.load()
    url = _address(known.profiles[name].url if name in known.profiles else None)
    key = terminal.secret("Key", key_file, "--key-file")
    if not key.isascii() or " " in key:
        raise exits.UsageError("This is no key", "A key is one word, such as moo_pat_… or moo_osk_….")
    with Client(url=url, key=key) as service:
        found = service.whoami()
        if connection is not None:
            connection = service.connections.get(connection)["name"]
    kept = False if no_keyring else _keep(name, key)
    profile = profiles.Profile(url=url, key=None if kept else key, keyring=kept, connection=connection)
    if name in known.profiles and known.profiles[name].keyring and not kept:
        _forget(name)
    known.profiles[name] = profile
    known.default = known.default or name
    profiles.save(known)
    place = "the system's keyring" if kept else str(profiles.path())
    typer.echo(f"Logged in to {url} as {_who(found)}. The profile {name} keeps the key in {place}.")


def _address(known: str | None) -> str:
    """The address of the service: the option, the environment, or the answer to a question."""
    default = known or DEFAULT_URL
    url = asked.url or variables().get("MOORINGS_URL")
    if not url and terminal.asks():
        url = terminal.question("Address of the service", default)
    url = (url or default).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise exits.UsageError(f"{url} is no address of a service", "Use one such as https://moorings.example.com.")
    if parts.password or parts.username:
        raise exits.UsageError("The address contains a login", "Leave it out: the key is asked for.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        terminal.note(f"Warning: {url} is not encrypted. Others on the network can read the key. Use https.")
    return url


def _keep(name: str, key: str) -> bool:
    """Put a key into the system's keyring; False if this machine has none that works."""
    from moorings.client.profiles import KEYRING_SERVICE

    try:
        import keyring

        if keyring.get_keyring().priority <= 0:  # the stand-ins for a missing keyring
            return False
        keyring.set_password(KEYRING_SERVICE, name, key)
        return keyring.get_password(KEYRING_SERVICE, name) == key
    except Exception:  # noqa: BLE001 - a backend raises what its library raises: a locked or half-installed keyring
        return False


def _forget(name: str) -> None:
    from moorings.client.profiles import KEYRING_SERVICE

    try:
        import keyring

        keyring.delete_password(KEYRING_SERVICE, name)
    except Exception:  # noqa: BLE001 - as above; and a key that is gone needs no removal
        return


def _who(found: Mapping[str, Any]) -> str:
    user: dict[str, Any] = found.get("user") or {}
    role = {"ORG_ADMIN": "an organization admin", "MEMBER": "a member"}.get(found.get("orgRole", ""), "a member")
    name = user.get("email") or user.get("name") or user.get("id") or "?"
    return f"{name}, {role}" if found.get("keyScope") == "user" else f"an organization key ({role})"


def logout() -> None:
    """Remove a profile and its key from this machine. The key stays valid; `moorings keys revoke` revokes it."""
    from moorings.client import profiles

    known = profiles.load()
    name = asked.profile or known.default or "default"
    _remove(known, name)
    typer.echo(f"Removed the profile {name}.")


def _remove(known: Profiles, name: str) -> None:
    from moorings.client import profiles

    if name not in known.profiles:
        listed = ", ".join(sorted(known.profiles)) or "none"
        raise exits.Failed(f'There is no profile "{name}". Profiles: {listed}', code=exits.NOT_FOUND)
    if known.profiles.pop(name).keyring:
        _forget(name)
    if known.default == name:
        known.default = next(iter(known.profiles), None)
    profiles.save(known)


def whoami() -> None:
    """Show which service and key the commands use, and the roles of the key."""
    with client() as service:
        found = service.whoami()
        shown = {"service": service.url, "caller": _who(found), **found}
    columns: Columns = {
        "service": "service",
        "caller": "caller",
        "user id": "user.id",
        "connections": lambda shown: len(shown["rolesByModel"]),
    }
    show_one(shown, columns, answer=found, name="caller")


@profiles_app.command("list")
def list_profiles() -> None:
    """List the profiles, without their keys."""
    from moorings.client import profiles

    known = profiles.load()
    rows = [
        {
            "name": name,
            "url": each.url,
            "default": name == known.default,
            "keyring": each.keyring,
            "connection": each.connection,
        }
        for name, each in known.profiles.items()
    ]
    columns: Columns = {
        "NAME": "name",
        "URL": "url",
        "KEY": lambda each: "keyring" if each["keyring"] else "file",
        "CONNECTION": "connection",
        "DEFAULT": lambda each: "yes" if each["default"] else "",
    }
    show(rows, columns)


Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the profile.")]


@profiles_app.command("use", cls=PlainCommand)
def use_profile(name: Name) -> None:
    """Make a profile the default."""
    from moorings.client import profiles

    known = profiles.load()
    if name not in known.profiles:
        raise exits.Failed(f'There is no profile "{name}"', "List them: moorings profiles list.", code=exits.NOT_FOUND)
    known.default = name
    profiles.save(known)
    typer.echo(f"Commands use the profile {name} by default.")


@profiles_app.command("remove", cls=PlainCommand)
def remove_profile(name: Name) -> None:
    """Remove a profile and its key from this machine."""
    from moorings.client import profiles

    _remove(profiles.load(), name)
    typer.echo(f"Removed the profile {name}.")
