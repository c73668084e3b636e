"""Admits requests by their key: authentication and rate limits, the same for every protocol of the service."""

from __future__ import annotations

from dataclasses import dataclass

from moorings import clock
from moorings.access.key_uses import KeyUses
from moorings.access.limits import RateLimits
from moorings.access.service import Actor, authenticate, token_hash
from moorings.db import Database, Versions
from moorings.errors import InvalidToken

OVER_MCP = "moorings.mcp"
"""The key in the ASGI scope of requests that the tools of `/mcp` make. Clients cannot set it."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request with a valid key."""

    actor: Actor
    version: Versions
    """The database's versions when the request arrived, for caches."""


async def authenticated(db: Database, limits: RateLimits, uses: KeyUses, token: str, address: str) -> Admitted:
    """The actor of a key, from the cache if nothing has changed. The use of the key is noted.

    The caller counts the request, and calls the actor's `require_scope` with the scopes of the operation.

    Raises InvalidToken, or RateLimited: failed keys are limited by the address they come from, so that they never hold
    back a good key from there.
    """
    hashed = token_hash(token)
    version = await db.version()

    async def load() -> Actor:
        async with db.reading() as session:
            return await authenticate(session, hashed)

    try:
        actor = await db.cached(hashed, version.access, load)
        actor.require_unexpired(now := clock.now())
    except InvalidToken:
        await limits.count_failure(address)
        raise
    uses.note(actor, now)
    return Admitted(actor, version)
