"""`moorings connections create`, `edit` and `rotate`: what asks for fields and tests them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moorings.client.cli import exits, terminal
from moorings.client.cli.connections import Connection, app, failed_step, step_line
from moorings.client.cli.names import DIALECTS
from moorings.client.cli.output import done
from moorings.client.cli.text import safe
from moorings.client.environment import variables

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.cli.locations import Location
    from moorings.client.shapes import ConnectionDetails, Dialect, TestResult

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Set a field that is no secret. Can be repeated."),
]
File = Annotated[
    list[str] | None,
    typer.Option("--file", metavar="FIELD=PATH", help="Read a field from a file, such as a secret; - is stdin."),
]
NoTest = Annotated[bool, typer.Option("--no-test", help="Do not test it.")]


@app.command("create")
def create(
    uri: Annotated[
        str | None,
        typer.Argument(
            metavar="URI",
            help="A URI without a password: postgresql://…, as JDBC or as SQLAlchemy writes it; - is stdin.",
        ),
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(metavar="DIALECT", help="The dialect, such as postgres.", autocompletion=DIALECTS)
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The name of the connection.")] = None,
    set_: Set = None,
    file: File = None,
    dbt: Annotated[
        Path | None, typer.Option("--dbt", metavar="PATH", help="Take the fields from this profiles.yml of dbt.")
    ] = None,
    dbt_profile: Annotated[
        str | None, typer.Option("--dbt-profile", metavar="NAME", help="The profile in profiles.yml.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The output of the profile.")] = None,
    env_file: Annotated[
        list[Path] | None,
        typer.Option("--env-file", metavar="PATH", help="A .env file with the variables of profiles.yml."),
    ] = None,
    no_test: NoTest = False,
) -> None:
    """Create a connection. Asks for the fields that its dialect needs, and tests them before it stores them.

    Without a terminal nothing is asked: give the fields by URI, --dbt, --set and --file.
    """
    from moorings.client.cli import forms
    from moorings.client.cli.base import client

    found = _located(uri, dbt, dbt_profile, target, _variables(env_file or []))
    with client() as service:
        chosen = _dialect(service, dialect or (found.dialect if found else None))
        fields: dict[str, Any] = {"dialect": chosen["name"]}
        if found is not None:
            fields |= found.fields | forms.read_files(found.files, dbt.parent if dbt and dbt.is_file() else dbt)
            for each in found.ignored:
                terminal.note(f"Not taken over: {safe(each)}")
        fields |= forms.assigned(chosen, set_ or (), files=file or ())
        fields["dialect"] = chosen["name"]
        fields |= {"name": name} if name else {}
        made = _completed(service, chosen, fields, test=not no_test)
    done(f"Created {safe(made['name'])} ({made['id']}).", made, name=made["name"], identity=made["id"])


def _variables(files: list[Path]) -> Mapping[str, str]:
    from moorings.client.cli.dbt import env_file

    found = dict(variables())
    for each in files:
        found |= env_file(each)
    return found


def _located(
    uri: str | None, dbt: Path | None, profile: str | None, target: str | None, known: Mapping[str, str]
) -> Location | None:
    """The fields of a URI or of dbt's profile."""
    if dbt is not None:
        from moorings.client.cli import dbt as profiles

        return profiles.read(dbt, known, profile, target)
    if uri is None:
        return None
    from moorings.client.cli import uris

    found = uris.parse(terminal.from_file("-") if uri == "-" else uri)
    if found.has_password and uri != "-":
        raise exits.UsageError(
            "The URI contains a password, and other users of this machine can see arguments",
            "Leave it out: the command asks for it. Or pipe the URI into stdin, with - as the argument.",
        )
    return found


def _dialect(service: Client, name: str | None) -> Dialect:
    from moorings.client.cli import forms

    if name is not None:
        return service.dialects.get(name)
    if not terminal.asks():
        raise exits.UsageError("Which dialect?", "Add --dialect, or a connection URI.")
    known = {each["name"]: each for each in service.dialects.list()}
    return known[forms.choice("dialect", list(known), None)]


def _completed(service: Client, dialect: Dialect, fields: dict[str, Any], *, test: bool) -> ConnectionDetails:
    """Ask for what is missing, test, and store it."""
    from moorings.client.cli import forms

    if terminal.asks():
        forms.ask_missing(dialect, fields)
    fields.setdefault("name", fields.get("database") or dialect["title"])
    forms.refuse_missing(dialect, fields)
    while test:
        result = service.connections.test_unsaved(fields)
        if _passed(result):
            break
        if not terminal.asks():
            broken = failed_step(result)
            reason = f"{broken['name']}: {safe(broken['message'])}" if broken else "no reason"
            raise exits.Failed(
                f"The test failed at {reason}",
                "Nothing was stored. --no-test stores it untested.",
                code=exits.WAREHOUSE,
            )
        test = _ask_again(dialect, fields, result)
    return service.connections.create(fields)


def _passed(result: TestResult) -> bool:
    for step in result["steps"]:
        if step["status"] != "skipped":
            terminal.note(step_line(step))
    return result["success"]


