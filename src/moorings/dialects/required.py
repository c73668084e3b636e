"""What a dialect requires and when, as data: reading checks it, the form and the docs say it in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Need:
    """A field that must be given: always, or only `when` a flag is true, or if its `alternative` is not given.

    Of a field and its alternative exactly one may be given. An `accepted` flag must be true.
    """

    field: str
    when: str | None = None
    alternative: str | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """One way to log in: its authenticationType, what it requires, and the field whose presence alone implies it.

    A dialect with a single way has one Login without a name, and takes any authenticationType.
    """

    name: str | None
    requires: tuple[str, ...] = ("password",)
    inferred_from: str | None = None


def always(*fields: str) -> tuple[Need, ...]:
    """Fields that are required whatever else is given."""
    return tuple(Need(field) for field in fields)


def applies(need: Need, given: Mapping[str, Any]) -> bool:
    """Whether the field must be there, given the others."""
    if need.when:
        return given.get(need.when) is True
    return not (need.alternative and given.get(need.alternative, "") != "")
