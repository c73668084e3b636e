"""The prompt of the shell: editing of several lines, history and completion."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moorings.client.cli import exits, terminal
from moorings.client.cli.base import Commands, PlainCommand, client
from moorings.client.cli.names import CONNECTIONS
from moorings.client.cli.text import safe

if TYPE_CHECKING:
    from moorings.client import Client


def add(app: Commands) -> None:
    """Add the command."""
    app.command("sql", cls=PlainCommand)(sql)


def sql(
    connection: Annotated[
        str | None,
        typer.Argument(
            metavar="CONNECTION",
            help="Name or id of the connection; default: that of the profile.",
            autocompletion=CONNECTIONS,
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", metavar="NAME", help="Use this environment.", autocompletion=CONNECTIONS),
    ] = None,
) -> None:
    r"""Open an interactive SQL shell. Without a terminal it runs the statements of stdin.

    A statement ends with `;`. Tab completes tables and columns, `\d` describes them, `\?` lists all commands. Each
    statement has a session of its own: a transaction does not reach from one to the next.
    """
    with client() as service:
        name = connection or service.connection
        if not name:
            raise exits.UsageError("Which connection?", "Name it: moorings sql CONNECTION.")
        code = _interactive(service, name, environment) if sys.stdin.isatty() else _batch(service, name, environment)
    raise typer.Exit(code)


def _batch(service: Client, connection: str, environment: str | None) -> int:
    """Run the statements and commands of stdin, and stop at the first that fails."""
    from moorings.client.cli.sql.session import Session
    from moorings.client.cli.sql.statements import is_whole

    session = Session(service, connection)
    session.environment = environment
    session.paging = False
    waiting = ""
    for line in [*sys.stdin, ""]:
        waiting += line
        if waiting.strip() and (is_whole(waiting) or not line):
            if code := session.run(waiting):
                return code
            waiting = ""
    return exits.OK


def _interactive(service: Client, connection: str, environment: str | None) -> int:
    from moorings.client.cli.sql.commands import COMMANDS, Quit
    from moorings.client.cli.sql.completion import Catalog, SqlCompleter
    from moorings.client.cli.sql.session import Session

    catalog = Catalog()
    session = Session(service, connection, catalog)
    session.environment = environment
    meanings = {name: (command.__doc__ or "").strip() for name, command in COMMANDS.items()}
    completer = SqlCompleter(catalog, meanings, lambda: [each["name"] for each in service.connections.list()])
    prompt = _prompt(completer)
    terminal.note(
        f"{safe(session.connection['name'])} ({session.connection['dialect']}) at {service.url}. \\? lists commands."
    )
    while True:
        try:
            session.run(prompt.prompt(f"{safe(session.connection['name'])}=> "))
        except KeyboardInterrupt:
            continue
        except (EOFError, Quit):
            return exits.OK


def _prompt(completer: Any) -> Any:
    """The line editor: Enter runs a whole statement, and begins a new line otherwise."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.filters import Condition, completion_is_selected
    from prompt_toolkit.key_binding import KeyBindings

    from moorings.client.cli.sql.statements import is_whole

    keys = KeyBindings()
    session: PromptSession[str]

    def whole() -> bool:
        return is_whole(session.default_buffer.text)

    @keys.add("enter", filter=Condition(whole) & ~completion_is_selected)
    def run(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    session = PromptSession(
        history=_history(),
        completer=completer,
        complete_in_thread=True,
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        multiline=True,
        key_bindings=keys,
        prompt_continuation=lambda width, number, wrapped: " " * max(width - 4, 0) + "..> ",
        color_depth=None if terminal.colours() else _no_colours(),
    )
    return session


def _no_colours() -> Any:
    from prompt_toolkit.output import ColorDepth

    return ColorDepth.DEPTH_1_BIT


def _history() -> Any:
    """The statements of earlier shells, in a file of mode 0600; a line that begins with a blank is not kept."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    from moorings.client.profiles import directory

    class History(FileHistory):
        def store_string(self, string: str) -> None:
            if not string.startswith(" "):
                super().store_string(string)

    path = directory() / "sql_history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))
        Path(path).chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return History(str(path))
