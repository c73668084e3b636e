"""POST /connections."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from moorings import dialects
from moorings.access.policy import Permission
from moorings.api.http import idempotency
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.resources.connections.shapes import (
    Created,
)
from moorings.api.resources.connections.test import reported
from moorings.connections import service
from moorings.dialects.config.connection import ConnectionConfig
from moorings.errors import (
    ConnectionTestFailed,
)
from moorings.queries.rights import Claim


async def create(call: Call) -> bytes:
    """Store a connection. With `test=true` it is stored only if its connection test passes."""
    query = Fields(call.query(), ("test",))
    test_first = query.flag("test", default=False)
    query.done()
    config = dialects.read(call.body)
    call.services.engine.require_allowed(config)
    if test_first:
        async with call.services.db.reading() as session:
            if answer := await idempotency.earlier(call, session):
                return answer
        await require_passing(call, config)
    async with call.services.db.unit_of_work() as session:
        return await idempotency.answered(call, session, lambda: _store(call, session, config))


async def _store(call: Call, session: AsyncSession, config: ConnectionConfig) -> Created:
    return Created(data=await service.create(session, call.services.keyset, call.actor, config))


async def require_passing(call: Call, config: ConnectionConfig) -> None:
    """Raise ConnectionTestFailed unless a configuration passes its test; AccessLost once the right is lost."""
    claim = Claim(call.actor.key_id, call.ids.get("id"), None, None, Permission.CHANGE)
    report = await reported(call, claim, config)
    for step in report.steps:
        if step.status == "failed":
            raise ConnectionTestFailed(step.name, step.message)
