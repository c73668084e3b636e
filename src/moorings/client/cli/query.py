"""`moorings query`: one statement, its rows in any format."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Protocol, cast

import typer

from moorings.client.cli import exits, running, terminal
from moorings.client.cli.base import ClientCommand, Commands, asked, client
from moorings.client.cli.names import CONNECTIONS
from moorings.client.cli.output import put
from moorings.client.cli.running import Statement
from moorings.client.environment import variables

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.cli.progress import Progress
    from moorings.client.queries import QueryOptions
    from moorings.client.shapes import Plan


class QueryCommand(ClientCommand):
    """A command that prints rows."""

    formats = running.FORMATS


Connection = Annotated[
    str | None,
    typer.Argument(
        metavar="CONNECTION",
        help="Name or id of the connection; default: that of the profile.",
        autocompletion=CONNECTIONS,
    ),
]
Sql = Annotated[str | None, typer.Argument(metavar="SQL", help="The statement; - or nothing reads it from stdin.")]
Execute = Annotated[
    str | None,
    typer.Option("--execute", "-e", metavar="SQL", help="The statement, where no connection is named."),
]
File = Annotated[
    str | None, typer.Option("--file", "-f", metavar="PATH", help="Read the statement from a file; - is stdin.")
]
Parameter = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="TEXT", help="The value of the next placeholder, as text."),
]
Parameters = Annotated[
    str | None,
    typer.Option("--parameters", metavar="JSON", help="The values of all placeholders, as a JSON array."),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="ROWS", min=1, help="Send no more rows.")]
Timeout = Annotated[
    int | None, typer.Option("--timeout", metavar="SECONDS", min=1, help="The time limit of the statement.")
]
Environment = Annotated[
    str | None,
    typer.Option("--environment", metavar="NAME", help="Use this environment.", autocompletion=CONNECTIONS),
]
NumericAs = Annotated[
    str | None, typer.Option("--numeric-as", metavar="TYPE", help="Exact numbers as text, double or decimal(p,s).")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the database's plan; do not run it.")]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Write into this file. Its ending chooses the format without -o."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def add(app: Commands) -> None:
    """Add the command."""
    app.command("query", cls=QueryCommand)(query)


def query(
    connection: Connection = None,
    sql: Sql = None,
    execute: Execute = None,
    file: File = None,
    parameter: Parameter = None,
    parameters: Parameters = None,
    limit: Limit = None,
    timeout: Timeout = None,
    environment: Environment = None,
    numeric_as: NumericAs = None,
    dry_run: DryRun = False,
    to: To = None,
    quiet: Quiet = False,
) -> None:
    """Run a statement and print its rows.

    Ctrl-C cancels the statement in the database. Progress is shown on stderr, if that is a terminal.
    """
    form = _form(to)
    limits = {"row_limit": limit, "timeout_seconds": timeout, "environment": environment, "numeric_as": numeric_as}
    options = cast("QueryOptions", {name: value for name, value in limits.items() if value is not None})
    statement = Statement(_statement(sql, execute, file), connection, _values(parameter, parameters), options)
    with client() as service:
        if dry_run:
            _plan(service.plan(statement.sql, connection, statement.parameters, **options))
        elif form == "table":
            _table(service, statement, to, quiet=quiet)
        else:
            _copy(service, statement, form, to, quiet=quiet)


def _form(to: Path | None) -> str:
    """The format: -o, else by the file's ending, else a table."""
    chosen = asked.output
    if chosen == "table" and to is not None and (found := to.suffix.removeprefix(".").lower()) in ENDINGS:
        chosen = ENDINGS[found]
    if chosen in running.BINARY and to is None and sys.stdout.isatty():
        raise exits.UsageError(f"{chosen} is binary, and stdout is a terminal", "Add --to FILE, or > FILE.")
    return chosen


ENDINGS = {name: name for name in running.FORMATS if name != "table"} | {"jsonl": "ndjson", "arrows": "arrow"}


def _statement(argument: str | None, execute: str | None, file: str | None) -> str:
    """The statement: the argument, --execute, a file, or stdin."""
    texts = [text for text in (argument, execute) if text not in (None, "-")]
    if len(texts) + (file is not None) > 1:
        raise exits.UsageError("There are two statements", "Give one: as an argument, with --execute or with --file.")
    if not texts and file is None and sys.stdin.isatty():
        terminal.note("Type the statement, and end it with Ctrl-D:")
    found = texts[0] if texts else terminal.from_file(file or "-")
    if not found or not found.strip():
        raise exits.UsageError("There is no statement", 'Add it: moorings query CONNECTION "SELECT …".')
    return found


def _values(texts: list[str] | None, values: str | None) -> list[Any]:
    if values is None:
        return list(texts or ())
    if texts:
        raise exits.UsageError("--parameter and --parameters exclude each other")
    try:
        found: Any = json.loads(values)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise exits.UsageError("--parameters takes a JSON array", "For example '[1, \"text\", null]'.")
    return cast("list[Any]", found)


def _plan(found: Plan) -> None:
    if asked.output == "json":
        put(json.dumps(found, indent=2, ensure_ascii=False))
        return
    put(*found["plan"].splitlines())
    if found.get("estimatedBytes") is not None:
        terminal.note(f"The statement would read about {found['estimatedBytes']:,} bytes.")


def _table(service: Client, statement: Statement, to: Path | None, *, quiet: bool) -> None:
    with _progress("table", quiet=quiet) as progress:
        result = running.whole(service, statement)
        progress.finish(len(result.rows))
    text = "".join(f"{line}\n" for line in result.lines())
    if to is None:
        sys.stdout.write(text)
    else:
        to.write_text(text, encoding="utf-8")
    if terminal.is_watched() and not quiet:
        terminal.note(f"{result.count[1:-1]} in {progress.seconds:.1f} s")
    elif result.truncated:
        terminal.note(result.count[1:-1])


def _copy(service: Client, statement: Statement, form: str, to: Path | None, *, quiet: bool) -> None:
    """Write the bytes of the answer as they arrive."""
    with (
        _progress(form, quiet=quiet) as progress,
        running.download(service, statement, form) as answer,
        _target(to) as target,
    ):
        for chunk in answer:
            target.write(chunk)
            progress.take(chunk)
        target.flush()
        limit = answer.facts.row_limit
    if progress.rows is not None and progress.rows == limit:
        terminal.note(f"The result has as many rows as its limit, {limit:,}. There may be more.")
    if not quiet and terminal.is_watched():
        terminal.note(progress.summary)


@contextlib.contextmanager
def _target(to: Path | None) -> Generator[Target]:
    """Stdout, or a file that appears when it is whole."""
    if to is None:
        sys.stdout.flush()
        yield _Screen(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer
        return
    draft = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as opened:
            yield opened
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)


class Target(Protocol):
    """Where a result is written."""

    def write(self, data: bytes, /) -> Any:
        """Write some of it."""
        ...

    def flush(self) -> None:
        """Write what waits."""
        ...


class _Screen:
    """A terminal: what steers it is replaced, because the text comes from a database."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target

    def write(self, data: bytes, /) -> None:
        self._target.write(re.sub(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", b"?", data))

    def flush(self) -> None:
        self._target.flush()


@contextlib.contextmanager
def _progress(form: str, *, quiet: bool) -> Generator[Progress]:
    from moorings.client.cli.progress import Progress

    progress = Progress(form)
    shown = terminal.is_watched() and not quiet and variables().get("TERM") != "dumb"
    with progress.shown() if shown else contextlib.nullcontext():
        yield progress
