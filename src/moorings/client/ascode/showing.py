"""A plan for a reviewer: a diff in text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moorings.client.ascode.items import Secret
from moorings.client.ascode.plans import Action, Plan

SIGNS = {"create": "+", "update": "~", "delete": "-", "archive": "-"}
LONGEST = 200
"""Characters of a value."""


def lines(plan: Plan) -> Iterator[str]:
    """The plan, line by line. A line begins with `+`, `~` or `-`."""
    for action in plan.actions:
        yield f"{SIGNS[action.verb]} {action.verb} {_printable(action.address)}"
        for change in action.changes:
            if action.verb == "create":
                yield f"    {change.field}: {shown(change.after)}"
            else:
                yield f"    {change.field}: {shown(change.before)} → {shown(change.after)}"
        for note in action.notes:
            yield f"    ! {_printable(note)}"
    yield summary(plan)


def summary(plan: Plan) -> str:
    """How many actions of each kind."""
    if not plan.actions:
        return "No changes: the service is as the files say."
    counts = {verb: sum(action.verb == verb for action in plan.actions) for verb in SIGNS}
    words = {"create": "to create", "update": "to change", "delete": "to delete", "archive": "to archive"}
    return ", ".join(f"{count} {words[verb]}" for verb, count in counts.items() if count) + "."


def done(action: Action) -> str:
    """An action that is done."""
    past = {"create": "created", "update": "changed", "delete": "deleted", "archive": "archived"}
    return f"{past[action.verb]} {_printable(action.address)}"


def shown(value: Any) -> str:
    """A value of a field; a secret is never shown."""
    if isinstance(value, Secret):
        return f"(secret {value.reference})" if value.reference.startswith("${") else "(secret)"
    if value is None:
        return "-"
    text = json.dumps(_open(value), ensure_ascii=False) if not isinstance(value, str) else value
    return _printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shown(each) if isinstance(each, Secret) else each for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _printable(text: str) -> str:
    """A text on one line, without characters that steer a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
