"""Jobs of queries in the metadata database, so that one replica can wait for a job that another replica runs.

The SQL and the result are sealed. A process that runs a job writes a heartbeat; without one the job is lost, and a
process that waits for it runs it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import and_, delete, or_, select, update

from moorings import clock
from moorings.db import Database
from moorings.db.connecting import AWAY
from moorings.queries import owners
from moorings.queries.models import StoredQueryJob
from moorings.secrets import Keyset, Sealed

log = structlog.get_logger(__name__)

TABLE = "query_jobs"
HEARTBEAT_SECONDS = 5.0
LOST_AFTER = 4 * HEARTBEAT_SECONDS * 1000
"""Milliseconds after the last heartbeat, after which a job counts as lost."""
KEPT = 15 * 60 * 1000
"""Milliseconds that a job is kept after its end."""
MOST_BYTES = 8 * 1024 * 1024
"""A larger outcome is not stored: another replica runs the query again."""


@dataclass(frozen=True, slots=True)
class Found:
    """A job of this or another replica. `outcome` is None while it runs, and if it was lost or is too large."""

    id: str
    request: str
    running: bool
    outcome: str | None


class JobStore:
    """This process's jobs, as other processes see them."""

    def __init__(self, db: Database, keyset: Keyset, owner: str = "") -> None:
        self._db = db
        self._keyset = keyset
        self._owner = owner or owners.this_process()

    async def start(self, job_id: str, organization_id: str, key_id: str, request: str) -> None:
        """Store that this process runs a job, for the first time or again; also deletes what is no longer kept."""
        now = clock.now()
        values = {
            "organization_id": organization_id,
            "key_id": key_id,
            "owner": self._owner,
            "seen_at": now,
            "ended_at": None,
            "request": self._seal(request, "request", job_id),
            "outcome": None,
        }
        over = or_(
            StoredQueryJob.ended_at < now - KEPT,
            and_(StoredQueryJob.ended_at.is_(None), StoredQueryJob.seen_at < now - KEPT),
        )
        async with self._db.unit_of_work() as session:
            await session.execute(delete(StoredQueryJob).where(or_(over, StoredQueryJob.id == job_id)))
            session.add(StoredQueryJob(id=job_id, **values))

    async def heartbeat(self, job_id: str) -> None:
        """Store that a job still runs here."""
        await self._change(job_id, {"seen_at": clock.now()})

    async def end(self, job_id: str, outcome: str | None) -> None:
        """Store the outcome of a job, unless it is too large."""
        kept = outcome is not None and len(outcome) <= MOST_BYTES
        sealed = self._seal(outcome, "outcome", job_id) if outcome is not None and kept else None
        await self._change(job_id, {"ended_at": clock.now(), "outcome": sealed})

    async def find(self, key_id: str, ids: Sequence[str]) -> dict[str, Found]:
        """The jobs of a key with these ids, whichever process runs them."""
        wanted = (StoredQueryJob.id.in_(ids), StoredQueryJob.key_id == key_id)
        async with self._db.reading() as session:
            rows = list(await session.scalars(select(StoredQueryJob).where(*wanted)))
        now = clock.now()
        return {row.id: self._found(row, now) for row in rows if (row.ended_at or now) >= now - KEPT}

    def _found(self, row: StoredQueryJob, now: int) -> Found:
        lost = row.seen_at < now - LOST_AFTER or (row.owner != self._owner and owners.is_dead(row.owner))
        outcome = self._open(row.outcome, "outcome", row.id) if row.outcome is not None else None
        running = row.ended_at is None and not lost
        return Found(row.id, self._open(row.request, "request", row.id), running, outcome)

    async def _change(self, job_id: str, values: dict[str, object]) -> None:
        mine = (StoredQueryJob.id == job_id, StoredQueryJob.owner == self._owner)
        try:
            async with self._db.unit_of_work() as session:
                await session.execute(update(StoredQueryJob).where(*mine).values(values))
        except AWAY as refused:  # the job goes on here; another replica runs it again
            log.warning("query_job_not_stored", reason=type(refused).__name__)

    def _seal(self, text: str, column: str, row: str) -> Sealed:
        return self._keyset.seal(text, table=TABLE, column=column, row=row)

    def _open(self, sealed: Sealed, column: str, row: str) -> str:
        return self._keyset.open(sealed, table=TABLE, column=column, row=row)
