"""`moorings plan`, `apply`, `export`, `schema` and `import`: connections as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moorings.client.cli import exits, terminal
from moorings.client.cli.base import Commands, PlainCommand, asked, client
from moorings.client.cli.connections import Yes, confirm
from moorings.client.cli.output import put
from moorings.client.cli.text import amount, safe

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.ascode.plans import Plan

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", metavar="PATH", help="A YAML file or a folder of them; may be repeated."),
]
Variables = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable, in place of that of the files.")
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Also archive connections, and delete what belongs to them, that no file has."),
]
DEFAULT = Path("moorings.yaml")


def add(app: Commands) -> None:
    """Add the commands."""
    app.command("plan", cls=PlainCommand)(plan)
    app.command("apply", cls=PlainCommand)(apply)
    app.command("export", cls=PlainCommand)(export)
    app.command("schema", cls=PlainCommand)(schema)
    imports = Commands("Read the connections of another service into files.")
    imports.command("omni", cls=PlainCommand)(omni)
    app.add_typer(imports, name="import")


def plan(
    file: Files = None,
    var: Variables = None,
    prune: Prune = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="PATH", help="Save the plan for `apply --plan`.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if the plan has changes.")] = False,
) -> None:
    """Show what `apply` would change. Nothing is changed, and no secret is shown or saved."""
    from moorings.client.ascode import plans

    with client() as service:
        found = _plan(service, file, var, prune=prune)
    _show(found)
    if out is not None:
        plans.save(found, out)
    if check and found.actions:
        raise typer.Exit(exits.FAILED)


def apply(
    file: Files = None,
    var: Variables = None,
    prune: Prune = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="PATH", help="A saved plan: exactly this is done, or nothing.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Make the service as the files say. It stops at the first failure."""
    from moorings.client.ascode import applying, plans

    if plan is not None and (file or var or prune):
        raise exits.UsageError("--plan has its files in it", "Leave -f, --var and --prune out.")
    with client() as service:
        found = applying.checked(service, plans.load(plan)) if plan else _plan(service, file, var, prune=prune)
        _show(found)
        if not found.actions:
            return
        if plan is None:
            confirm("Apply this plan?", yes=yes)
        _apply(service, found)


def _apply(service: Client, found: Plan) -> None:
    from moorings.client.ascode import applying, showing

    for action, warnings in applying.apply(service, found):
        put(showing.done(action))
        for warning in warnings:
            terminal.note(f"  {safe(warning)}")
    put(f"Applied: {amount(len(found.actions), 'action')}.")


def export(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="The file to write; default: stdout.")
    ] = None,
) -> None:
    """Write what the service has as YAML that `apply` reads. Secrets become references to environment variables."""
    from moorings.client.ascode import exporting

    with client() as service:
        _write(exporting.export(service), out)


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="The file to write; default: stdout.")
    ] = None,
) -> None:
    """Write the JSON Schema of the files, with which editors complete and check them."""
    from moorings.client.ascode import schema as made

    with client() as service:
        _write(json.dumps(made.schema(service.dialects.list()), indent=2, ensure_ascii=False) + "\n", out)


def omni(
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The YAML file to write.")] = DEFAULT,
    ids: Annotated[
        Path, typer.Option("--map", metavar="PATH", help="The file that maps Omni's ids to those of this service.")
    ] = Path("omni-ids.json"),
    key_file: Annotated[
        str | None,
        typer.Option(
            "--key-file", metavar="PATH", help="The file with Omni's API key; `-` is stdin. Default: a prompt."
        ),
    ] = None,
) -> None:
    """Read the connections, environments, schedules and dbt of Omni into a file. --url is the address of Omni.

    Omni's API does not return hosts, users and secrets: the file has variables and references in their place. After
    `moorings apply`, run the command again: it completes the map with the ids that the connections have here.
    """
    from moorings.client import Client
    from moorings.client.ascode import omni as importing
    from moorings.client.errors import NotConfigured

    if not asked.url:
        raise exits.UsageError("The address of Omni is missing", "Add --url, such as https://acme.omniapp.co.")
    key = terminal.secret("API key of Omni", key_file, "--key-file")
    with Client(importing.address(asked.url), key) as theirs:
        found = importing.read(theirs)
    try:
        with Client(profile=asked.profile) as ours:
            known = {each["name"]: each["id"] for each in ours.connections.list()}
            dialects = ours.dialects.list()
    except NotConfigured:
        known, dialects = {}, []
    if not out.exists():
        _write(importing.document(found, dialects), out)
    else:
        terminal.note(f"{out} exists, and stays as it is. Only the map is written.")
    _write(json.dumps(importing.mapping(found, known), indent=2) + "\n", ids)


def _plan(service: Client, files: list[Path] | None, variables: list[str] | None, *, prune: bool) -> Plan:
    from moorings.client.ascode import desired, documents, planning

    pairs = [each.partition("=") for each in variables or []]
    if any(not name or not sign for name, sign, _ in pairs):
        raise exits.UsageError("--var takes NAME=VALUE")
    sections = documents.load(files or [DEFAULT], {name: value for name, _, value in pairs})
    return planning.plan(service, desired.items(sections, service.dialects.list()), prune=prune)


def _show(found: Plan) -> None:
    from moorings.client.ascode import showing

    colours = {"+": "green", "~": "yellow", "-": "red"}
    for line in showing.lines(found):
        colour = colours.get(line[:1])
        put(terminal.coloured(line, colour) if colour else line)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        put(text.rstrip("\n"))
    else:
        out.write_text(text, encoding="utf-8")
        terminal.note(f"{out} is written.")
