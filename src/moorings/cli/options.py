"""Shared by the commands of all groups: the base of a group, and common options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

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
