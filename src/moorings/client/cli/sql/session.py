"""What a shell holds: the connection in use, how results are shown, and the names for completion."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from moorings.client.cli import exits, running, terminal
from moorings.client.cli.running import Statement
from moorings.client.cli.sql import commands
from moorings.client.cli.sql.statements import has_sql, split
from moorings.client.environment import variables
from moorings.client.errors import ClientError

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.cli.sql.completion import Catalog
    from moorings.client.shapes import ConnectionDetails

DEFAULT_PAGER = "less"
LESS = "-FRSX"
"""less: leave at once if it fits, show colours, cut long lines, keep the screen."""


class Session:
    """One shell."""

    def __init__(self, service: Client, connection: str, catalog: Catalog | None = None) -> None:
        self.service = service
        self.connection: ConnectionDetails = service.connections.get(connection)
        self.timing = False
        self.expanded = False
        self.paging = True
        self.limit = running.MOST_SHOWN
        self.environment: str | None = None
        self._catalog = catalog
        self.load_catalog()

    def use(self, connection: str) -> None:
        """Use another connection."""
        self.connection = self.service.connections.get(connection)
        self.load_catalog()

    def load_catalog(self) -> None:
        """Read the names of the connection for completion, in the background."""
        if self._catalog is not None:
            identity, service = self.connection["id"], self.service
            self._catalog.load(lambda: service.catalog.stored(identity))

    def run(self, text: str) -> int:
        """Run statements and commands, show what they answer, and stop at the first that fails with its exit code."""
        whole, rest = split(text)
        for each in [*whole, *([rest] if has_sql(rest) else [])]:
            if code := self._reported(functools.partial(self._answer, each.strip())):
                return code
        return exits.OK

    def _answer(self, text: str) -> list[str]:
        if text.startswith("\\"):
            return commands.run(self, text)
        start = time.perf_counter()
        rows = self._rows(text)
        return [*rows, *([f"Time: {1000 * (time.perf_counter() - start):,.1f} ms"] if self.timing else [])]

    def _reported(self, work: Any) -> int:
        """Show what some work returns, or say in one line why it failed."""
        try:
            lines = work()
        except ClientError as failed:
            terminal.note(terminal.coloured_error(exits.line(failed)))
            return exits.code(failed)
        except KeyboardInterrupt:
            terminal.note("Cancelled.")
            return exits.INTERRUPTED
        self._show(lines)
        return exits.OK

    def _rows(self, sql: str) -> list[str]:
        statement = Statement(sql, self.connection["id"])
        statement.options["row_limit"] = self.limit
        if self.environment:
            statement.options["environment"] = self.environment
        result = running.whole(self.service, statement)
        lines = result.expanded() if self.expanded else result.lines()
        return [*(lines if result.columns else []), result.count]

    def _show(self, lines: Sequence[str]) -> None:
        """Print lines, by the pager if they do not fit a terminal."""
        size = shutil.get_terminal_size()
        fits = len(lines) < size.lines and all(len(line) <= size.columns for line in lines)
        if fits or not self.paging or not sys.stdout.isatty() or not page(lines):
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()


def page(lines: Sequence[str]) -> bool:
    """Show lines in $PAGER or less; False if there is none."""
    environment = {"LESS": LESS, **variables()}
    command = environment.get("PAGER") or DEFAULT_PAGER
    try:
        pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, text=True, env=environment)  # noqa: S602 - PAGER is a command line
    except OSError:
        return False
    try:
        pager.communicate("".join(f"{line}\n" for line in lines))
    except (BrokenPipeError, KeyboardInterrupt):
        pager.wait()
    return pager.returncode != 127
