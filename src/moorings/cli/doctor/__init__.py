"""`moorings doctor`: checks everything that the service depends on, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import typer

from moorings.cli.configured import configured
from moorings.cli.doctor import drivers, local, remote
from moorings.cli.doctor.findings import Finding, run
from moorings.engine.egress import EgressRules
from moorings.errors import MooringsError, OperatorError
from moorings.settings import Settings

SHOWN = {"ok": "ok  ", "note": "note", "fail": "FAIL"}


def examine(*, as_json: bool) -> bool:
    """Print the finding of each check; returns whether everything that the service needs is right."""
    found = list(_findings())
    passed = all(each.state != "fail" for each in found)
    if as_json:
        checks = [{"check": each.check, "state": each.state, "message": each.message} for each in found]
        typer.echo(json.dumps({"ok": passed, "checks": checks}, indent=2))
    else:
        for each in found:
            typer.echo(f"{SHOWN[each.state]}  {each.check}: {each.message}")
    return passed


def _findings() -> Iterable[Finding]:
    try:
        settings = configured()
    except MooringsError as refused:
        yield Finding("settings", "fail", refused.message)
        return
    yield Finding("settings", "ok", "readable")
    yield from run(local.CHECKS, settings)
    yield from run(remote.CHECKS, settings)
    yield from _egress(settings)
    try:
        yield from drivers.examine(settings)
    except MooringsError as refused:  # a dialect of another package that cannot be loaded
        yield Finding("dialects", "fail", refused.message)


def _egress(settings: Settings) -> Sequence[Finding]:
    """The rules for outgoing connections, one a line."""
    try:
        return [Finding("egress", "ok", rule) for rule in EgressRules.of(settings).described()]
    except OperatorError as refused:
        return [Finding("egress", "fail", refused.message)]
