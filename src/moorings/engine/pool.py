"""Pools: they keep the sessions, lease them, and queue the tasks that wait for one.

All bookkeeping runs on the event loop and awaits nothing in between, so it needs no locks, and a cancelled task
cannot interrupt it. Sessions are counted from before they connect until after they are closed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from moorings import clock, errors
from moorings.dialects.base import SessionContext
from moorings.engine.severing import Abandoned
from moorings.engine.shares import OURSELVES, Cap, Holder, Shares
from moorings.engine.slot import Slot, Target
from moorings.telemetry import metrics, tracing

CHECK_AFTER_SECONDS = 2.0
"""A session that was idle for longer is pinged before it is used again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the number of sessions and on their lifetime."""

    size: int
    wait_seconds: float
    idle_seconds: float
    lifetime_seconds: float
    total: int
    """Sessions over all connections, except tests: these have their own cap, so that they never block queries."""
    tests: int
    probes: int
    per_key: int
    per_user: int
    abandoned: int
    """The number of threads that may hang after severing, before new sessions are refused."""


POOL = Cap("All sessions of this connection are", "MOORINGS_POOL_SIZE")
TOTAL = Cap("All sessions of this service are", "MOORINGS_MAX_SESSIONS")
TESTS = Cap("All places for connection tests are", "MOORINGS_MAX_TESTS")
PROBES = Cap("All places for probes of health are", "MOORINGS_HEALTH_PROBE_CONCURRENCY")
SHARE = Cap("All sessions that one connection may take of this service are", "MOORINGS_MAX_SESSIONS")
SHARE_OF_TESTS = Cap("All places for tests that one connection may take are", "MOORINGS_MAX_TESTS")
ABANDONED = Cap("All threads that may hang on warehouses that do not answer are", "MOORINGS_MAX_ABANDONED_THREADS")


class Lane:
    """Places for one kind of work, so that one kind never takes another's. One connection gets a part of them."""

    def __init__(self, most: int, cap: Cap, share: int, share_cap: Cap) -> None:
        self._max, self._cap = most, cap
        self._share, self._share_cap = share, share_cap
        self._taken: Counter[str] = Counter()

    def take(self, owner: str) -> None:
        """Count a place."""
        self._taken[owner] += 1

    def free(self, owner: str) -> None:
        """Free a place."""
        self._taken[owner] -= 1
        if not self._taken[owner]:
            del self._taken[owner]

    def taken(self, owner: str) -> int:
        """The number of places that an owner has."""
        return self._taken[owner]

    def full(self, owner: str) -> Cap | None:
        """The cap that denies an owner another place; None if none does. An empty owner has no share."""
        if self._taken.total() >= self._max:
            return self._cap
        return self._share_cap if owner and self._taken[owner] >= self._share else None


@dataclass(slots=True)
class Counts:
    """Sessions of one connection."""

    dialect: str
    idle: int = 0
    in_use: int = 0


class Pool:
    """The sessions of one connection at one revision."""

    def __init__(self, target: Target, context: SessionContext, lane: Lane, owner: str) -> None:
        self.target = target
        self.context = context
        self.lane = lane
        self.owner = owner
        self.slots: set[Slot] = set()
        self.idle: list[Slot] = []
        self.retired = False
        self.worked_at = float("-inf")
        """When a session of the pool last worked, by the loop's clock."""


@dataclass(slots=True)
class _Waiter:
    pool: Pool
    holder: Holder
    slot: asyncio.Future[Slot]


