"""The only source of time: everything that stores or compares an instant asks here."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

DAY = 24 * 60 * 60 * 1000
"""Milliseconds of a day."""


def now() -> int:
    """UTC epoch milliseconds, as stored in every `*_at` column."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds of a clock that never goes back, for durations and deadlines."""
    return time.monotonic()


def offset(zone: str) -> str:
    """The current UTC offset of a zone (an IANA name), such as `+01:00`."""
    ahead = datetime.now(ZoneInfo(zone)).strftime("%z")
    return f"{ahead[:3]}:{ahead[3:5]}"


def iso(milliseconds: int) -> str:
    """An instant (UTC epoch milliseconds) as ISO 8601 in UTC, with milliseconds and `Z`."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"