def _ask_again(dialect: Dialect, fields: dict[str, Any], result: TestResult) -> bool:
    """Ask for the fields that the failed step blames; False to store it as it is."""
    from moorings.client.cli import forms

    broken = failed_step(result)
    blamed = [name for name in (broken["fields"] if broken else []) if name in forms.by_name(dialect)]
    answer = forms.choice("Next", ["again", "save", "quit"], "again")
    if answer == "quit":
        raise exits.Failed("Nothing was stored.", code=exits.WAREHOUSE)
    if answer == "save":
        return False
    for name in blamed or [each for each in forms.required(dialect, fields) if each not in ("dialect", "name")]:
        forms.ask(dialect, name, fields)
    return True


@app.command("edit")
def edit(
    connection: Connection,
    set_: Set = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="Restore the default of a field.")
    ] = None,
    file: File = None,
    test: Annotated[
        bool, typer.Option("--test", help="Store the change only if the connection's test passes.")
    ] = False,
) -> None:
    """Change fields of a connection. Without options it asks for them, and Enter keeps a value.

    A secret does not follow a new host: the command asks for it, or takes it from --file.
    """
    from moorings.client.cli import forms
    from moorings.client.cli.base import client

    with client() as service:
        found = service.connections.get(connection)
        dialect = service.dialects.get(found["dialect"])
        fields = forms.assigned(dialect, set_ or (), files=file or ()) | dict.fromkeys(unset or ())
        if not fields:
            fields = _asked_changes(dialect, found)
        answer = _changed(service, dialect, found, fields, test=test)
    done(answer["message"], answer, name=str(fields.get("name", found["name"])), identity=found["id"])


def _asked_changes(dialect: Dialect, found: ConnectionDetails) -> dict[str, Any]:
    """What differs from the stored values after a question for each."""
    from moorings.client.cli import forms

    if not terminal.asks():
        raise exits.UsageError("What shall be changed?", "Add --set FIELD=VALUE, --unset FIELD or --file FIELD=PATH.")
    known = forms.by_name(dialect)
    now = dict(found["settings"]) | {"name": found["name"], "baseRole": found["baseRole"]}
    shown = [name for name in known if name in now or name in forms.required(dialect, now)]
    answers = dict(now)
    for name in shown:
        if name != "dialect" and not known[name]["secret"] and not isinstance(now.get(name), dict | list):
            forms.ask(dialect, name, answers)
    return {name: value for name, value in answers.items() if value != now.get(name)}


def _changed(
    service: Client, dialect: Dialect, found: ConnectionDetails, fields: dict[str, Any], *, test: bool
) -> Mapping[str, Any]:
    """Send a change, with the secrets that it needs again."""
    from moorings.client.errors import InvalidRequest

    if not fields:
        return {"success": True, "message": "No updates were made to the connection."}
    try:
        return service.connections.update(found["id"], fields, if_match=found["etag"], test=test)
    except InvalidRequest as refused:
        needed = [name for name, why in refused.fields.items() if why.startswith("Required when")]
        if not needed:
            raise
        if not terminal.asks():
            refused.next_step = "Add " + " ".join(f"--file {name}=FILE" for name in needed) + "; - is stdin."
            raise
        terminal.note(refused.detail.removeprefix("Bad Request: "))
        for name in needed:
            fields[name] = terminal.hidden(name)
        return service.connections.update(found["id"], fields, if_match=found["etag"], test=test)


@app.command("rotate")
def rotate(
    connection: Connection,
    field: Annotated[
        str | None, typer.Option("--field", metavar="FIELD", help="The secret, if the connection has several.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="PATH", help="Read the new secret from a file; - is stdin.")
    ] = None,
    no_test: NoTest = False,
) -> None:
    """Replace a secret of a connection. It is stored only if the connection works with it.

    The secret is asked for without echo, or read from stdin or a file.
    """
    from moorings.client.cli.base import client

    with client() as service:
        found = service.connections.get(connection)
        name = _secret_field(service, found, field)
        value = terminal.secret(name, file, "--file")
        answer = service.connections.update(found["id"], {name: value}, if_match=found["etag"], test=not no_test)
    done(f"{answer['message']} ({safe(found['name'])}: {name})", answer, name=found["name"], identity=found["id"])


def _secret_field(service: Client, found: ConnectionDetails, wanted: str | None) -> str:
    """The secret to replace: the one that is named, the one that is set, or the one that the login needs."""
    from moorings.client.cli import forms

    dialect = service.dialects.get(found["dialect"])
    secrets = [each["name"] for each in dialect["fields"] if each["secret"]]
    if wanted is not None:
        if wanted not in secrets:
            raise exits.UsageError(f"{wanted} is no secret of {dialect['title']}", f"Secrets: {', '.join(secrets)}.")
        return wanted
    needed = [name for name in forms.required(dialect, found["settings"]) if name in secrets]
    stored = [name for name, each in found["credentials"].items() if each["set"]]
    chosen = [name for name in needed if name in stored] or needed or stored
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise exits.Failed(f"{safe(found['name'])} has no secret", "Name the one to set with --field.")
    if not terminal.asks():
        raise exits.UsageError(f"Which secret: {', '.join(chosen)}?", "Name it with --field.")
    return forms.choice("field", chosen, chosen[0])
