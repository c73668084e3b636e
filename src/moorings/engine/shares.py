"""Shares: limits the sessions of each key and user, so that none of them holds all.

Of the waiting requests, the key that holds the fewest sessions is served first, then by arrival: a key that sends two
hundred queries at once delays another key's single one by one query at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Cap:
    """A limited resource, and the setting that limits it."""

    what: str
    setting: str


KEY = Cap("All sessions that one key may have are", "MOORINGS_MAX_SESSIONS_PER_KEY")
USER = Cap("All sessions that one user may have are", "MOORINGS_MAX_SESSIONS_PER_USER")


class Holder(NamedTuple):
    """The key and user that a session is leased to; the service's own work has no key and no share."""

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
        """Uncount a session that was returned."""
        _decrement(self._keys, holder.key)
        if holder.user is not None:
            _decrement(self._users, holder.user)

    def held(self, holder: Holder) -> int:
        """How many sessions a key has."""
        return self._keys[holder.key] if holder.key else 0

    def full(self, holder: Holder) -> Cap | None:
        """The cap that denies a holder another session; None if none does."""
        if holder.key and self._keys[holder.key] >= self._per_key:
            return KEY
        if holder.user is not None and self._users[holder.user] >= self._per_user:
            return USER
        return None

    def most_deserving(self, holders: Sequence[Holder]) -> list[int]:
        """The positions of a queue of holders, in the order to serve them: the fewest held sessions first."""
        return sorted(range(len(holders)), key=lambda place: self.held(holders[place]))


def _decrement(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
