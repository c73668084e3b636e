"""Claims: which connections are due for a probe, and which worker probes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, insert, or_, select, update

from moorings import clock, dialects
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.health.models import ConnectionHealth, HealthProbe
from moorings.health.service import FAILING, backoff

BATCH = 500
"""Connections that a process claims at a time."""
MAX_PAUSE = clock.DAY
"""After this time, a connection that is not probed is checked again; a change of the connection checks it at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A connection that this process probes.

    `due_at` is the time at which the probe was due, `status` the last known health.
    """

    connection_id: str
    revision: int
    due_at: int
    status: str | None

    @property
    def failing(self) -> bool:
        """Whether its last test failed: the next one may have to wait for a server that does not answer."""
        return self.status == FAILING


async def claim_due(db: Database, pause: int) -> list[Claim]:
    """Claim due connections for this process: they are due again after the pause (milliseconds).

    One transaction for many connections, and none if nothing is due.
    """
    if not await db.finds(_due(clock.now(), pause)):
        return []
    async with db.alone() as session:
        now = clock.now()
        rows = (await session.execute(_due(now, pause).limit(BATCH))).all()
        known, new, claims = list[Mapping[str, Any]](), list[Mapping[str, Any]](), list[Claim]()
        for row in rows:
            probed = wants_probes(row.dialect, row.settings)
            refused = row.refused if row.refused and row.probed_revision == row.revision else 0
            wait = backoff(pause, refused) if probed else MAX_PAUSE
            values = {"connection_id": row.id, "revision": row.revision, "next_at": now + wait, "refused": refused}
            (new if row.next_at is None else known).append(values | {"organization_id": row.organization_id})
            if probed:
                claims.append(Claim(row.id, row.revision, row.next_at or now, row.status))
        if known:
            await session.execute(update(HealthProbe), known)
        if new:
            await session.execute(insert(HealthProbe), new)
    return claims


def wants_probes(dialect: str, settings: Mapping[str, Any]) -> bool:
    """Whether a connection's health is probed: by its own setting, else by its dialect's default."""
    named, setting = dialects.named(dialect), settings.get("probe_health")
    return named.abilities.connects and (named.abilities.probed if setting is None else bool(setting))


def _due(now: int, pause: int) -> Select[*tuple[Any, ...]]:
    """Connections that are due, new, or changed since the last claim."""
    # The setting that enables probes does not change the revision, so every change of a connection counts here.
    put_off = HealthProbe.next_at - MAX_PAUSE
    reconsidered = and_(HealthProbe.refused == 0, HealthProbe.next_at > now + pause, Connection.updated_at >= put_off)
    due = or_(
        HealthProbe.connection_id.is_(None),
        HealthProbe.next_at <= now,
        HealthProbe.revision != Connection.revision,
        reconsidered,
    )
    columns: Sequence[Any] = (
        Connection.id,
        Connection.organization_id,
        Connection.revision,
        Connection.dialect,
        Connection.settings,
        HealthProbe.next_at,
        HealthProbe.refused,
        HealthProbe.revision.label("probed_revision"),
        ConnectionHealth.status,
    )
    return (
        select(*columns)
        .outerjoin(HealthProbe, HealthProbe.connection_id == Connection.id)
        .outerjoin(ConnectionHealth, ConnectionHealth.connection_id == Connection.id)
        .where(Connection.deleted_at.is_(None), due)
        .order_by(HealthProbe.next_at, Connection.id)
    )
