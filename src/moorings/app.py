"""The service as an ASGI app: creates the parts and connects them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp

from moorings import __version__, clock
from moorings import settings as environment
from moorings.access import installation
from moorings.access.key_uses import KeyUses
from moorings.access.limits import RateLimits
from moorings.api.http import routing
from moorings.api.http.access_log import AccessLog
from moorings.api.http.exchange import Exchanges
from moorings.api.http.lingering import DrainRequestMiddleware
from moorings.api.http.listeners import MetricsListener
from moorings.api.http.paths import SegmentedPaths
from moorings.api.http.query_jobs import QueryJobs
from moorings.api.http.state import Services
from moorings.api.resources import (
    attributes,
    catalog,
    dbt,
    dbt_profiles,
    dialects,
    email_only,
    environments,
    health,
    jobs,
    keys,
    mcp,
    pages,
    queries,
    query_jobs,
    roles,
    route,
    schedules,
    webhooks,
    whoami,
)
from moorings.api.resources.connections import routes as connections
from moorings.api.scim import endpoint as scim
from moorings.api.scim import routes as scim_routes
from moorings.catalog.models import CatalogChange
from moorings.connections.revisions import Revisions
from moorings.db import Database
from moorings.dbt.service import erase as erase_dbt
from moorings.engine import egress
from moorings.engine.service import Engine
from moorings.errors import OperatorError
from moorings.flight import FlightServices, start_flight
from moorings.health.models import HealthChange
from moorings.health.probing import Prober
from moorings.health.webhook import Webhook
from moorings.jobs import events
from moorings.jobs import service as jobs_of
from moorings.jobs.models import Job
from moorings.mcp.server import Mcp
from moorings.migrations import migrate
from moorings.queries.service import Queries
from moorings.queries.stored_jobs import JobStore
from moorings.schedules import due
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.settings.database import parsed
from moorings.telemetry import metrics, tracing
from moorings.telemetry.peers import Peers
from moorings.webhooks.delivery import Deliverer
from moorings.webhooks.models import WebhookMessage
from moorings.worker import PeriodicTask, Worker

if TYPE_CHECKING:
    from moorings.flight.server import Server as FlightServer

log = structlog.get_logger(__name__)

T = TypeVar("T")

API = (
    *connections.ROUTES,
    *dialects.ROUTES,
    *keys.ROUTES,
    *whoami.ROUTES,
    *attributes.ROUTES,
    *route.ROUTES,
    *roles.ROUTES,
    *email_only.ROUTES,
    *environments.ROUTES,
    *queries.ROUTES,
    *query_jobs.ROUTES,
    *catalog.ROUTES,
    *health.ROUTES,
    *jobs.ROUTES,
    *webhooks.ROUTES,
    *schedules.ROUTES,
    *dbt.ROUTES,
    *dbt_profiles.ROUTES,
)
"""Every operation below `/api/v1`."""

ROUTES = (*API, *scim_routes.ROUTES)
"""Every operation."""

FLIGHT_PORT = 31337
"""The port of `moorings flight` without a setting: the usual one of Flight SQL."""
TIDY_SECONDS = 3600.0
"""How often a worker deletes rows that are older than the settings allow."""


def prepare(settings: Settings, keep: Callable[[str], None] = lambda token: None) -> str | None:
    """Prepare the data directory and the database for the app; safe to repeat, and from several replicas.

    Returns the token of the first key if this call created it; `keep` gets the token before the key is stored. Raises
    OperatorError.
    """

    async def first_key(session: AsyncSession, settings: Settings) -> str | None:
        token = await installation.first_key(session, settings)
        if token is not None:
            keep(token)
        return token

    prepare_worker(settings)
    return asyncio.run(_alone(settings, first_key))


def prepare_worker(settings: Settings) -> None:
    """The same for workers without the API. It creates no key, since nobody would see it. Raises OperatorError."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.duckdb_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.duckdb_temp_directory.mkdir(mode=0o700, exist_ok=True)
        if settings.database_file is not None:  # SQLite would create it readable for everybody
            settings.database_file.touch(mode=0o600)
    except OSError as refused:
        raise OperatorError(f"cannot make {refused.filename}: {refused.strerror}") from None
    migrate(settings.database)
    asyncio.run(_alone(settings, _keyset))


