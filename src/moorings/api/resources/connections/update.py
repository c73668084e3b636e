"""PATCH /connections/{id}."""

from __future__ import annotations

import msgspec

from moorings.access.policy import Permission
from moorings.api.http.answers import Changed
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.resources import moves as moving
from moorings.api.resources.connections import changes, details
from moorings.api.resources.connections.consequences import drop_sessions, warnings_of
from moorings.api.resources.connections.create import require_passing
from moorings.connections import service
from moorings.environments import moves
from moorings.errors import NeedsCredentials, PreconditionFailed
from moorings.health.service import forget

REPOINTED = "users who are routed to it now reach its new destination"


async def update(call: Call) -> Changed:
    """Change settings, credentials, the base role or the environment attribute of a connection.

    Fields that are left out keep their values. With `test=true` only if the configuration that results passes its test.
    """
    query = Fields(call.query(), ("test",))
    test_first = query.flag("test", default=False)
    query.done()
    tested = await _tested_revision(call) if test_first else None
    async with call.services.db.unit_of_work() as session:
        call.transaction = session
        call.subject = await service.permitted(session, call.actor, call.ids["id"], Permission.CHANGE)
        changed = await _change(call, tested)
    for act in call.after_commit:
        await act()
    return changed


async def _tested_revision(call: Call) -> int:
    """The revision of the connection whose change passed its test. Raises ConnectionTestFailed or NeedsCredentials."""
    async with call.services.db.reading() as session:
        call.transaction = session
        call.subject = await service.permitted(session, call.actor, call.ids["id"], Permission.CHANGE)
        revision = call.connection.revision
        config = (await changes.read(call)).config
        if config is None:
            config = (await service.opened(session, call.services.keyset, call.connection)).config
    if config.lacks_credentials:
        raise NeedsCredentials
    await require_passing(call, config)
    return revision


async def _change(call: Call, tested: int | None) -> Changed:
    # Of two concurrent changes, the second is checked against the result of the first.
    await service.hold(call.session, call.connection)
    requested = await changes.read(call)
    await details.require_match(call)
    before = call.connection.revision
    if tested is not None and tested != before:
        raise PreconditionFailed
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
