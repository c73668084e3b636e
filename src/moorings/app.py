"""The service as an ASGI app: what is made, and how it is wired together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp

from moorings import settings as environment
from moorings.access import installation
from moorings.api import (
    attributes,
    catalog,
    connections,
    dbt,
    dialects,
    environments,
    keys,
    pages,
    queries,
    routing,
    schedules,
)
from moorings.api.limits import RateLimits
from moorings.api.lingering import Lingering
from moorings.api.state import Services
from moorings.connections.revisions import Revisions
from moorings.db import Database
from moorings.dbt.service import erase as erase_dbt
from moorings.engine.service import Engine
from moorings.errors import OperatorError
from moorings.migrations import migrate
from moorings.queries.service import Queries
from moorings.secrets import Keyset
from moorings.settings import Settings

ROUTES = (
    *connections.ROUTES,
    *dialects.ROUTES,
    *keys.ROUTES,
    *attributes.ROUTES,
    *environments.ROUTES,
    *queries.ROUTES,
    *catalog.ROUTES,
    *schedules.ROUTES,
    *dbt.ROUTES,
)
"""Every operation of the API."""


def prepare(settings: Settings) -> str | None:
    """Bring the data directory and the database to where the app can start; safe to repeat, and from several replicas.

    Returns the token of the first key if it was made just now. Raises OperatorError.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.duckdb_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as refused:
        raise OperatorError(f"cannot make the data directory {refused.filename}: {refused.strerror}") from None
    migrate(settings.database)
    return asyncio.run(_prepare(settings))


async def _prepare(settings: Settings) -> str | None:
    database = Database(settings.database)
    try:
        async with database.alone() as session:  # replicas that start together make one keyset and one first key
            await installation.make_fingerprint_key(session, await installation.keyset(session, settings))
            return await installation.first_key(session, settings)
    finally:
        await database.close()


def create_app(settings: Settings) -> ASGIApp:
    """The app for settings that `prepare` has prepared."""
    database = Database(settings.database)
    services = Services(
        settings=settings,
        db=database,
        keyset=Keyset.read(settings.keyset_path),
        engine=(engine := Engine(settings)),
        limits=RateLimits(settings),
        queries=(running := Queries(database, engine, settings)),
        erasers=(erase_dbt,),
    )

    revisions = Revisions(database, engine)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        await running.start()
        revisions.start()
        yield
        await revisions.close()
        await running.close()
        await engine.close()
        await database.close()

    return Lingering(
        Router(
            routes=[*routing.endpoints(services, ROUTES), *_pages(services)],
            redirect_slashes=False,
            default=routing.not_found,
            lifespan=lifespan,
        )
    )


def _pages(services: Services) -> list[StarletteRoute]:
    return [StarletteRoute(path, pages.Page(services, answer)) for path, answer in pages.pages(ROUTES).items()]


def from_environment() -> ASGIApp:
    """The app for the settings of the environment: what a server's worker process loads."""
    return create_app(environment.load())
