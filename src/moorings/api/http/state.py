"""The services that handlers use: `app.create_app` creates them once and passes them to each endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from moorings.access.key_uses import KeyUses
from moorings.access.limits import RateLimits
from moorings.api.http.query_jobs import QueryJobs
from moorings.connections.service import Eraser
from moorings.db import Database
from moorings.engine.service import Engine
from moorings.queries.service import Queries
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.telemetry.peers import Peers


@dataclass(frozen=True, slots=True)
class Services:
    """One process's services."""

    settings: Settings
    db: Database
    keyset: Keyset
    engine: Engine
    limits: RateLimits
    key_uses: KeyUses
    queries: Queries
    erasers: Sequence[Eraser]
    """Functions that erase other rooms' secrets of a connection when it is archived."""

    job_asked: asyncio.Event
    """Set when a job is requested, so that this process's worker checks at once."""

    query_jobs: QueryJobs
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a stop is requested: the process should get no new requests."""
    peers: Peers = field(default_factory=Peers)
    """The other worker processes of the service."""

    async def wake_worker(self) -> None:
        """Let this process's worker look for jobs at once."""
        self.job_asked.set()
