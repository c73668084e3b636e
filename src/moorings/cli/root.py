"""The `moorings` command itself: the service's commands, and the client's beside them."""

from __future__ import annotations

import functools
from typing import Any, cast

import typer
from typer.core import TyperGroup

from moorings.cli.options import HELP, ErrorReportingGroup


class Root(ErrorReportingGroup):
    """The service's own commands, and the client's, which are imported when one of them is asked for."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run the command line, or answer a shell that completes it."""
        from typer._completion_classes import completion_init

        completion_init()
        return super().main(*arguments, **named)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name."""
        return self.commands.get(cmd_name) or _of_client().get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, or suggest one of either kind."""
        if args and self.get_command(ctx, args[0]) is None:
            self.commands = {**self.commands, **_of_client()}
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        return list(dict.fromkeys([*self.commands, *_of_client()]))


@functools.cache
def _of_client() -> dict[str, Any]:
    from typer.main import get_command

    from moorings.client.cli import app as client

    return dict(cast("TyperGroup", get_command(client)).commands)


def root(explanation: str) -> typer.Typer:
    """The command, without its own commands."""
    return typer.Typer(
        cls=Root,
        help=explanation,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=HELP,
    )
