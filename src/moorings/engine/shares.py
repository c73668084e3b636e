"""Shares: how many sessions each key and user has, so that none of them holds all.

Whoever waits for a session is served in the order of what they hold already, not of arrival alone: a key that sends two
hundred queries at once delays another key's single one by one query at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Cap:
    """What there can be too many of, and the setting that says how many."""

    what: str
    setting: str


KEY = Cap("All sessions that one key may have are", "MOORINGS_MAX_SESSIONS_PER_KEY")
USER = Cap("All sessions that one user may have are", "MOORINGS_MAX_SESSIONS_PER_USER")


class Holder(NamedTuple):
    """Who a session is for; the service's own work is for no key, and has no share."""

    key: str = ""
    user: str | None = None


OURSELVES = Holder()


class Shares:
    """Counts the sessions in use by their holders."""

    def __init__(self, per_key: int, per_user: int) -> None:
        self._per_key, self._per_user = per_key, per_user
        self._keys: Counter[str] = Counter()
        self._users: Counter[str] = Counter()

    def take(self, holder: Holder) -> None:
        """Count a session that is handed out."""
        self._keys[holder.key] += 1
        if holder.user is not None:
            self._users[holder.user] += 1

    def free(self, holder: Holder) -> None:
        """Count it no longer."""
        _decrement(self._keys, holder.key)
        if holder.user is not None:
            _decrement(self._users, holder.user)

    def held(self, holder: Holder) -> int:
        """How many sessions a key has."""
        return self._keys[holder.key] if holder.key else 0

    def full(self, holder: Holder) -> Cap | None:
        """What keeps a holder from another session; None when nothing does."""
        if holder.key and self._keys[holder.key] >= self._per_key:
            return KEY
        if holder.user is not None and self._users[holder.user] >= self._per_user:
            return USER
        return None

    def most_deserving(self, holders: Sequence[Holder]) -> list[int]:
        """The places in a queue of holders, in the order in which they are to be served."""
        return sorted(range(len(holders)), key=lambda place: self.held(holders[place]))


def _decrement(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
