"""What all commands of the client share: their options, the client that they use, and how they fail."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main
from typer._click.exceptions import UsageError
from typer.core import TyperCommand, TyperGroup, TyperOption

from moorings.client.cli import exits
from moorings.client.errors import ClientError

if TYPE_CHECKING:
    from moorings.client import Client

HELP = {"help_option_names": ["-h", "--help"]}


@dataclass
class Asked:
    """What the shared options of this run say."""

    profile: str | None = None
    url: str | None = None
    output: str = "table"


asked = Asked()
"""A process runs one command. Each run sets all of these anew."""


def _shared(
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="The profile of `moorings login` to use.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The address of the service, in place of MOORINGS_URL.")
    ] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FORMAT")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the API's own JSON; the same as -o json.")] = False,
) -> None:
    """The options that all commands have."""


def _options(formats: tuple[str, ...]) -> list[Any]:
    """The shared options, which set `asked` and are no arguments of the command."""
    app = typer.Typer(add_completion=False)
    app.command(context_settings=HELP)(_shared)
    found = [parameter for parameter in typer.main.get_command(app).params if parameter.name in _SHARED]
    for option in found:
        option.expose_value = False
        option.callback = functools.partial(_SHARED[option.name or ""], formats)
        if isinstance(option, TyperOption) and option.name == "output":
            option.help = f"How to print: {', '.join(formats)}."
    return [option for option in found if option.name not in ("output", "json") or formats]


def _take_profile(formats: tuple[str, ...], ctx: Any, param: Any, value: str | None) -> None:
    asked.profile = value


def _take_url(formats: tuple[str, ...], ctx: Any, param: Any, value: str | None) -> None:
    asked.url = value


def _take_output(formats: tuple[str, ...], ctx: Any, param: Any, value: str | None) -> None:
    if value is not None and value not in formats:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(formats)}.", param_hint="-o")
    ctx.meta["moorings.output"] = value
    asked.output = value or ("json" if ctx.meta.get("moorings.json") else "table")


def _take_json(formats: tuple[str, ...], ctx: Any, param: Any, value: bool) -> None:
    ctx.meta["moorings.json"] = value
    if value and ctx.meta.get("moorings.output") in (None, "json"):
        asked.output = "json"
    elif value:
        raise typer.BadParameter("--json and -o exclude each other.", param_hint="--json")


_SHARED = {"profile": _take_profile, "url": _take_url, "output": _take_output, "json": _take_json}


class ClientCommand(TyperCommand):
    """A command with the shared options, which reports failures in one line with an exit code of its own."""

    formats: tuple[str, ...] = ("table", "json", "name", "id")

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **more: Any) -> None:
        super().__init__(name, params=[*(params or ()), *_options(self.formats)], **more)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the arguments. A wrong one is reported in one line too."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except UsageError as wrong:
            path = wrong.ctx.command_path if wrong.ctx else f"moorings {info_name}"
            say(f"{wrong.format_message().rstrip('.')}. See: {path} -h")
            raise typer.Exit(exits.USAGE) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ClientError as failed:
            say(exits.line(failed))
            raise typer.Exit(exits.code(failed)) from None
        except BrokenPipeError:
            # The reader of the pipe has gone, as `head` does. What Python would flush at exit goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(exits.OK) from None
        except OSError as failed:
            say(exits.line(exits.Failed(f"{failed.filename or 'a file'}: {failed.strerror or failed}")))
            raise typer.Exit(exits.FAILED) from None
        except (KeyboardInterrupt, EOFError):
            say("stopped.")
            raise typer.Exit(exits.INTERRUPTED) from None


class PlainCommand(ClientCommand):
    """A command whose output has one form only."""

    formats = ()


class Group(TyperGroup):
    """A group of commands, which answers shells that complete it."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run the command line."""
        from typer._completion_classes import completion_init

        completion_init()
        return super().main(*arguments, **named)


class Commands(typer.Typer):
    """A group of client commands."""

    def __init__(self, explanation: str) -> None:
        super().__init__(
            cls=Group,
            help=explanation,
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
            context_settings=HELP,
        )

    def command(self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **more: Any) -> Any:
        """Add a command."""
        return super().command(name, cls=cls or ClientCommand, context_settings=HELP, **more)


def say(message: str) -> None:
    """One line on stderr."""
    typer.echo(f"moorings: {message}", err=True)


def client() -> Client:
    """The client of this run: by --profile and --url, else by the environment, else by the default profile."""
    from moorings.client import Client

    return Client(url=asked.url, profile=asked.profile)
