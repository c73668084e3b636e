"""Health: the results of connection tests, the changes between them, and their history."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.connections.models import Connection
from moorings.db import page
from moorings.engine.service import TestReport
from moorings.errors import AccountLocked, LoginRefused, PasswordExpired
from moorings.health.models import ConnectionHealth, Delivery, HealthChange, HealthProbe
from moorings.webhooks.service import announce, written

HEALTHY, FAILING = "healthy", "failing"
EVENT = "connection.health"
REFUSED_LOGINS = (LoginRefused.code, AccountLocked.code, PasswordExpired.code)
"""Faults that more attempts make worse: servers lock accounts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a probe of a connection at a revision."""

    connection_id: str
    revision: int
    report: TestReport


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a connection: healthy or failing, since when, and the fault (step, code, message)."""

    status: str
    since: int
    error: Mapping[str, Any] | None


async def of_organization(session: AsyncSession, organization_id: str) -> dict[str, Health]:
    """Connection → its health, for connections that were tested."""
    rows = await session.scalars(select(ConnectionHealth).where(ConnectionHealth.organization_id == organization_id))
    return {row.connection_id: Health(row.status, row.since, row.error) for row in rows}


async def live(session: AsyncSession) -> dict[str, tuple[str, bool]]:
    """Connection → dialect and whether it is healthy.

    Covers every owner's connections that were tested and are not archived.
    """
    rows = await session.execute(
        select(ConnectionHealth.connection_id, Connection.dialect, ConnectionHealth.status)
        .join(Connection, Connection.id == ConnectionHealth.connection_id)
        .where(Connection.deleted_at.is_(None))
    )
    return {connection_id: (dialect, status == HEALTHY) for connection_id, dialect, status in rows}


async def of_connection(session: AsyncSession, connection_id: str) -> Health | None:
    """The health of a connection; None if it was never tested."""
    row = await session.get(ConnectionHealth, connection_id)
    return Health(row.status, row.since, row.error) if row else None


async def probes(session: AsyncSession, connection_id: str) -> HealthProbe | None:
    """The times of a connection's last test and next probe; None if neither is known."""
    return await session.get(HealthProbe, connection_id)


async def history(
    session: AsyncSession, connection_id: str, after: tuple[int, str] | None, number: int
) -> tuple[list[HealthChange], int]:
    """Changes of a connection's health, newest first, after the time and id of one; and the number of all."""
    own = select(HealthChange).where(HealthChange.connection_id == connection_id)
    return await page(session, own, [(HealthChange.at, True), (HealthChange.id, False)], after, number)


async def record_all(session: AsyncSession, findings: Sequence[Finding], pause: int, *, webhook: bool) -> None:
    """Store the results of probes, which run every `pause` milliseconds; unchanged healthy ones in one statement."""
    successes = {finding.connection_id: finding for finding in findings if finding.report.success}
    rows = await session.execute(
        select(Connection.id, Connection.revision)
        .join(ConnectionHealth, ConnectionHealth.connection_id == Connection.id)
        .where(Connection.id.in_(successes), Connection.deleted_at.is_(None), ConnectionHealth.status == HEALTHY)
    )
    same = [connection_id for connection_id, revision in rows if successes[connection_id].revision == revision]
    if same:
        mine = HealthProbe.connection_id.in_(same)
        await session.execute(update(HealthProbe).where(mine).values(checked_at=clock.now(), refused=0))
    unchanged = set(same)
    for finding in findings:
        if finding.connection_id not in unchanged:
            await record(session, finding.connection_id, finding.revision, finding.report, webhook=webhook, pause=pause)


def backoff(pause: int, refused: int) -> int:
    """Milliseconds until the next probe: the pause doubles with each consecutive refused login, up to a day.

    Servers lock users out after too many failed logins.
    """
    return max(pause, min(pause * 2 ** min(refused, 20), clock.DAY))


