"""What probing costs: processor time a probe, and the share of a core that 10,000 healthy connections take thereby.

A cold probe logs in to the database. A warm one finds that a query was answered within the period, or pings a session
that is open. The metadata is in SQLite, the database that is probed a PostgreSQL whose own time is not counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sqlalchemy import func, select, update

from benchmarks import report, seed
from moorings import app, dialects
from moorings.access import service as access
from moorings.access.service import Actor
from moorings.connections import service as connections
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.engine.service import Engine, Target
from moorings.health.models import ConnectionHealth, HealthProbe
from moorings.health.probing import Prober
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.testing.engines import Server
from tests.warehouses.postgres.server import postgresql

PROBED, PINGED = 500, 60
"""Connections. Those that are pinged have a session each."""
ALL, PERIOD = 10_000, 300.0
"""The promise: so many connections, each probed within so many seconds."""
SHORT_PERIOD = 3.0
"""A session that was idle for longer than the period is pinged; here that is soon."""
AT_ONCE = 8


def measure(directory: Path, *, rounds: int) -> list[report.Line]:
    """The shares of a core, cold and warm."""
    with postgresql(tls=False) as server:
        used, cold = _measured(
            directory / "used", server, PROBED, AT_ONCE, lambda probing: _cold_and_used(probing, rounds)
        )
        pinged, _ = _measured(directory / "pinged", server, PINGED, PINGED, lambda probing: _pinged(probing, rounds))
    what = f"{ALL:,} connections probed within {PERIOD:.0f} s, PostgreSQL"
    return [
        _line(f"{what}: cold (a login each)", cold, 0.3),
        _line(f"{what}: warm, a query within the period", used, 0.03),
        _line(f"{what}: warm, a ping of an open session each", pinged, 0.03),
    ]


def _line(what: str, seconds: Sequence[float], at_most: float) -> report.Line:
    shares = [ALL * each / PERIOD for each in seconds]
    each = report.number(1000 * sorted(seconds)[len(seconds) // 2])
    return report.Line(what, shares, at_most=at_most, unit="cores", absolute=f"{each} ms of processor a probe")


Costs = tuple[list[float], list[float]]
"""Seconds of processor a probe, round by round: warm, cold."""


def _measured(
    data: Path,
    server: Server,
    number: int,
    sessions: int,
    costs: Callable[[Probing], Awaitable[Costs]],
) -> Costs:
    data.mkdir()
    settings = Settings(
        _env_file=None,
        data_dir=data,
        sample=False,
        max_sessions=sessions,
        health_probe_concurrency=AT_ONCE,
    )
    app.prepare(settings)

    async def work() -> Costs:
        probing = Probing(settings)
        try:
            await probing.fill(server, number)
            return await costs(probing)
        finally:
            await probing.close()

    return asyncio.run(work())


async def _cold_and_used(probing: Probing, rounds: int) -> Costs:
    await probing.probe(PERIOD)
    cold = [await probing.probe(PERIOD) for _ in range(rounds)]
    await probing.use()
    return [await probing.probe(PERIOD) for _ in range(rounds)], cold


async def _pinged(probing: Probing, rounds: int) -> Costs:
    await probing.probe(PERIOD)
    await probing.use()
    pinged: list[float] = []
    for _ in range(rounds):
        await asyncio.sleep(1.1 * SHORT_PERIOD)
        pinged.append(await probing.probe(SHORT_PERIOD))
    return pinged, []


class Probing:
    """What a worker has for probing, beside connections that all lead to one server."""

    def __init__(self, settings: Settings) -> None:
        self.database, self.keyset = Database(settings.database), Keyset.read(settings.keyset_path)
        self.engine = Engine(settings)
        self._number = 0

    async def close(self) -> None:
        """Log out."""
        await self.engine.close()
        await self.database.close()

    async def fill(self, server: Server, number: int) -> None:
        """Store the connections, as the API does."""
        body = {"dialect": "postgres", "host": server.host, "port": server.port, "database": server.database}
        body |= {"username": server.username, "passwordUnencrypted": server.password}
        async with self.database.unit_of_work() as session:
            actor = Actor(await access.the_organization(session), "", None, admin=True, roles={})
            for position in range(number):
                config = dialects.read(body | {"name": seed.name(position)})
                await connections.create(session, self.keyset, actor, config)
        self._number = number

    async def use(self) -> None:
        """Lease a session of each connection, as a query does."""
        async with self.database.reading() as session:
            stored = list(await session.scalars(select(Connection)))
            targets = [await connections.opened(session, self.keyset, connection) for connection in stored]
        free = asyncio.Semaphore(AT_ONCE)

        async def lease(target: Target) -> None:
            async with free, self.engine.lease(target):
                pass

        await asyncio.gather(*map(lease, targets))

    async def probe(self, period: float) -> float:
        """Make every connection due, and probe them all; returns seconds of processor a connection."""
        async with self.database.unit_of_work() as session:
            await session.execute(update(HealthProbe).values(next_at=0))
        began = time.process_time()
        prober = Prober(self.database, self.engine, self.keyset, period, webhook=False, at_once=AT_ONCE)
        await prober.probe_due()
        took = time.process_time() - began
        async with self.database.reading() as session:
            healthy = await session.scalar(
                select(func.count()).select_from(ConnectionHealth).where(ConnectionHealth.status == "healthy")
            )
        if healthy != self._number:
            raise RuntimeError(f"{healthy} of {self._number} connections are healthy")
        return took / self._number
