"""What a command refuses, in one line on stderr: for people, or as JSON where logs are JSON."""

from __future__ import annotations

import json

import typer

from moorings import clock
from moorings.settings import wants_json


def say(message: str) -> None:
    """Say it. The settings may be what is refused, so the format is taken from the variable itself."""
    if wants_json():
        line = {"event": "refused", "level": "error", "timestamp": clock.iso(clock.now()), "reason": message}
        typer.echo(json.dumps(line), err=True)
    else:
        typer.echo(f"moorings: {message}", err=True)
