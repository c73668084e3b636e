"""Rate limits by GCRA: requests of a key, and failed keys of an address, are refilled steadily up to a burst.

A fixed window refuses clients that send a burst of requests, as `terraform plan` does, until the next window begins. A
steady refill allows the next request after a short wait.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Protocol

import structlog
from limits import parse

from moorings.access.buckets import MemoryBuckets, SharedBuckets, Taken
from moorings.errors import OperatorError, RateLimited
from moorings.settings import Settings

log = structlog.get_logger(__name__)


CHECK_SECONDS = 5.0

SETTINGS = {"request": "MOORINGS_RATE_LIMIT", "failure": "MOORINGS_FAILED_KEY_LIMIT"}
"""The setting that defines each kind of limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of requests (the burst), and the seconds in which an empty bucket is full again."""

    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Window:
    """The requests that a key has left, and the time of the full refill, as in the RateLimit headers."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The three RateLimit headers."""
        return [
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % self.reset_seconds),
        ]


class Buckets(Protocol):
    """Stores the state of each key: in this process, or shared by all replicas."""

    UNAVAILABLE: tuple[type[Exception], ...]

    async def take(self, key: str, amount: int, seconds: int) -> Taken:
        """Take one request from a bucket of this size, which refills within this many seconds."""
        ...

    async def close(self) -> None:
        """Close open connections."""
        ...


class RateLimits:
    """Limits requests in memory, or in Valkey or Redis for all replicas together."""

    def __init__(self, settings: Settings) -> None:
        on = settings.rate_limit != "0"
        self._requests = _limit(settings.rate_limit) if on else None
        self._failures = _limit(settings.failed_key_limit) if on and settings.failed_key_limit != "0" else None
        self._buckets = _buckets(settings)

    async def count_request(self, key_id: str) -> Window | None:
        """Count one request of a key; raises RateLimited over the limit. None when limits are off."""
        return await self._count(self._requests, "request", key_id)

    async def count_failure(self, address: str) -> None:
        """Count one failed key of an address; raises RateLimited over the limit."""
        await self._count(self._failures, "failure", address)

    async def close(self) -> None:
        """Close the connections to Valkey or Redis."""
        await self._buckets.close()

    async def _count(self, limit: Limit | None, kind: str, client: str) -> Window | None:
        if limit is None:
            return None
        try:
            taken = await self._buckets.take(f"{kind}/{client}", limit.amount, limit.seconds)
        except self._buckets.UNAVAILABLE as refused:
            # A lost counter must not stop the service: let the request pass, and log it.
            log.warning("rate_limit_storage_failed", reason=type(refused).__name__)
            return None
        full = max(1, math.ceil(taken.full_after))
        if taken.retry_after > 0:
            retry = max(1, math.ceil(taken.retry_after))
            raise RateLimited(limit.amount, retry, limit.seconds, SETTINGS[kind], full_seconds=full)
        return Window(limit.amount, taken.remaining, full)


async def reachable(settings: Settings) -> bool:
    """Whether the store of the rate limits answers."""
    buckets = _buckets(settings)
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await buckets.take("doctor", 1, 1)
    except (*buckets.UNAVAILABLE, TimeoutError):
        return False
    finally:
        await buckets.close()
    return True


def _limit(written: str) -> Limit:
    parsed = parse(written)
    return Limit(parsed.amount, parsed.get_expiry())


def _buckets(settings: Settings) -> Buckets:
    if settings.rate_limit_url is None:
        return MemoryBuckets()
    url = settings.rate_limit_url.get_secret_value()
    if url.partition("://")[0] not in {"redis", "rediss", "valkey", "valkeys"}:
        raise OperatorError("MOORINGS_RATE_LIMIT_URL must start with valkey://, valkeys://, redis:// or rediss://")
    return SharedBuckets(url)
