"""The facts of a field that forms and docs show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field as forms and docs show it."""

    field: str
    wire: str
    kind: str
    """string, number, boolean, enum or list."""
    secret: bool
    default: Any
    description: str
    required: str | None
    """`always`, or the condition in words; None when it never is."""
    allowed: tuple[str, ...] = ()
    """The values of an enum."""
