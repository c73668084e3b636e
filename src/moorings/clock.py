"""The only source of time: everything that stores or compares an instant asks here."""

import time


def now() -> int:
    """UTC epoch milliseconds, as stored in every `*_at` column."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds of a clock that never goes back, for durations and deadlines."""
    return time.monotonic()