async def _alone(settings: Settings, act: Callable[[AsyncSession, Settings], Awaitable[T]]) -> T:
    """Replicas that start together make one keyset and one first key."""
    database = Database(settings.database)
    try:
        async with database.alone() as session:
            return await act(session, settings)
    finally:
        await database.close()


async def _keyset(session: AsyncSession, settings: Settings) -> None:
    await installation.make_fingerprint_key(session, await installation.keyset(session, settings))


def create_app(settings: Settings, draining: asyncio.Event | None = None, workers: Path | None = None) -> ASGIApp:
    """The app for settings that `prepare` has prepared.

    `draining` is set when it should get no new requests. Worker processes of one service share the folder `workers`.
    """
    database = Database(settings.database)
    services = Services(
        settings=settings,
        db=database,
        keyset=(keyset := Keyset.read(settings.keyset_path)),
        engine=(engine := Engine(settings)),
        limits=RateLimits(settings),
        key_uses=(key_uses := KeyUses(database)),
        query_jobs=QueryJobs(
            settings.max_buffer_bytes,
            None if database.embedded and settings.workers == 1 else JobStore(database, keyset),
        ),
        queries=(running := Queries(database, engine, settings)),
        job_asked=(wake := asyncio.Event()),
        erasers=(erase_dbt,),
        draining=draining or asyncio.Event(),
        peers=(peers := Peers(workers)),
    )
    access_log = _access_log(settings)
    revisions = Revisions(database, engine)
    worker = _worker(settings, database, engine, keyset, wake)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        await running.start()
        revisions.start()
        key_uses.start()
        if settings.worker:
            worker.start()
        flight = _flight(settings, services, access_log) if settings.flight_port else None
        async with peers.answering():
            log.info("started", **_described(settings), address=f"{settings.host}:{settings.port}")
            yield
        if flight is not None:
            flight.refuse()
        await agents.close()
        await worker.close()
        await revisions.close()
        await services.query_jobs.close()
        await running.close()
        if flight is not None:
            await flight.close()
        await services.limits.close()
        await key_uses.close()
        await engine.close()
        await database.close()
        if access_log is not None:
            access_log.flush()
        await asyncio.to_thread(tracing.stop)
        log.info("stopped", pid=os.getpid())

    agents = Mcp()
    agents.app = _observed(services, agents, lifespan, access_log)
    return agents.app


def _observed(services: Services, agents: ASGIApp, lifespan: Any, access_log: AccessLog | None) -> ASGIApp:
    """All routes, and what every request passes before them."""
    router = Router(
        routes=[*routing.endpoints(services, API), *_pages(services), mcp.route(services, agents)],
        redirect_slashes=False,
        default=scim.before(routing.not_found, services),
        lifespan=lifespan,
    )
    settings = services.settings
    port = settings.metrics_port
    served = router if port is None else MetricsListener(router, port)
    return Exchanges(DrainRequestMiddleware(SegmentedPaths(served)), access_log, settings.trusted_networks)


async def work(settings: Settings, stopped: asyncio.Event) -> None:
    """Run jobs until the process is stopped, without the API. Call `prepare` first."""
    database, engine = Database(settings.database), Engine(settings)
    revisions = Revisions(database, engine)
    worker = _worker(settings, database, engine, Keyset.read(settings.keyset_path), asyncio.Event())
    revisions.start()
    worker.start()
    log.info("started", **_described(settings), jobs=settings.worker_jobs)
    await stopped.wait()
    await worker.close()
    await revisions.close()
    await engine.close()
    await database.close()
    await asyncio.to_thread(tracing.stop)
    log.info("stopped", pid=os.getpid())


