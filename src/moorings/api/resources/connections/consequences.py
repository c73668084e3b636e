"""Consequences of a connection's change: for open sessions, and for the users of its base connections."""

from __future__ import annotations

from moorings.access.policy import Permission
from moorings.api.http.call import Call
from moorings.environments import service as environments


def drop_sessions(call: Call) -> None:
    """After the commit of the change, close sessions that were opened before it."""
    connection_id = call.connection.id
    call.after_commit.append(lambda: call.services.engine.drop(connection_id))


async def warnings_of(call: Call, consequence: str) -> list[str]:
    """Warnings about a change for users who are routed to the connection as an environment."""
    bases = await environments.bases_of(call.session, call.connection)
    named = [f'"{base.name}"' if call.actor.may(Permission.SEE, base) else "another connection" for base in bases]
    return [f"This connection is an environment of {name}: {consequence}" for name in named]
