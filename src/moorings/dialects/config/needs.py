"""The required fields of a dialect and their conditions, as data.

Reading checks them, forms and docs show them in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig


@dataclass(frozen=True, slots=True)
class Need:
    """A required field: always, or only `when` a flag is true, or if its `alternative` is not given.

    Exactly one of a field and its alternative may be given. An `accepted` flag must be true.
    """

    field: str
    when: str | None = None
    alternative: str | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """One way to log in: its authenticationType, what it requires, and the field whose presence alone implies it.

    `unless` are fields whose presence prevents that. `uses` are further fields that it sends if they are set.
    `destinations` are fields that decide where this login, and no other, sends its secrets; see `destinations.py`. A
    dialect with a single way has one Login without a name, and takes any authenticationType.
    """

    name: str | None
    requires: tuple[str, ...] = ("password",)
    inferred_from: str | None = None
    unless: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    destinations: Mapping[str, Callable[[Any, Any], bool]] = field(
        default_factory=dict[str, Callable[[Any, Any], bool]]
    )

    def is_implied(self, given: Mapping[str, Any]) -> bool:
        """Whether these fields imply this login method if no authenticationType is given."""
        marked = self.inferred_from is not None and bool(given.get(self.inferred_from))
        return marked and not any(given.get(field) for field in self.unless)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The fields that this login sends, required or not, with its secrets."""
        return self.requires + self.uses


def always(*fields: str) -> tuple[Need, ...]:
    """Fields that are always required."""
    return tuple(Need(field) for field in fields)


def applies(need: Need, given: Mapping[str, Any]) -> bool:
    """Whether the field is required, given the other fields."""
    if need.when:
        return given.get(need.when) is True
    return not (need.alternative and given.get(need.alternative, "") != "")


def required(config: type[ConnectionConfig], field: str) -> str | None:
    """When a field is required, in words; `always`, or None when it never is."""
    conditions = [_in_words(config, need) for need in config.needs() if need.field == field]
    logins = [login for login in config.LOGINS if field in login.requires]
    if logins and len(logins) == len(config.LOGINS):
        conditions.append("always")
    elif logins:
        names = " or ".join(f"`{login.name}`" for login in logins)
        conditions.append(f"when authenticationType is {names}")
    unconditional = (condition for condition in conditions if condition.startswith("always"))
    return next(unconditional, " or ".join(conditions) or None)


def _in_words(config: type[ConnectionConfig], need: Need) -> str:
    if need.accepted:
        return "always, as true"
    if need.alternative:
        return f"unless {config.wire_name(need.alternative)} is given"
    return f"when {config.wire_name(need.when)} is true" if need.when else "always"
