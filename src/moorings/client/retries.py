"""When a request is sent again, and after how long."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from moorings.client.errors import ApiError, ClientError, ConnectionFailed

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT"})
"""DELETE and PATCH are not among them: a second DELETE is refused because the first one worked."""

WITH_KEY = re.compile(
    r"/connections(/[^/]+/(restore|refresh|schedules|dbt/environments))?|/connection-environments|/user-attributes"
)
"""The paths of the POST requests that take an Idempotency-Key."""

REFUSED = frozenset({429, 503})
"""Statuses of the service itself, when it has not begun: with Retry-After every request may be sent again."""
TRANSIENT = frozenset({502, 503, 504})
"""Statuses of proxies too, which may have passed the request on."""


def takes_key(method: str, path: str) -> bool:
    """Whether the service recognizes a repeated request by its Idempotency-Key."""
    return method == "POST" and WITH_KEY.fullmatch(path.partition("?")[0]) is not None


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently a request is sent again."""

    most: int = 3
    first_seconds: float = 0.25
    longest_seconds: float = 60.0

    def pause(self, error: ClientError, attempt: int, *, repeatable: bool) -> float | None:
        """The seconds to wait before the request is sent again; None if it must not be.

        `attempt` counts from 0. `repeatable`: a second execution changes nothing.
        """
        if attempt >= self.most or not _worth(error, repeatable=repeatable):
            return None
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is not None:
            return asked if asked <= self.longest_seconds else None
        ceiling = min(self.first_seconds * 2**attempt, self.longest_seconds)
        return ceiling * random.uniform(0.5, 1)  # noqa: S311 - spreads clients over time, hides nothing


def _worth(error: ClientError, *, repeatable: bool) -> bool:
    if isinstance(error, ApiError):
        refused = error.status in REFUSED and error.retry_after is not None
        return refused or (repeatable and error.status in TRANSIENT)
    return isinstance(error, Unreached) or (repeatable and isinstance(error, ConnectionFailed))


class Unreached(ConnectionFailed):
    """The request never left: no connection was made."""
