"""The commands of the shell, which begin with a backslash."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from moorings.client.cli.catalog import qualified
from moorings.client.cli.exits import UsageError
from moorings.client.cli.text import aligned, amount, cell, safe

if TYPE_CHECKING:
    from moorings.client.cli.sql.session import Session

MOST = 500
"""The lines of a list."""


class Quit(Exception):
    """The shell is to end."""


def describe(session: Session, argument: str) -> list[str]:
    """List the tables of the connection, or describe one of them."""
    schema, _, name = argument.rpartition(".")
    stored = session.service.catalog.stored(
        session.connection["id"], schema=schema.rpartition(".")[2] or None, table=name or None
    )
    found: list[Any] = list(itertools.islice(stored, MOST))
    if not found:
        return [_nothing(session, argument)]
    if not argument or len(found) > 1:
        columns = ["TABLE", "KIND", "COLUMNS", "COMMENT"]
        rows = [
            [cell(qualified(each)), each["kind"], str(len(each["columns"])), cell(each["comment"])] for each in found
        ]
        return [*aligned(columns, rows, rule=True), f"({amount(len(found), 'table')})"]
    return _columns(found[0])


def _nothing(session: Session, argument: str) -> str:
    if argument:
        return f"No table of the stored catalog matches {safe(argument)}. \\refresh reads it again."
    return f"The catalog of {safe(session.connection['name'])} is empty. \\refresh reads it from the database."


def _columns(table: Any) -> list[str]:
    rows = [
        [
            cell(column["name"]),
            cell(column["nativeType"]),
            "" if column["nullable"] else "not null",
            "primary key" if column["name"] in table["primaryKey"] else "",
            cell(column["comment"]),
        ]
        for column in table["columns"]
    ]
    keys = [
        f"  ({', '.join(key['columns'])}) → {cell(qualified(key))} ({', '.join(key['referredColumns'])})"
        for key in table["foreignKeys"]
    ]
    lines = aligned(["COLUMN", "TYPE", "NULL", "KEY", "COMMENT"], rows, rule=True)
    return [cell(qualified(table)), *lines, *(["Foreign keys:", *map(safe, keys)] if keys else [])]


def connections(session: Session, argument: str) -> list[str]:
    """List the connections; * marks the one in use."""
    found = session.service.connections.list(name=argument or None)
    rows = [
        [
            "*" if each["id"] == session.connection["id"] else "",
            cell(each["name"]),
            each["dialect"],
            each["health"]["status"],
        ]
        for each in found
    ]
    return aligned(["", "NAME", "DIALECT", "HEALTH"], rows, rule=True)


def connect(session: Session, argument: str) -> list[str]:
    """Use another connection."""
    if not argument:
        raise UsageError("Which connection?", "\\l lists them.")
    session.use(argument)
    return [f"Connected to {safe(session.connection['name'])} ({session.connection['dialect']})."]


def refresh(session: Session, argument: str) -> list[str]:
    """Read the catalog from the database again."""
    session.service.connections.refresh(session.connection["id"], wait=True)
    session.load_catalog()
    return ["The catalog is refreshed."]


def timing(session: Session, argument: str) -> list[str]:
    """Switch the time of each statement on or off."""
    session.timing = _switched(argument, session.timing)
    return [f"Timing is {'on' if session.timing else 'off'}."]


def expanded(session: Session, argument: str) -> list[str]:
    """Switch between a table and a block of lines for each row."""
    session.expanded = _switched(argument, session.expanded)
    return [f"Expanded display is {'on' if session.expanded else 'off'}."]


def pager(session: Session, argument: str) -> list[str]:
    """Switch the pager for long results on or off."""
    session.paging = _switched(argument, session.paging)
    return [f"The pager is {'on' if session.paging else 'off'}."]


def limit(session: Session, argument: str) -> list[str]:
    """Set how many rows a result shows."""
    if argument:
        if not argument.isdigit() or argument == "0":
            raise UsageError("\\limit takes a number of rows")
        session.limit = int(argument)
    return [f"A result shows {amount(session.limit, 'row')} at most."]


def _switched(argument: str, now: bool) -> bool:
    words = {"on": True, "off": False, "": not now}
    if argument not in words:
        raise UsageError("This takes on or off")
    return words[argument]


def leave(session: Session, argument: str) -> list[str]:
    """Leave the shell."""
    raise Quit


def explain(session: Session, argument: str) -> list[str]:
    """List these commands."""
    rows = [[name, (command.__doc__ or "").strip()] for name, command in COMMANDS.items()]
    return [
        *aligned(["COMMAND", "WHAT IT DOES"], rows, rule=True),
        "",
        "A statement ends with ; and can have several lines. Tab completes, Ctrl-R searches the history,",
        "Ctrl-C cancels a statement in the database, Ctrl-D leaves.",
    ]


COMMANDS: Mapping[str, Callable[[Session, str], list[str]]] = {
    "\\?": explain,
    "\\d": describe,
    "\\l": connections,
    "\\c": connect,
    "\\refresh": refresh,
    "\\timing": timing,
    "\\x": expanded,
    "\\pager": pager,
    "\\limit": limit,
    "\\q": leave,
}
ALIASES = {"\\h": "\\?", "\\help": "\\?", "\\dt": "\\d", "\\quit": "\\q", "\\connect": "\\c"}


def run(session: Session, line: str) -> list[str]:
    """Run a command and return what it shows."""
    name, _, argument = line.strip().partition(" ")
    command = COMMANDS.get(ALIASES.get(name, name))
    if command is None:
        raise UsageError(f"There is no command {safe(name)}", "\\? lists them.")
    return command(session, argument.strip().rstrip(";").strip())
