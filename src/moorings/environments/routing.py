"""Chooses the connection for a request to a base connection. Pure: all inputs are arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["explicit", "user attribute", "attribute default", "base", "denied"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen connection, and the reason: the source of the choice, and the value that decided (None if none did).

    A connection of None means denied: no value selects a connection, and the base denies users without a match.
    """

    connection_id: str | None
    source: Source
    value: str | None = None
    environment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An environment of the base connection, and the values that select it."""

    environment_id: str
    connection_id: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A base connection, the user attribute that chooses, and the attribute's values that select the base itself."""

    connection_id: str
    attribute: str | None
    values: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()
    denies: bool = False
    """Users without a value that selects a connection are denied; without an attribute, every user is."""


def choose(
    base: Base, own: Sequence[str] | None, default: Sequence[str], explicit: Candidate | Base | None = None
) -> Choice:
    """The caller's explicit choice → the user's own values → the attribute's default → the base, unless it denies.

    `own` is None for users without a value of the attribute: only then the default applies. Of several values the first
    one that selects a connection decides.
    """
    if isinstance(explicit, Base):
        return Choice(explicit.connection_id, "explicit")
    if explicit is not None:
        return Choice(explicit.connection_id, "explicit", None, explicit.environment_id)
    if base.attribute is not None:
        source: Source = "attribute default" if own is None else "user attribute"
        meanings = _meanings(base)
        for value in default if own is None else own:
            if value in meanings:
                meant = meanings[value]
                connection_id = meant.connection_id if meant else base.connection_id
                return Choice(connection_id, source, value, meant.environment_id if meant else None)
    return unmatched(base)


def unmatched(base: Base) -> Choice:
    """The choice for a user whose values select no connection."""
    if base.denies:
        return Choice(None, "denied")
    return Choice(base.connection_id, "base")


def _meanings(base: Base) -> Mapping[str, Candidate | None]:
    """Value → the environment that it selects, or None for the base itself; a constraint keeps values unique."""
    meant = {value: candidate for candidate in base.candidates for value in candidate.values}
    return {**meant, **dict.fromkeys(base.values)}
