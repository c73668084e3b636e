"""The right that a query or a connection test runs or waits by; it stops once the right is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.policy import Permission, Scope
from moorings.connections import service as connections
from moorings.environments import service as environments
from moorings.errors import (
    Archived,
    InvalidToken,
    MooringsError,
    NotFound,
    PermissionDenied,
    QueryCancelled,
    WarehouseError,
)

if TYPE_CHECKING:
    from moorings.queries.query import Query

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claim:
    """The inputs of a query's right: its key, the connection that it names, and the one that it was routed to."""

    key_id: str
    base_id: str | None
    """None for a test of settings that no connection has yet, which takes an organization admin."""
    environment: str | None
    """The environment that the caller chose explicitly."""
    connection_id: str | None
    """None if the right is one to the base connection, wherever queries go."""
    permission: Permission = Permission.QUERY


async def holds(session: AsyncSession, claim: Claim) -> bool:
    """Whether the same request would still be allowed, and routed to the same connection."""
    try:
        actor = await access.actor(session, claim.key_id)
        if not any(actor.limits.allow((Scope.QUERY,), over_mcp=over_mcp) for over_mcp in (False, True)):
            return False
        if claim.base_id is None:
            actor.require_admin()
            return True
        base = await connections.permitted(session, actor, claim.base_id, claim.permission)
        if claim.connection_id is None:
            return True
        found = await environments.permitted(session, actor, base, claim.permission, claim.environment)
    except (InvalidToken, NotFound, PermissionDenied, Archived):
        return False
    return found.id == claim.connection_id


def _future() -> asyncio.Future[WarehouseError]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class Watch:
    """One query's claim, for as long as the query waits or runs."""

    claim: Claim
    checked: int
    """The version of access at the claim's last check: at first the request's own."""
    query: Query | None = None
    """The running query, once it has a session."""
    lost: asyncio.Future[WarehouseError] = field(default_factory=_future)
    """Done, with the reason, once the query must stop: its right is lost, or it was cancelled."""

    def require(self) -> None:
        """Raise the reason if the query must stop."""
        if self.lost.done():
            raise self.lost.result()

    async def unless_lost(self, work: Awaitable[T]) -> T:
        """Await something; if the query must stop meanwhile, cancel the wait and raise the reason."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise self.lost.result()
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, MooringsError):
                    await task

    async def stop(self, reason: QueryCancelled | None = None) -> None:
        """Stop the query, whether it waits for a session or runs."""
        reason = reason or QueryCancelled()
        if not self.lost.done():
            self.lost.set_result(reason)
        if self.query is not None:
            await self.query.cancel(reason)
