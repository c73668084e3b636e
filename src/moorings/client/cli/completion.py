"""`moorings completion`: the scripts that make shells complete commands, options and names."""

from __future__ import annotations

from typing import Annotated

import typer

from moorings.client.cli.base import Commands, PlainCommand
from moorings.client.cli.exits import UsageError

SHELLS = ("bash", "zsh", "fish")


def add(app: Commands) -> None:
    """Add the command."""
    app.command("completion", cls=PlainCommand)(completion)


def completion(
    shell: Annotated[
        str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=lambda: list(SHELLS))
    ],
) -> None:
    """Print the script that completes commands, options and names in your shell.

    bash: `moorings completion bash > ~/.local/share/bash-completion/completions/moorings`.
    zsh: into a file `_moorings` in a folder of `$fpath`.
    fish: `moorings completion fish > ~/.config/fish/completions/moorings.fish`.
    """
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise UsageError(f"There is no completion for {shell}", f"Use one of {', '.join(SHELLS)}.")
    typer.echo(get_completion_script(prog_name="moorings", complete_var="_MOORINGS_COMPLETE", shell=shell))
