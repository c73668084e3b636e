"""Shared by the commands of all groups: the base of a group, and common options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from moorings.errors import MooringsError

HELP = {"help_option_names": ["-h", "--help"]}
"""The options that print help. The command `moorings` passes them on to all others."""


class ErrorReportingGroup(TyperGroup):
    """Prints an error of Moorings as one line on stderr, with exit code 1 and without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MooringsError as refused:
            from moorings.cli.refusals import say

            say(refused.message)
            raise typer.Exit(1) from None


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


def group(explanation: str) -> typer.Typer:
    """A group of commands, without any."""
    return typer.Typer(
        cls=ErrorReportingGroup,
        help=explanation,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def _in_place_of(setting: str) -> Callable[[Any], Any]:
    """Use the value of an option in place of the setting."""

    def use(value: Any) -> Any:
        if value is not None:
            from moorings import settings

            settings.receive({setting: str(value)})
        return value

    return use


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="PATH",
        callback=_in_place_of("data_dir"),
        help="The data directory, in place of MOORINGS_DATA_DIR.",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        callback=_in_place_of("host"),
        help="The address to listen on, in place of MOORINGS_HOST.",
    ),
]
Port = Annotated[
    int | None,
    typer.Option("--port", callback=_in_place_of("port"), help="The port to listen on, in place of MOORINGS_PORT."),
]
FlightPort = Annotated[
    int | None,
    typer.Option(
        "--port",
        callback=_in_place_of("flight_port"),
        help="The port to listen on, in place of MOORINGS_FLIGHT_PORT. Default: 31337.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
