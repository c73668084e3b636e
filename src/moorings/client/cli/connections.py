"""`moorings connections`: find, test and change connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moorings.client.cli import exits, terminal
from moorings.client.cli.base import Commands, PlainCommand, asked, client
from moorings.client.cli.names import CONNECTIONS, USERS
from moorings.client.cli.output import Columns, done, print_json, put, show, show_one
from moorings.client.cli.text import cell, safe

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.shapes import ConnectionDetails, TestResult, TestStep

app = Commands("Manage connections: list, create, test, change and archive them.")

Connection = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="Name or id of the connection.", autocompletion=CONNECTIONS)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Environment = Annotated[
    str | None,
    typer.Option("--environment", metavar="NAME", help="Use this environment of it.", autocompletion=CONNECTIONS),
]


def health(found: Mapping[str, Any]) -> str:
    """The status of a connection in one word."""
    return "archived" if found.get("deletedAt") else str(found["health"]["status"])


@app.command("list")
def list_connections(
    name: Annotated[str | None, typer.Option(help="Only connections whose name contains this text.")] = None,
    database: Annotated[str | None, typer.Option(help="Only connections whose database contains this text.")] = None,
    dialect: Annotated[str | None, typer.Option(help="Only these dialects, comma-separated.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived connections too.")] = False,
) -> None:
    """List the connections that the key may see."""
    with client() as service:
        found = service.connections.list(name=name, database=database, dialect=dialect, include_deleted=archived)
    columns = {
        "NAME": "name",
        "DIALECT": "dialect",
        "DATABASE": "database",
        "HEALTH": health,
        "BASE ROLE": "baseRole",
        "ID": "id",
    }
    show(found, columns)


@app.command("get")
def get(connection: Connection) -> None:
    """Show a connection with its settings. Secrets are never shown."""
    with client() as service:
        found = service.connections.get(connection)
    columns: dict[str, Any] = {
        "name": "name",
        "id": "id",
        "dialect": "dialect",
        "health": health,
        "why": "health.error.message",
    }
    rest = {name: _setting(name) for name in found["settings"] if name not in columns}
    secrets = {name: _credential(name) for name in found["credentials"]}
    times = {"created": "createdAt", "updated": "updatedAt"}
    show_one(found, columns | rest | secrets | times)


def _setting(name: str) -> Any:
    def shown(found: Mapping[str, Any]) -> Any:
        return found["settings"][name]

    return shown


def _credential(name: str) -> Any:
    def shown(found: Mapping[str, Any]) -> str:
        known = found["credentials"][name]
        return f"set {known['updatedAt']}" if known["set"] else "not set"

    return shown


@app.command("test")
def run_test(connection: Connection, environment: Environment = None) -> None:
    """Test a connection step by step. The exit code is 9 if a step fails."""
    with client() as service:
        result = service.connections.test(connection, environment=environment)
    report(result)


def report(result: TestResult) -> None:
    """Print a test, and fail if it failed."""
    if asked.output == "json":
        print_json(result)
    elif asked.output == "table":
        put(*map(step_line, result["steps"]))
    broken = failed_step(result)
    if broken is not None:
        raise exits.Failed(f"{broken['name']}: {safe(broken['message'])}", code=exits.WAREHOUSE)


def step_line(step: TestStep) -> str:
    """A step of a test in one line."""
    status = {"passed": ("ok", "green"), "failed": ("FAIL", "red")}.get(step["status"], (step["status"], "yellow"))
    shown = terminal.coloured(f"{status[0]:<7}", status[1])
    duration = f"{step['durationMs']} ms"
    return f"{shown} {step['name']:<12} {duration:>8}  {safe(step['message'] or '')}".rstrip()


def failed_step(result: TestResult) -> TestStep | None:
    """The step that failed."""
    return None if result["success"] else next(each for each in result["steps"] if each["status"] == "failed")


@app.command("route")
def route(
    connection: Connection,
    user: Annotated[
        str | None,
        typer.Option(metavar="USER", help="Email or id of a user; default: yourself.", autocompletion=USERS),
    ] = None,
) -> None:
    """Explain which connection a user gets through a base connection, and why."""
    with client() as service:
        found = service.connections.route(connection, user=user)
        names = {each["id"]: each["name"] for each in service.connections.list()}
    columns: Columns = {
        "connection": lambda found: names.get(found["connectionId"], found["connectionId"] or "none: denied"),
        "id": "connectionId",
        "source": "source",
        "attribute": "attribute",
        "value": "value",
        "role": "role",
        "otherwise": lambda found: ", ".join(_otherwise(each, names) for each in found["otherwise"]),
    }
    show_one(found, columns, name="connectionId")


def _otherwise(found: Mapping[str, Any], names: Mapping[str, str]) -> str:
    target = names.get(found["connectionId"], found["connectionId"] or "denied")
    return f"{'without a value' if found['value'] is None else found['value']} → {target}"


@app.command("refresh")
def refresh(
    connection: Connection,
    hard: Annotated[bool, typer.Option("--hard", help="Also remove tables that the database dropped.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the catalog is read.")] = False,
) -> None:
    """Read the catalog of a connection again, in the background."""
    with client() as service:
        started = service.connections.refresh(connection, hard=hard, wait=wait)
    sentence = "The catalog is refreshed" if wait else "The refresh has started"
    done(f"{sentence}. Job: {started['jobId']}", started, identity=started["jobId"])


@app.command("dependents")
def dependents(connection: Connection) -> None:
    """Show what depends on a connection: environments, schedules, roles and running queries."""
    with client() as service:
        found = service.connections.dependents(connection)
    show_one(found, {name: _listed(name) for name in found})


def _listed(name: str) -> Any:
    def shown(found: Mapping[str, Any]) -> Any:
        return ", ".join(map(str, found[name])) if isinstance(found[name], list) else found[name]

    return shown


@app.command("profile", cls=PlainCommand)
def profile(
    connection: Connection,
    uri: Annotated[
        str | None,
        typer.Option("--uri", metavar="URI", help="The address of Flight SQL; default: port 31337 of the host."),
    ] = None,
    key_variable: Annotated[
        str, typer.Option("--key-variable", metavar="NAME", help="The environment variable that has the key.")
    ] = "MOORINGS_KEY",
) -> None:
    """Print a connection profile for ADBC: a TOML file from which its driver managers open the connection."""
    from moorings.client import adbc

    with client() as service:
        found = service.connections.get(connection)
        address = uri or adbc.flight_uri(service.url)
    put(adbc.profile(found["id"], found["name"], address, key_variable).rstrip("\n"))


@app.command("archive")
def archive(connection: Connection, yes: Yes = False) -> None:
    """Archive a connection. Its secrets are erased; `restore` brings it back without them."""
    with client() as service:
        found = service.connections.get(connection)
        confirm(f'Archive "{found["name"]}" and erase its secrets?', yes=yes, details=_dependents(service, found))
        answer = service.connections.archive(found["id"], if_match=found["etag"])
    for warning in answer.get("warnings", []):
        terminal.note(f"Warning: {warning}")
    done(f"Archived {safe(found['name'])}.", answer, name=found["name"], identity=found["id"])


def _dependents(service: Client, found: ConnectionDetails) -> list[str]:
    known = service.connections.dependents(found["id"])
    return [f"  {name}: {cell(value)}" for name, value in known.items() if value]


def confirm(question: str, *, yes: bool, details: Iterable[str] = ()) -> None:
    """Ask before something is lost; without a terminal, --yes is needed."""
    if yes:
        return
    if not terminal.asks():
        raise exits.UsageError("This needs a confirmation", "Add --yes.")
    for line in details:
        terminal.note(line)
    if not terminal.agreed(question):
        raise exits.Failed("Nothing was changed.")


@app.command("restore")
def restore(
    connection: Connection,
    file: Annotated[
        list[str] | None, typer.Option("--file", metavar="FIELD=PATH", help="Read a secret from a file; - is stdin.")
    ] = None,
) -> None:
    """Restore an archived connection. Its secrets were erased: the command asks for them, or takes them from --file."""
    from moorings.client.cli import forms

    with client() as service:
        listed = service.connections.list(include_deleted=True)
        known = [each for each in listed if each["deletedAt"] and connection in (each["id"], each["name"])]
        secrets: dict[str, Any] = {}
        if len(known) == 1:
            dialect = service.dialects.get(known[0]["dialect"])
            secrets = forms.assigned(dialect, (), files=file or ())
            if not secrets and terminal.asks():
                secrets = _asked_secrets(forms.required(dialect, {}), dialect)
        found = service.connections.restore(connection, secrets)
    if found["needsCredentials"]:
        terminal.note("It has no secrets yet. Set them: moorings connections rotate")
    done(f"Restored {safe(found['name'])}.", found, name=found["name"], identity=found["id"])


def _asked_secrets(names: Sequence[str], dialect: Any) -> dict[str, Any]:
    from moorings.client.cli import forms

    known = forms.by_name(dialect)
    answers = {name: terminal.hidden(f"{name} (Enter: later)") for name in names if known[name]["secret"]}
    return {name: value for name, value in answers.items() if value}
