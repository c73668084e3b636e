"""DELETE /connections/{id}, restore, and dependents."""

from __future__ import annotations

import msgspec

from moorings.access import service as access
from moorings.api.http.call import Call
from moorings.api.resources.connections import changes, details
from moorings.api.resources.connections.consequences import drop_sessions, warnings_of
from moorings.api.resources.connections.shapes import (
    Archived,
    DependentsShape,
    OneConnection,
)
from moorings.connections import service
from moorings.dbt import service as dbt
from moorings.environments import service as environments
from moorings.health.service import forget
from moorings.queries import service as queries
from moorings.schedules import service as schedules

ARCHIVED = "users who are routed to it get 410 until it is restored"


async def archive(call: Call) -> Archived:
    """Archive a connection. It no longer appears in lists, and its secrets are erased."""
    await details.require_match(call)
    await service.archive(call.session, call.connection, call.services.erasers)
    drop_sessions(call)
    return Archived(warnings=await warnings_of(call, ARCHIVED) or msgspec.UNSET)


async def restore(call: Call) -> OneConnection:
    """Restore an archived connection. Send its credentials in the body, or later with PATCH."""
    config = await changes.restored(call)
    await service.restore(call.session, call.services.keyset, call.connection, config)
    await forget(call.session, call.connection.id)
    return OneConnection(await details.details(call, call.session))


async def dependents(call: Call) -> DependentsShape:
    """The environments, schedules and other resources that depend on a connection. Read it before you archive one."""
    below, above = await environments.dependents(call.session, call.connection)
    user_roles, group_roles = await access.roles_on(call.session, call.connection.id)
    return DependentsShape(
        environments=below,
        environment_of=above,
        dbt=await dbt.repository(call.session, call.connection) is not None,
        schedules=[schedule.id for schedule in await schedules.listed(call.session, call.connection)],
        user_roles=user_roles,
        group_roles=group_roles,
        running_queries=await queries.running_on(call.session, call.connection.id),
    )
