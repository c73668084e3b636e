"""Which connection somebody gets who asks for a base connection. Pure: everything it depends on is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["explicit", "user attribute", "attribute default", "base", "denied"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The connection, and why it is this one: where the value came from, and which it was (None for the base alone).

    None is no connection at all: no value means one here, and the base is not for everybody.
    """

    connection_id: str | None
    source: Source
    value: str | None = None
    environment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An environment of the base connection, and the values that mean it."""

    environment_id: str
    connection_id: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A base connection, the user attribute that chooses, and the values of it that mean the base itself."""

    connection_id: str
    attribute: str | None
    values: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()
    denies: bool = False
    """Whoever has no value that means something gets nothing, and so does everybody where no attribute chooses."""


def choose(
    base: Base, own: Sequence[str] | None, default: Sequence[str], explicit: Candidate | Base | None = None
) -> Choice:
    """What the caller chose → the user's own values → the attribute's default → the base, if it is for everybody.

    `own` is None for users without a value of the attribute: only then the default counts. Of several values the first
    one that means something decides.
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
    """What somebody gets whose values mean nothing here."""
    if base.denies:
        return Choice(None, "denied")
    return Choice(base.connection_id, "base")


def _meanings(base: Base) -> Mapping[str, Candidate | None]:
    """Value → the environment that it means, or None for the base itself; the database lets none mean two."""
    meant = {value: candidate for candidate in base.candidates for value in candidate.values}
    return {**meant, **dict.fromkeys(base.values)}