async def record(
    session: AsyncSession,
    connection_id: str,
    revision: int,
    report: TestReport,
    *,
    webhook: bool,
    pause: int | None = None,
) -> None:
    """Store the result of a test of a stored connection, unless the connection was changed or archived meanwhile.

    With `webhook`, a change between healthy and failing is queued for delivery. `pause` is the pause between probes.
    """
    # No stronger lock: transactions that claim probes reference the connection, and would wait for it.
    connection = await session.get(Connection, connection_id, with_for_update={"key_share": True})
    if connection is None or connection.revision != revision or connection.deleted_at is not None:
        return
    now = clock.now()
    before = await session.get(ConnectionHealth, connection_id)
    error = _error(report)
    probe = await probe_of(session, connection)
    _count(probe, _code(error), now, pause)
    status = FAILING if error else HEALTHY
    if before is not None and (before.status, before.error) == (status, error):
        return
    since = before.since if before is not None and before.status == status else now
    if (probe.announced or HEALTHY) != status:
        previous = before.status if before else probe.announced
        await _announce(session, connection, Health(status, since, error), previous, now, webhook=webhook)
        probe.announced = status
    if before is None or (before.status, _code(before.error)) != (status, _code(error)):
        session.add(_change(connection, status, error, now))
    await session.merge(
        ConnectionHealth(
            connection_id=connection_id,
            organization_id=connection.organization_id,
            status=status,
            since=since,
            error=error,
        )
    )
    await session.flush()


def _count(probe: HealthProbe, code: str | None, now: int, pause: int | None) -> None:
    """Store the time of a test, and delay the next probe after a refused login."""
    probe.checked_at = now
    if code in REFUSED_LOGINS:
        probe.refused += 1
        if pause is not None:
            probe.next_at = now + backoff(pause, probe.refused)
    elif probe.refused:
        probe.refused = 0
        probe.next_at = min(probe.next_at, now + pause if pause is not None else now)


async def forget(session: AsyncSession, connection_id: str) -> None:
    """Reset a connection's health to unknown after its settings changed; the history stays."""
    await session.execute(delete(ConnectionHealth).where(ConnectionHealth.connection_id == connection_id))


def _error(report: TestReport) -> dict[str, Any] | None:
    step = report.failure
    return {"step": step.name, "code": step.code, "message": step.message} if step else None


def _code(error: Mapping[str, Any] | None) -> Any:
    return error and error["code"]


async def probe_of(session: AsyncSession, connection: Connection) -> HealthProbe:
    """The probe entry of a connection.

    A connection without one gets an entry that is due now; safe to call concurrently.
    """
    known = await session.get(HealthProbe, connection.id)
    if known is not None:
        return known
    made = HealthProbe(
        connection_id=connection.id,
        organization_id=connection.organization_id,
        revision=connection.revision,
        next_at=clock.now(),
        refused=0,
    )
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError:
        return await session.get_one(HealthProbe, connection.id)
    return made


def _change(connection: Connection, status: str, error: dict[str, Any] | None, now: int) -> HealthChange:
    return HealthChange(
        id=str(uuid.uuid4()),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        at=now,
        status=status,
        error=error,
    )


async def _announce(
    session: AsyncSession, connection: Connection, health: Health, previous: str | None, now: int, *, webhook: bool
) -> None:
    data = {
        "connectionId": connection.id,
        "name": connection.name,
        "dialect": connection.dialect,
        "status": health.status,
        "previous": previous,
        "since": clock.iso(health.since),
        "error": health.error,
    }
    body = written(EVENT, now, data)
    if webhook:
        session.add(for_operator(connection.organization_id, body, now))
    await announce(session, connection.organization_id, EVENT, body, now)


def for_operator(organization_id: str, body: str, now: int) -> Delivery:
    """A message for the webhook of the settings."""
    return Delivery(
        id=str(uuid.uuid4()), organization_id=organization_id, body=body, attempts=0, next_at=now, created_at=now
    )
