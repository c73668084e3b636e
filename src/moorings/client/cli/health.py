"""`moorings health`: which connections work, now or continuously."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moorings.client.cli import exits, terminal
from moorings.client.cli.base import Commands, asked, client
from moorings.client.cli.names import CONNECTIONS
from moorings.client.cli.output import Columns, put, show
from moorings.client.cli.text import aligned, amount, cell

if TYPE_CHECKING:
    from moorings.client import Client

COLOURS = {"healthy": "green", "failing": "red", "unknown": "yellow"}
CLEAR = "\x1b[H\x1b[2J"


def add(app: Commands) -> None:
    """Add the command."""
    app.command("health")(health)


def health(
    connections: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONNECTION…", help="Names or ids; default: all connections.", autocompletion=CONNECTIONS
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C, and show each change.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, metavar="SECONDS", help="The pause of --watch.")] = 5,
) -> None:
    """Show the health of connections, as the service's probes found it. The exit code is 9 if one fails.

    With --watch, a terminal shows all of them anew; a pipe gets a line for each change.
    """
    with client() as service:
        if watch:
            _watch(service, connections or [], every)
        found = _found(service, connections or [])
    columns: Columns = {
        "NAME": "name",
        "HEALTH": "health.status",
        "SINCE": "health.since",
        "WHY": _why,
    }
    show(found, columns, answer=[{"id": each["id"], "name": each["name"], "health": each["health"]} for each in found])
    failing = [each["name"] for each in found if each["health"]["status"] == "failing"]
    if failing:
        raise exits.Failed(
            f"{amount(len(failing), 'connection')} of {len(found)} failing: {', '.join(map(cell, failing))}",
            "See why: moorings connections test.",
            code=exits.WAREHOUSE,
        )


def _found(service: Client, wanted: Sequence[str]) -> list[Any]:
    """The connections that are wanted, by their names or ids."""
    from moorings.client.errors import UnknownName

    listed = service.connections.list()
    missing = [name for name in wanted if not any(name in (each["id"], each["name"]) for each in listed)]
    if missing:
        raise UnknownName(f'No connection is named "{missing[0]}"', "List them: moorings connections list.")
    return [each for each in listed if not wanted or each["id"] in wanted or each["name"] in wanted]


def _why(found: Mapping[str, Any]) -> str:
    error: dict[str, Any] = found["health"].get("error") or {}
    return ": ".join(filter(None, (error.get("step"), error.get("message") or error.get("code"))))


def _watch(service: Client, wanted: Sequence[str], every: float) -> None:
    """Show health again and again; ends by Ctrl-C."""
    known: dict[str, str] = {}
    live = asked.output == "table" and terminal.colours()
    while True:
        found = _found(service, wanted)
        if live:
            _draw(found, every)
        for each in found:
            status = each["health"]["status"]
            if not live and known.get(each["id"]) != status:
                _line(each)
            known[each["id"]] = status
        sys.stdout.flush()
        time.sleep(every)


def _draw(found: Sequence[Any], every: float) -> None:
    rows = [
        [cell(each["name"]), each["health"]["status"], each["health"]["since"] or "", cell(_why(each))]
        for each in found
    ]
    lines = aligned(["NAME", "HEALTH", "SINCE", "WHY"], rows)
    coloured = [
        line.replace(row[1], terminal.coloured(row[1], COLOURS[row[1]]), 1) if row[1] not in row[0] else line
        for line, row in zip(lines[1:], rows, strict=True)
    ]
    put(f"{CLEAR}{terminal.bold(lines[0])}", *coloured, "", f"Every {every:g} s. Ctrl-C ends it.")


def _line(found: Any) -> None:
    import json

    if asked.output == "json":
        put(json.dumps({"id": found["id"], "name": found["name"], "health": found["health"]}, ensure_ascii=False))
    elif asked.output in ("name", "id"):
        put(cell(found[asked.output]))
    else:
        parts = (found["health"]["since"] or "", found["health"]["status"], cell(found["name"]), cell(_why(found)))
        put("  ".join(filter(None, parts)))
