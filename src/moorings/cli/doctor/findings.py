"""The findings of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from moorings.errors import MooringsError
from moorings.settings import Settings

State = Literal["ok", "note", "fail"]
"""`note`: information only; nothing that the service needs is missing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    state: State
    message: str


class Noted(Exception):
    """The finding is information for the operator, not a fault."""


Check = Callable[[Settings], str | None]
"""Returns a sentence about what is right (None: no line); raises Noted, or a MooringsError for a fault."""


def run(checks: dict[str, Check], settings: Settings) -> Iterable[Finding]:
    """The findings of each check, in order."""
    for name, check in checks.items():
        try:
            found = check(settings)
        except Noted as noted:
            yield Finding(name, "note", str(noted))
        except MooringsError as refused:
            yield Finding(name, "fail", refused.message)
        else:
            if found is not None:
                yield Finding(name, "ok", found)
