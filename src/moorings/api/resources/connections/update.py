"""PATCH /connections/{id}."""

from __future__ import annotations

import msgspec

from moorings.api.http.answers import Changed
from moorings.api.http.call import Call
from moorings.api.resources import moves as moving
from moorings.api.resources.connections import changes, details
from moorings.api.resources.connections.consequences import drop_sessions, warnings_of
from moorings.connections import service
from moorings.environments import moves
from moorings.health.service import forget

REPOINTED = "users who are routed to it now reach its new destination"


async def update(call: Call) -> Changed:
    """Change settings, credentials, the base role or the environment attribute of a connection.

    Fields that are left out keep their values.
    """
    # Of two changes at once, the second is checked with what the first left.
    await service.hold(call.session, call.connection)
    requested = await changes.read(call)
    await details.require_match(call)
    before = call.connection.revision
    places: moves.Places = (
        await moves.places(call.session, call.connection) if requested.environment is not None else {}
    )
    changed = await service.change(call.session, call.services.keyset, call.connection, requested)
    warnings: list[str] = []
    if call.connection.revision != before:
        drop_sessions(call)
        await forget(call.session, call.connection.id)
        warnings += await warnings_of(call, REPOINTED)
    if places:
        warnings += moving.sentences(call.actor, await moves.unmatched(call.session, call.connection, places))
    return Changed(message=changes.message(changed), warnings=warnings or msgspec.UNSET)
