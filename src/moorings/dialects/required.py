"""What a dialect requires and when, as data: reading checks it, the form and the docs say it in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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

    `uses` are further fields that it sends if they are set. `destinations` are fields that decide where this login, and
    no other, sends its secrets; see `dialects.destinations`. A dialect with a single way has one Login without a name,
    and takes any authenticationType.
    """

    name: str | None
    requires: tuple[str, ...] = ("password",)
    inferred_from: str | None = None
    uses: tuple[str, ...] = ()
    destinations: Mapping[str, Callable[[Any, Any], bool]] = field(
        default_factory=dict[str, Callable[[Any, Any], bool]]
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The fields that it sends, required or not; the secrets are among them."""
        return self.requires + self.uses


def always(*fields: str) -> tuple[Need, ...]:
    """Fields that are required whatever else is given."""
    return tuple(Need(field) for field in fields)


def applies(need: Need, given: Mapping[str, Any]) -> bool:
    """Whether the field must be there, given the others."""
    if need.when:
        return given.get(need.when) is True
    return not (need.alternative and given.get(need.alternative, "") != "")
