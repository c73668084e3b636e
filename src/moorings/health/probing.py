"""Probing: every connection is tested from time to time, by the process that first finds it due."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from moorings import clock
from moorings.connections.models import Connection
from moorings.connections.service import opened_all
from moorings.db import Database
from moorings.engine.service import Engine, Target, TestReport
from moorings.errors import Saturated
from moorings.health import service
from moorings.health.claims import Claim, claim_due, wants_probes
from moorings.health.service import HEALTHY, Finding
from moorings.secrets import Keyset

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often a process that waits for slow probes claims other due connections and stores results."""

OPENED = 32
"""How many connections are read and decrypted at a time: one by one, this would be a third of a cold probe's cost."""
OPENED_SECONDS = 5.0
"""Connections that were read longer ago are read again: they may have changed."""


@dataclass(frozen=True, slots=True)
class Prober:
    """The resources of probing.

    `every_seconds` is the pause between two probes of a connection, `at_once` how many run.

    `late` is called with the number of seconds by which each probe starts late.
    """

    db: Database
    engine: Engine
    keyset: Keyset
    every_seconds: float
    webhook: bool
    at_once: int = 8
    late: Callable[[float], object] = bool

    async def probe_due(self) -> None:
        """Test every connection that is due. One that is claimed by a process that dies is due again a pause later."""
        round_ = _Round(self)
        try:
            while await round_.advance():
                pass
        finally:
            await round_.write()
        self.late(0)


@dataclass(slots=True)
class _Round:
    """The connections that one process has claimed, and the state of their probes.

    Connections whose last test failed take at most half of the places, so that hosts that do not answer never delay the
    probes of healthy connections.
    """

    prober: Prober
    hopeful: deque[Claim] = field(default_factory=deque[Claim])
    failing: deque[Claim] = field(default_factory=deque[Claim])
    running: dict[asyncio.Task[None], Claim] = field(default_factory=dict[asyncio.Task[None], Claim])
    found: list[Finding] = field(default_factory=list[Finding])
    looked_at: float = 0
    targets: dict[str, tuple[float, Target]] = field(default_factory=dict[str, tuple[float, Target]])
    """Connection → the time when it was read, and the settings that it is probed with."""
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    unopened: set[str] = field(default_factory=set[str])
    """Connections whose running probe waits for their settings."""

    async def advance(self) -> bool:
        """Claim and begin probes, wait for one to end, and store results from time to time.

        Returns False once nothing is left.
        """
        if clock.monotonic() - self.looked_at >= LOOK_SECONDS or not (self.hopeful or self.running):
            await self.write()
            await self._claim()
        self._begin()
        if not self.running:
            return bool(self.hopeful)
        await asyncio.wait(self.running, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return True

    async def _claim(self) -> None:
        self.looked_at = clock.monotonic()
        if self.hopeful:
            return
        under_way = {claim.connection_id for claim in (*self.failing, *self.running.values())}
        for claim in await claim_due(self.prober.db, round(1000 * self.prober.every_seconds)):
            if claim.connection_id not in under_way:  # no new probe begins while the connection's last one hangs
                (self.failing if claim.failing else self.hopeful).append(claim)

    def _begin(self) -> None:
        failing = sum(claim.failing for claim in self.running.values())
        while len(self.running) < self.prober.at_once:
            if self.failing and failing < max(1, self.prober.at_once // 2):
                claim, failing = self.failing.popleft(), failing + 1
            elif self.hopeful:
                claim = self.hopeful.popleft()
            else:
                return
            self.prober.late(max(0, clock.now() - claim.due_at) / 1000)
            task = asyncio.ensure_future(self._guarded(claim))
            self.running[task] = claim
            task.add_done_callback(self.running.pop)

    async def write(self) -> None:
        """Store the results in one transaction."""
        if self.found:
            found, self.found = self.found, []
            every = round(1000 * self.prober.every_seconds)
            async with self.prober.db.alone() as session:
                await service.record_all(session, found, every, webhook=self.prober.webhook)

    async def _guarded(self, claim: Claim) -> None:
        """One probe. Its errors are logged, and do not end the other probes."""
        try:
            await self._probe(claim)
        except Exception as refused:  # noqa: BLE001  # the border of a probe; its words may quote a secret
            log.warning("probe_failed", connection=claim.connection_id, reason=type(refused).__name__)

    async def _probe(self, claim: Claim) -> None:
        """Test a connection, unless a session in its pool shows that it is still healthy, or its last probe hangs."""
        engine = self.prober.engine
        if claim.status == HEALTHY and await engine.is_known_healthy(
            claim.connection_id, claim.revision, self.prober.every_seconds
        ):
            self.found.append(Finding(claim.connection_id, claim.revision, TestReport(())))
            return
        if engine.hangs(claim.connection_id):
            return
        target = await self._opened(claim.connection_id)
        if target is None:  # archived after it was claimed
            return
        if target.config.lacks_credentials:
            return
        try:
            report = await engine.probe(target)
        except Saturated:
            return  # the next probe comes soon enough
        self.found.append(Finding(claim.connection_id, target.revision, report))

    async def _opened(self, connection_id: str) -> Target | None:
        """The settings that a connection is probed with. Also reads those of the next connections without a session."""
        self.unopened.add(connection_id)
        async with self.opening:
            oldest = clock.monotonic() - OPENED_SECONDS
            if self.targets.get(connection_id, (0, None))[0] < oldest:
                pooled = self.prober.engine.revisions()
                later = (claim.connection_id for claim in self.hopeful if claim.connection_id not in pooled)
                ids = list(itertools.islice(itertools.chain(self.unopened, later), OPENED))
                async with self.prober.db.reading() as session:
                    found = await opened_all(session, self.prober.keyset, {connection_id, *ids})
                now = clock.monotonic()
                self.targets = {each: (now, target) for each, target in found.items()}
        self.unopened.discard(connection_id)
        return self.targets.pop(connection_id, (0, None))[1]


def is_probed(connection: Connection) -> bool:
    """Whether a connection's health is probed: by its own setting, else by its dialect's default."""
    return wants_probes(connection.dialect, connection.settings)
