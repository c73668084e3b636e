"""The engine: the one way from the service to a warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from moorings import dialects, errors
from moorings.dialects.base import ByteLimits, Dialect, DuckLimits, SessionContext
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import SslMode
from moorings.engine import egress
from moorings.engine.lease import Lease
from moorings.engine.pool import Counts, Limits, Pool, Pools
from moorings.engine.probe import Probe, TestReport, TestStep
from moorings.engine.shares import OURSELVES, Holder
from moorings.engine.slot import Slot, Target
from moorings.engine.threads import Job
from moorings.settings import Settings

__all__ = ["Counts", "Engine", "Holder", "Job", "Lease", "Target", "TestReport", "TestStep"]

CLOSE_SECONDS = 5.0
"""How long a stop waits for sessions to close."""


def _logins(settings: Settings) -> dict[str, Any]:
    """The settings of cloud logins."""
    secret = settings.aws_secret_access_key
    return {
        "credential_directories": settings.credential_directories,
        "never_read": (str(settings.data_dir), str(settings.keyset_path), str(Path(".env").absolute())),
        "google_sts_url": settings.google_sts_url,
        "aws_key": (settings.aws_access_key_id, secret.get_secret_value()) if secret else None,
    }


def _three_quarters(number: int) -> int:
    return max(1, number - number // 4)


class Engine:
    """Sessions with warehouses: tests, leases, and the pools behind them. Made and used in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._context = SessionContext(
            connect_timeout_seconds=settings.connect_timeout_seconds,
            duckdb_directory=str(settings.duckdb_directory),
            network=egress.for_callers(settings),
            limits=ByteLimits(settings.max_value_bytes, settings.max_batch_bytes, settings.max_buffer_bytes),
            duckdb=DuckLimits(
                memory=settings.duckdb_memory_limit,
                threads=settings.duckdb_thread_count,
                spill_bytes=settings.duckdb_temp_bytes,
                spill_directory=str(settings.duckdb_temp_directory),
            ),
            **_logins(settings),
            default_ssl_mode=settings.default_ssl_mode,
        )
        limits = Limits(
            size=settings.pool_size,
            wait_seconds=settings.pool_wait_seconds,
            idle_seconds=settings.pool_idle_seconds,
            lifetime_seconds=settings.pool_lifetime_seconds,
            total=settings.max_sessions,
            per_key=settings.max_sessions_per_key or _three_quarters(settings.max_sessions),
            per_user=settings.max_sessions_per_user or _three_quarters(settings.max_sessions),
            tests=settings.max_tests,
            probes=settings.health_probe_concurrency,
            abandoned=settings.max_abandoned_threads,
        )
        self._pools = Pools(limits, self._context)
        self._leases: set[Lease] = set()
        self._closed = False

    @property
    def default_ssl_mode(self) -> SslMode:
        """The default `sslMode` of dialects without their own default."""
        return self._context.default_ssl_mode

    def require_allowed(self, config: ConnectionConfig) -> None:
        """Raise InvalidInput for fields of a new Config that the operator's settings refuse."""
        reasons = dialects.named(config.dialect).config_faults(config, self._context)
        faults = [errors.Fault(config.wire_name(field), "custom", {"reason": reason}) for field, reason in reasons]
        if faults:
            raise errors.InvalidInput(faults)

    async def test(self, dialect: Dialect, config: ConnectionConfig, connection_id: str | None = None) -> TestReport:
        """Try a configuration, step by step; faults of the warehouse are in the report. Raises Saturated.

        The test's place counts for the connection, or for the address if there is no connection yet: tests of one
        connection or address can take only a part of all places for tests.
        """
        owner = connection_id or "{}:{}".format(*(dialect.address(config) or (config.completed().database or "", "")))
        target = Target("test", 0, dialect, config)
        return await self._ping(self._pools.passing(target, owner.removesuffix(":")))

    async def probe(self, target: Target) -> TestReport:
        """Test a connection's health with the cheapest login; probes have their own places. Raises Saturated."""
        return await self._ping(self._pools.passing(target, target.connection_id, probe=True))

    async def _ping(self, pool: Pool) -> TestReport:
        slot = await self._pools.claim(pool)
        try:
            return await Probe(slot, self._context).run()
        finally:
            self._pools.discard(slot)

    async def is_known_healthy(self, connection_id: str, revision: int, seconds: float) -> bool:
        """Whether a pooled session of a connection works: it was used within so many seconds, or answers a ping."""
        return await self._pools.is_known_healthy(connection_id, revision, seconds)

    def hangs(self, connection_id: str) -> bool:
        """Whether a connection has abandoned threads: they hang after severing."""
        return self._pools.abandoned.of(connection_id) > 0

    def waiting(self) -> int:
        """The number of queries and jobs that wait for a session's place."""
        return self._pools.waiting()

    def abandoned(self) -> int:
        """The number of abandoned threads: they hang after severing."""
        return self._pools.abandoned.count()

    def ready(self, target: Target, holder: Holder) -> bool:
        """Whether `lease` would return without waiting."""
        return not self._closed and self._pools.ready(target, holder)

    def target(self, connection_id: str, revision: int) -> Target | None:
        """The target of a connection's sessions at this revision; None if there are none."""
        return self._pools.target(connection_id, revision)

    @asynccontextmanager
    async def lease(self, target: Target, holder: Holder = OURSELVES) -> AsyncGenerator[Lease]:
        """A session for the block. Raises Saturated, or the WarehouseError of its login.

        When the block ends, also by cancellation of its task, a running statement is stopped in the warehouse.
        """
        slot = await self._pools.take(target, holder)
        if self._closed:  # while it logged in
            self._pools.discard(slot)
            raise errors.QueryCancelled
        lease = Lease(slot, slot.connected)
        self._leases.add(lease)
        try:
            yield lease
        finally:
            self._leases.discard(lease)
            self._settle(slot, lease.end())

    def _settle(self, slot: Slot, resetting: Job[bool] | None) -> None:
        if resetting is None:
            self._pools.discard(slot)
            return

        def settled(reset: asyncio.Future[bool]) -> None:
            if not reset.cancelled() and reset.exception() is None and reset.result():
                self._pools.give_back(slot)
            else:
                self._pools.discard(slot)

        resetting.future.add_done_callback(settled)

    async def drop(self, connection_id: str) -> None:
        """Close a connection's sessions: idle ones now, leased ones when they are returned."""
        closing = self._pools.retire(connection_id)
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_SECONDS)

    def revisions(self) -> Mapping[str, int]:
        """Connection → the revision that its sessions were opened at; only connections with sessions."""
        return self._pools.revisions()

    async def close(self) -> None:
        """Cancel running statements and close every session; abandons sessions that do not close in time."""
        self._closed = True
        self._pools.close()
        cancelling = [asyncio.ensure_future(lease.cancel()) for lease in list(self._leases)]
        if cancelling:
            await asyncio.wait(cancelling, timeout=CLOSE_SECONDS)
        await self._wait_until_empty(CLOSE_SECONDS / 2)
        if self._pools.counts():
            self._pools.sever()
            await self._wait_until_empty(CLOSE_SECONDS)

    async def _wait_until_empty(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        while self._pools.counts() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110  # only once
            await asyncio.sleep(0.01)

    def sessions(self) -> Mapping[str, Counts]:
        """How many sessions each connection has, idle and in use."""
        return self._pools.counts()