class Pools:
    """Every pool of the process, below one cap."""

    def __init__(self, limits: Limits, context: SessionContext) -> None:
        self._limits = limits
        self._context = context
        self._pools: dict[str, Pool] = {}
        self._home: dict[Slot, Pool] = {}
        self.abandoned = Abandoned(limits.abandoned)
        total, tests = limits.total, limits.tests
        self._queries = Lane(total, TOTAL, max(1, total - total // 4), SHARE)
        self._tests = Lane(tests, TESTS, max(1, tests // 2), SHARE_OF_TESTS)
        self._probes = Lane(limits.probes, PROBES, 1, PROBES)
        self._shares = Shares(limits.per_key, limits.per_user)
        self._waiters: deque[_Waiter] = deque()
        self._closed = False

    # ---- take and give back -----------------------------------------------------------------------------------

    def ready(self, target: Target, holder: Holder) -> bool:
        """Whether `take` would return at once: there is an idle session that was used recently."""
        pool = self._pools.get(target.connection_id)
        if pool is None or not pool.idle or pool.target.revision != target.revision:
            return False
        unchecked = asyncio.get_running_loop().time() - pool.idle[-1].idle_since < CHECK_AFTER_SECONDS
        return unchecked and self._shares.full(holder) is None

    def target(self, connection_id: str, revision: int) -> Target | None:
        """The target that a connection's sessions are opened with, if it has this revision."""
        pool = self._pools.get(connection_id)
        return pool.target if pool is not None and pool.target.revision == revision else None

    async def take(self, target: Target, holder: Holder) -> Slot:
        """A slot with a live session. Raises Saturated after a bounded wait, or the WarehouseError of the login."""
        pool, began = self._pool(target), clock.monotonic()
        with tracing.span("pool wait", moorings__dialect=target.dialect.name):
            slot = await self.claim(pool, holder)
        metrics.pool_wait.labels(target.dialect.name).observe(clock.monotonic() - began)
        try:
            await self._ensure_connected(slot)
        except BaseException:
            self.discard(slot)
            raise
        return slot

    async def claim(self, pool: Pool, holder: Holder = OURSELVES) -> Slot:
        """A slot of the pool, its session perhaps not connected yet; raises Saturated after a bounded wait."""
        slot = None if self._closed else self._grant(pool, holder)
        return slot or await self._queue(pool, holder)

    def give_back(self, slot: Slot) -> None:
        """Keep a session that was reset for the next one to take, unless its time is up."""
        slot.idle_since = self._home[slot].worked_at = asyncio.get_running_loop().time()
        self._unhand(slot)
        self._return_to_pool(slot)

    def _return_to_pool(self, slot: Slot) -> None:
        pool, now = self._home[slot], asyncio.get_running_loop().time()
        idle_until = slot.idle_since + self._limits.idle_seconds
        rest = min(idle_until, slot.born + self._limits.lifetime_seconds) - now
        if pool.retired or rest <= 0:
            self.discard(slot)
            return
        slot.expiry = asyncio.get_running_loop().call_later(rest, self._expire, slot)
        pool.idle.append(slot)
        self._wake()

    def discard(self, slot: Slot) -> asyncio.Future[None]:
        """Close a session; its place is free once that is done, which takes seconds at most."""
        self._remove(slot)
        self._unhand(slot)
        closed = slot.leave()
        closed.add_done_callback(lambda _: self._forget(slot))
        return closed

    async def is_known_healthy(self, connection_id: str, revision: int, seconds: float) -> bool:
        """Whether a session of a connection worked within so many seconds, or an idle one answers a ping now."""
        pool, now = self._pools.get(connection_id), asyncio.get_running_loop().time()
        if pool is None or pool.target.revision != revision:
            return False
        if now - pool.worked_at <= seconds:
            return True
        if not pool.idle:
            return False
        slot = pool.idle[-1]
        self._remove(slot)
        try:
            await slot.within(self._context.connect_timeout_seconds, slot.connected.ping)
        except errors.WarehouseError:
            self.discard(slot)
            return False
        except BaseException:
            self.discard(slot)
            raise
        pool.worked_at = asyncio.get_running_loop().time()
        self._return_to_pool(slot)
        return True

    async def _ensure_connected(self, slot: Slot) -> None:
        if slot.session is not None and await self._works(slot):
            return
        began, dialect = clock.monotonic(), slot.target.dialect.name
        with tracing.span("session open", "client", db__system__name=dialect):
            await slot.login()
        metrics.session_open.labels(dialect).observe(clock.monotonic() - began)

    async def _works(self, slot: Slot) -> bool:
        session, now = slot.session, asyncio.get_running_loop().time()
        if session is None or now - slot.idle_since < CHECK_AFTER_SECONDS:
            return session is not None
        try:
            await slot.within(self._context.connect_timeout_seconds, session.ping)
        except errors.ConnectTimeout:
            raise errors.SessionLost from None
        except errors.WarehouseError:
            return False
        return True

    # ---- assign places ----------------------------------------------------------------------------------------

    def _grant(self, pool: Pool, holder: Holder) -> Slot | None:
        if self._shares.full(holder) is not None:
            return None
        if pool.idle:
            slot = pool.idle[-1]
            self._remove(slot)
        elif self._full(pool) is not None and not self._evict_idle(pool):
            return None
        else:
            slot = Slot(pool.target, pool.context, self.abandoned, pool.owner)
            pool.slots.add(slot)
            self._home[slot] = pool
            pool.lane.take(pool.owner)
        slot.holder = holder
        self._shares.take(holder)
        return slot

    def _unhand(self, slot: Slot) -> None:
        """Uncount a slot of its holder."""
        if slot.holder is not None:
            self._shares.free(slot.holder)
            slot.holder = None

    def _full(self, pool: Pool) -> Cap | None:
        """The cap that denies the pool another slot; None if none does.

        Sessions of a connection count together, across all its revisions.
        """
        if self.abandoned.full(pool.owner):
            return ABANDONED
        if pool.lane is self._queries and pool.lane.taken(pool.owner) >= self._limits.size:
            return POOL
        return pool.lane.full(pool.owner)

    def _evict_idle(self, pool: Pool) -> bool:
        """Close the longest idle session of another connection, if only the cap over all connections is reached."""
        if self._full(pool) is not TOTAL:
            return False
        idle = [slot for pool in self._pools.values() for slot in pool.idle]
        if not idle:
            return False
        longest = min(idle, key=lambda slot: slot.idle_since)
        self.discard(longest)
        self._forget(longest)  # its place is free at once; closing takes milliseconds
        return self._full(pool) is None

    async def _queue(self, pool: Pool, holder: Holder) -> Slot:
        waiter = _Waiter(pool, holder, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            if not self._closed:
                await asyncio.wait({waiter.slot}, timeout=self._limits.wait_seconds)
        except asyncio.CancelledError:
            if waiter.slot.done():
                self._return_unused(waiter.slot.result())
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        if waiter.slot.done():
            return waiter.slot.result()
        cap = self._shares.full(holder) or self._full(pool) or TOTAL  # full until now, or at the service's end
        raise errors.Saturated(cap.what, cap.setting, max(1, round(self._limits.wait_seconds)))

    def _return_unused(self, slot: Slot) -> None:
        if slot.session is None:
            self.discard(slot)
        else:
            self.give_back(slot)

    def _wake(self) -> None:
        waiting = list(self._waiters)
        for place in self._shares.most_deserving([waiter.holder for waiter in waiting]):
            waiter = waiting[place]
            if self._closed or waiter.slot.done():
                continue
            slot = self._grant(waiter.pool, waiter.holder)
            if slot is not None:
                self._waiters.remove(waiter)
                waiter.slot.set_result(slot)

    # ---- pools come and go ------------------------------------------------------------------------------------

    def _pool(self, target: Target) -> Pool:
        current = self._pools.get(target.connection_id)
        if current is not None and current.target.revision == target.revision:
            return current
        pool = Pool(target, self._context, self._queries, target.connection_id)
        if current is not None and current.target.revision > target.revision:
            pool.retired = True  # read just before the credentials changed: its sessions are not kept
            return pool
        self.retire(target.connection_id)
        self._pools[target.connection_id] = pool
        return pool

    def passing(self, target: Target, owner: str, *, probe: bool = False) -> Pool:
        """A pool for a test or a probe: its sessions are counted, but never kept.

        `owner` is the connection or other key that the places count for; empty for none.
        """
        lane = self._probes if probe else self._tests
        pool = Pool(target, replace(self._context, trial=True, light=probe), lane, owner)
        pool.retired = True
        return pool

    def retire(self, connection_id: str) -> list[asyncio.Future[None]]:
        """Close a connection's idle sessions; those in use close when they come back."""
        pool = self._pools.pop(connection_id, None)
        if pool is None:
            return []
        pool.retired = True
        return [self.discard(slot) for slot in list(pool.idle)]

    def revisions(self) -> Mapping[str, int]:
        """Connection → the revision that its sessions were opened at; those of an older one close by themselves."""
        return {connection_id: pool.target.revision for connection_id, pool in self._pools.items() if pool.slots}

    def close(self) -> None:
        """Close idle sessions and lease no more."""
        self._closed = True
        for connection_id in list(self._pools):
            self.retire(connection_id)

    def sever(self) -> None:
        """Sever sessions that still hang when the service stops."""
        for slot in self._home:
            slot.sever()

    def waiting(self) -> int:
        """The number of tasks that wait for a place."""
        return len(self._waiters)

    def counts(self) -> Mapping[str, Counts]:
        """Sessions by connection; connecting and closing ones count as in use."""
        counts: dict[str, Counts] = {}
        for slot, pool in self._home.items():
            count = counts.setdefault(pool.target.connection_id, Counts(pool.target.dialect.name))
            if slot in pool.idle:
                count.idle += 1
            else:
                count.in_use += 1
        return counts

    def _expire(self, slot: Slot) -> None:
        if slot in self._home[slot].idle:
            self.discard(slot)

    def _remove(self, slot: Slot) -> None:
        if slot.expiry is not None:
            slot.expiry.cancel()
            slot.expiry = None
        pool = self._home.get(slot)
        if pool is not None and slot in pool.idle:
            pool.idle.remove(slot)

    def _forget(self, slot: Slot) -> None:
        pool = self._home.pop(slot, None)
        if pool is not None:
            pool.slots.discard(slot)
            pool.lane.free(pool.owner)
            self._wake()
