"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from moorings.errors import MooringsError
from moorings.settings import Settings

State = Literal["ok", "note", "fail"]
"""`note`: worth knowing, and nothing that the service needs is missing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    state: State
    message: str


class Noted(Exception):
    """What a check found is worth knowing, and no fault."""


Check = Callable[[Settings], str | None]
"""Returns what is in order (None: nothing to say); raises Noted, or a MooringsError for what is wrong."""


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
