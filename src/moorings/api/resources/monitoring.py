"""Liveness, readiness and metrics for orchestrators and Prometheus, without a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import text
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from moorings import __version__
from moorings.api.http.answers import Shape
from moorings.api.http.call import Rendered
from moorings.api.http.state import Services
from moorings.db.connecting import AWAY
from moorings.errors import OperatorError
from moorings.health.service import live
from moorings.jobs.service import queued
from moorings.migrations import HEAD
from moorings.telemetry import exposition, metrics

PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


class Health(Shape):
    """Whether the service is healthy."""

    status: str
    version: str


class Readiness(Shape):
    """Whether requests should be sent here, and the reason if not."""

    status: str
    checks: dict[str, str]


async def health(services: Services) -> Rendered:
    """200 when the metadata database answers, else 503."""
    try:
        await services.db.version()
    except OperatorError:
        return Rendered(msgspec.json.encode(Health("database unreachable", __version__)), 503)
    return Rendered(msgspec.json.encode(Health("ok", __version__)))


async def livez(_: Services) -> Rendered:
    """200 as long as the process answers, even without its database: a restart would not help."""
    return Rendered(msgspec.json.encode(Health("ok", __version__)))


async def readyz(services: Services) -> Rendered:
    """200 when requests should be sent here, else 503 with the reason."""
    checks = {"draining": "draining" if services.draining.is_set() else "ok", **await _database(services)}
    ready = all(found == "ok" for found in checks.values())
    answer = Readiness("ready" if ready else "not ready", checks)
    return Rendered(msgspec.json.encode(answer), 200 if ready else 503)


async def _database(services: Services) -> Mapping[str, str]:
    try:
        async with services.db.reading() as session:
            stored = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except AWAY:
        return {"database": "unreachable", "migrations": "unknown"}
    same = stored == HEAD
    return {"database": "ok", "migrations": "ok" if same else f"the schema is {stored}, this version needs {HEAD}"}


async def prometheus(services: Services) -> Rendered:
    """The metrics of all worker processes of this service."""
    await measure(services)
    others = await services.peers.families()
    metrics.workers.set(1)
    return Rendered(exposition.render([metrics.families(), *others]), media_type=PROMETHEUS)


async def of_worker(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app for a worker without the API: its own metrics, and whether it is alive."""
    answers = {
        "/metrics": lambda: Response(exposition.render([metrics.families()]), media_type=PROMETHEUS.decode()),
        "/livez": lambda: Response(msgspec.json.encode(Health("ok", __version__)), media_type="application/json"),
    }
    found = answers.get(scope["path"]) if scope["method"] in {"GET", "HEAD"} else None
    await (found() if found else Response(status_code=404))(scope, receive, send)


async def measure(services: Services) -> None:
    """Set the gauges of this process to the current values."""
    stored = await _stored(services)
    metrics.healthy.clear()
    for connection_id, (dialect, healthy) in stored.health.items():
        metrics.healthy.labels(connection_id, dialect).set(healthy)
    metrics.jobs_queued.set(stored.jobs)
    metrics.sessions.clear()
    for connection_id, counts in services.engine.sessions().items():
        metrics.sessions.labels(connection_id, counts.dialect, "idle").set(counts.idle)
        metrics.sessions.labels(connection_id, counts.dialect, "in_use").set(counts.in_use)
    metrics.pool_waiting.set(services.engine.waiting())
    metrics.running_queries.set(services.queries.count())
    metrics.abandoned_threads.set(services.engine.abandoned())


class Stored(NamedTuple):
    """The values from the metadata database."""

    health: Mapping[str, tuple[str, bool]]
    """Connection → its dialect, and whether it is healthy."""
    jobs: int


async def _stored(services: Services) -> Stored:
    """Read the values once per version of the database, however often Prometheus scrapes."""

    async def load() -> Mapping[str, tuple[str, bool]]:
        async with services.db.reading() as session:
            return await live(session)

    try:
        health = await services.db.cached(("healthy",), await services.db.version(), load)
        async with services.db.reading() as session:
            return Stored(health, await queued(session))
    except AWAY:  # the other values do not need the metadata database
        return Stored({}, 0)
