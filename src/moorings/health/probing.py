"""Probing: every connection is tested from time to time, whichever process finds that it is due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy import Select, and_, or_, select

from moorings import clock, dialects
from moorings.connections.models import Connection
from moorings.connections.service import opened
from moorings.db import Database
from moorings.engine.service import Engine
from moorings.errors import Saturated
from moorings.health import service
from moorings.health.models import HealthProbe
from moorings.secrets import Keyset

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""Probes that one process runs at once: half of the tests that it may, so that people find a place for theirs."""
BATCH = 100
"""Connections that a process claims at a time."""
LONGEST_PAUSE = clock.DAY
"""After so long a connection that is not probed is looked at again, unless it is changed before."""


@dataclass(frozen=True, slots=True)
class Prober:
    """What probing needs. `every_seconds` is the pause between two probes of a connection."""

    db: Database
    engine: Engine
    keyset: Keyset
    every_seconds: float
    webhook: bool

    async def probe_due(self) -> None:
        """Test every connection that is due. One that is claimed by a process that dies is due again a pause later."""
        places = asyncio.Semaphore(AT_ONCE)
        while claimed := await self._claim():
            async with asyncio.TaskGroup() as group:
                for connection_id in claimed:
                    group.create_task(self._guarded(connection_id, places))

    async def _claim(self) -> list[str]:
        """Take what is due for this process: the next one that looks finds it due a pause later."""
        if not await self.db.finds(self._due(clock.now())):
            return []
        async with self.db.alone() as session:
            now = clock.now()
            rows = list(await session.execute(self._due(now).limit(BATCH)))
            for connection, _ in rows:
                probe = await service.probe_of(session, connection)
                probe.revision = connection.revision
                probe.next_at = now + (self._pause if is_probed(connection) else LONGEST_PAUSE)
        return [connection.id for connection, _ in rows if is_probed(connection)]

    @property
    def _pause(self) -> int:
        return round(1000 * self.every_seconds)

    def _due(self, now: int) -> Select[Connection, HealthProbe]:
        """Connections whose time has come, those that are new, and those that were changed since."""
        # Whether a connection is probed is no matter of its revision: who put it off for a day looks for any change.
        put_off = HealthProbe.next_at - LONGEST_PAUSE
        reconsidered = and_(HealthProbe.next_at > now + self._pause, Connection.updated_at >= put_off)
        due = or_(
            HealthProbe.connection_id.is_(None),
            HealthProbe.next_at <= now,
            HealthProbe.revision != Connection.revision,
            reconsidered,
        )
        return (
            select(Connection, HealthProbe)
            .outerjoin(HealthProbe, HealthProbe.connection_id == Connection.id)
            .where(Connection.deleted_at.is_(None), due)
            .order_by(HealthProbe.next_at, Connection.id)
        )

    async def _guarded(self, connection_id: str, places: asyncio.Semaphore) -> None:
        """One probe; whatever it raises is logged, and none of the others ends by it."""
        try:
            async with places:
                await self._probe(connection_id)
        except Exception as refused:  # noqa: BLE001  # the border of a probe; its words may quote a secret
            log.warning("probe_failed", connection=connection_id, reason=type(refused).__name__)

    async def _probe(self, connection_id: str) -> None:
        async with self.db.reading() as session:
            connection = await session.get_one(Connection, connection_id)
            if connection.deleted_at is not None:  # since it was claimed
                return
            target = await opened(session, self.keyset, connection)
        if target.config.lacks_credentials:
            return
        try:
            report = await self.engine.test(target.dialect, target.config)
        except Saturated:
            return  # people test: the next probe comes soon enough
        async with self.db.unit_of_work() as session:
            await service.record(session, connection_id, target.revision, report, webhook=self.webhook)


def is_probed(connection: Connection) -> bool:
    """Whether a connection's health is probed: as it says itself, else as its dialect does."""
    dialect = dialects.named(connection.dialect)
    asked = connection.settings.get("probe_health")
    return dialect.abilities.connects and (dialect.abilities.probed if asked is None else bool(asked))