async def fly(settings: Settings, stopped: asyncio.Event) -> None:
    """Serve Flight SQL until the process is stopped, without the API. Call `prepare_worker` first."""
    database, engine = Database(settings.database), Engine(settings)
    revisions, running = Revisions(database, engine), Queries(database, engine, settings)
    limits, key_uses, access_log = RateLimits(settings), KeyUses(database), _access_log(settings)
    await running.start()
    key_uses.start()
    revisions.start()
    flight = start_flight(
        settings,
        FlightServices(
            settings,
            database,
            Keyset.read(settings.keyset_path),
            engine,
            limits,
            key_uses,
            running,
            access_log.note if access_log else None,
        ),
    )
    log.info("started", **_described(settings), flight_port=settings.flight_port)
    await stopped.wait()
    flight.refuse()
    await revisions.close()
    await running.close()
    await flight.close()
    await key_uses.close()
    await limits.close()
    await engine.close()
    await database.close()
    if access_log is not None:
        access_log.flush()
    await asyncio.to_thread(tracing.stop)
    log.info("stopped", pid=os.getpid())


def _access_log(settings: Settings) -> AccessLog | None:
    return AccessLog(json=settings.log_format == "json") if settings.log_level in {"debug", "info"} else None


def _flight(settings: Settings, services: Services, access_log: AccessLog | None) -> FlightServer:
    """The Flight SQL server beside the API."""
    note = access_log.note if access_log else None
    own = (services.db, services.keyset, services.engine, services.limits, services.key_uses, services.queries)
    return start_flight(settings, FlightServices(settings, *own, note))


def _described(settings: Settings) -> dict[str, Any]:
    """The fields of the log line about this process."""
    return {"version": __version__, "pid": os.getpid(), "database": str(parsed(settings.database))}


def _worker(settings: Settings, database: Database, engine: Engine, keyset: Keyset, wake: asyncio.Event) -> Worker:
    return Worker(
        database,
        engine,
        keyset,
        settings,
        wake=wake,
        periodic_tasks=tuple(_periodic_tasks(settings, database, engine, keyset, wake)),
    )


def _periodic_tasks(
    settings: Settings, database: Database, engine: Engine, keyset: Keyset, wake: asyncio.Event
) -> Iterable[PeriodicTask]:
    """The chores of a worker, beside jobs."""

    async def tidy() -> None:
        now = clock.now()
        await database.delete_older(Job.finished_at, now - settings.job_history_days * clock.DAY)
        await database.delete_older(CatalogChange.found_at, now - settings.catalog_changes_days * clock.DAY)
        await database.delete_older(HealthChange.at, now - settings.health_history_days * clock.DAY)
        await database.delete_older(WebhookMessage.created_at, now - settings.health_history_days * clock.DAY)

    async def enqueue_due_refreshes() -> None:
        if await due.run_due(database, clock.now(), jobs_of.enqueue):
            wake.set()

    async def announce_expiring_keys() -> None:
        await events.announce_expiring_keys(database, webhook=settings.webhook_url is not None)

    yield PeriodicTask("tidy", TIDY_SECONDS, tidy)
    yield PeriodicTask("expiring keys", settings.worker_poll_seconds, announce_expiring_keys)
    url, secret, often = settings.webhook_url, settings.webhook_secret, settings.worker_poll_seconds
    yield PeriodicTask("schedules", often, enqueue_due_refreshes)
    deliverer = Deliverer(database, keyset, egress.for_callers(settings))
    yield PeriodicTask("webhooks", often, deliverer.deliver_due)
    if settings.health_probe_seconds:
        prober = Prober(
            database,
            engine,
            keyset,
            settings.health_probe_seconds,
            webhook=url is not None,
            at_once=settings.health_probe_concurrency,
            late=metrics.probe_lag.set,
        )
        yield PeriodicTask("health", often, prober.probe_due)
    if url is not None:
        webhook = Webhook(
            database,
            url.get_secret_value(),
            secret.get_secret_value() if secret else None,
            egress.for_operator(settings),
        )
        yield PeriodicTask("webhook", often, webhook.deliver_due)


def _pages(services: Services) -> list[StarletteRoute]:
    return [StarletteRoute(path, pages.Page(services, answer)) for path, answer in pages.pages(ROUTES).items()]


def from_environment() -> ASGIApp:
    """The app for the settings of the environment; the server's worker processes load it."""
    settings = environment.load()
    environment.leave_environment(settings)
    return create_app(settings)
