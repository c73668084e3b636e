"""The error of a command as one line on stderr: for people, or as JSON if logs are JSON."""

from __future__ import annotations

import json

import typer

from moorings import clock
from moorings.settings import wants_json


def say(message: str) -> None:
    """Print it. The settings themselves may be invalid, so the format is read from the variable."""
    if wants_json():
        line = {"event": "refused", "level": "error", "timestamp": clock.iso(clock.now()), "reason": message}
        typer.echo(json.dumps(line), err=True)
    else:
        typer.echo(f"moorings: {message}", err=True)
