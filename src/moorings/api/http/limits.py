"""Rate limits: so many requests of a key, and so many failed keys of an address, in a fixed window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.storage import storage_from_string

from moorings import clock
from moorings.errors import OperatorError, RateLimited
from moorings.settings import Settings

log = structlog.get_logger(__name__)


SETTINGS = {"request": "MOORINGS_RATE_LIMIT", "failure": "MOORINGS_FAILED_KEY_LIMIT"}
"""The setting of each kind of limit."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where a key stands in its window, as the RateLimit headers tell it."""

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


class RateLimits:
    """Counts requests in memory, or in Valkey or Redis for all replicas together."""

    def __init__(self, settings: Settings) -> None:
        on = settings.rate_limit != "0"
        self._requests = parse(settings.rate_limit) if on else None
        self._failures = parse(settings.failed_key_limit) if on and settings.failed_key_limit != "0" else None
        self._storage = _storage(settings)

    async def count_request(self, key_id: str) -> Window | None:
        """Count one request of a key; raises RateLimited over the limit. None when limits are off."""
        return await self._count(self._requests, "request", key_id)

    async def count_failure(self, address: str) -> None:
        """Count one failed key of an address; raises RateLimited over the limit."""
        await self._count(self._failures, "failure", address)

    async def _count(self, limit: RateLimitItem | None, kind: str, client: str) -> Window | None:
        if limit is None:
            return None
        key = limit.key_for(kind, client)
        try:
            used = await self._storage.incr(key, limit.get_expiry())
            ends = await self._storage.get_expiry(key)
        except self._storage.base_exceptions as refused:
            # A lost counter must not take the service down with it: let the request pass, and say so.
            log.warning("rate_limit_storage_failed", reason=type(refused).__name__)
            return None
        reset = min(limit.get_expiry(), max(1, math.ceil(ends - clock.now() / 1000)))
        if used > limit.amount:
            raise RateLimited(limit.amount, reset, limit.get_expiry(), SETTINGS[kind])
        return Window(limit.amount, limit.amount - used, reset)


def _storage(settings: Settings) -> Storage:
    if settings.rate_limit_url is None:
        return _opened("async+memory://")
    scheme, _, rest = settings.rate_limit_url.get_secret_value().partition("://")
    if scheme not in {"redis", "rediss", "valkey", "valkeys"}:
        raise OperatorError("MOORINGS_RATE_LIMIT_URL must start with valkey://, valkeys://, redis:// or rediss://")
    return _opened(f"async+{scheme}://{rest}")


def _opened(url: str) -> Storage:
    storage = storage_from_string(url)
    assert isinstance(storage, Storage), "an async+ address gives an asynchronous storage"  # noqa: S101
    return storage
