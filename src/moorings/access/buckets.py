"""Buckets of the generic cell rate algorithm (GCRA): one instant for each key, at which its bucket is full again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from moorings import clock
from moorings.distribution import install_command
from moorings.errors import OperatorError

SWEPT_FROM = 1000
"""The number of keys above which those with full buckets are deleted."""
TIMEOUT_SECONDS = 2.0
"""How long a request waits for Valkey or Redis before it passes uncounted."""

TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full + interval - now - period
if wait > 0.5 then
    return {0, string.format('%.0f', wait), string.format('%.0f', full - now)}
end
full = full + interval
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return {math.floor((period - (full - now) + 0.5) / interval), '0', string.format('%.0f', full - now)}
"""
"""The algorithm, on the server and by its clock, in microseconds: replicas need not agree on the time."""


class Taken(NamedTuple):
    """The result for one request: the requests left, or when to retry; and when the bucket is full. In seconds."""

    remaining: int
    retry_after: float
    full_after: float


class MemoryBuckets:
    """Buckets of this process. A full bucket equals a new one, so full ones are deleted."""

    UNAVAILABLE: tuple[type[Exception], ...] = ()

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._full: dict[str, float] = {}
        self._sweep_at = SWEPT_FROM

    async def take(self, key: str, amount: int, seconds: int) -> Taken:
        """Take one request from a bucket of this size, which refills within this many seconds."""
        now, interval = self._now(), seconds / amount
        full = max(self._full.get(key, now), now)
        wait = full + interval - now - seconds
        if wait > 1e-6:
            return Taken(0, wait, full - now)
        self._full[key] = full + interval
        self._sweep(now)
        return Taken(int((seconds - (full + interval - now)) / interval + 1e-6), 0.0, full + interval - now)

    async def close(self) -> None:
        """Nothing is open."""

    def _sweep(self, now: float) -> None:
        if len(self._full) > self._sweep_at:
            self._full = {key: full for key, full in self._full.items() if full > now}
            self._sweep_at = max(SWEPT_FROM, 2 * len(self._full))


class SharedBuckets:
    """Buckets in Valkey or Redis, for all replicas together."""

    SCHEMES: ClassVar[Mapping[str, str]] = {"redis": "valkey", "rediss": "valkeys"}

    def __init__(self, url: str) -> None:
        try:
            from valkey.asyncio import Valkey
            from valkey.exceptions import ValkeyError
        except ImportError:
            raise OperatorError(
                f"MOORINGS_RATE_LIMIT_URL needs the package valkey: {install_command('cluster')}"
            ) from None
        self.UNAVAILABLE: tuple[type[Exception], ...] = (ValkeyError, OSError)
        scheme, _, rest = url.partition("://")
        self._client: Any = Valkey.from_url(
            f"{self.SCHEMES.get(scheme, scheme)}://{rest}",
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )
        self._take = self._client.register_script(TAKE)

    async def take(self, key: str, amount: int, seconds: int) -> Taken:
        """Take one request from a bucket of this size, which refills within this many seconds."""
        period = seconds * 1_000_000
        remaining, wait, full = await self._take(keys=[f"moorings/limit/{key}"], args=[period, period / amount])
        return Taken(int(remaining), int(wait) / 1_000_000, int(full) / 1_000_000)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
