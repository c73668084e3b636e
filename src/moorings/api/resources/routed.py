"""Routes a request for a connection to the connection that the caller gets, and names it in a response header."""

from __future__ import annotations

from moorings.access.policy import Permission
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.connections.models import Connection
from moorings.engine.service import Target
from moorings.environments import service as environments
from moorings.errors import EnvironmentNotFound, NeedsCredentials, NoEnvironment
from moorings.telemetry import tracing

CONNECTION_ID = "Moorings-Connection-Id"

ENVIRONMENT = Parameter(
    "environment",
    {"type": "string", "format": "uuid"},
    "The environment to use (its id, or its connection's; or the base connection's own), in place of the one that the "
    "caller's attributes choose.",
)
HEADERS = {CONNECTION_ID: "The id of the connection that was used: the one in the path, or one of its environments."}
ERRORS = (EnvironmentNotFound, NoEnvironment, NeedsCredentials)
"""The errors of every route with a routed connection."""


def chosen(query: Fields) -> str | None:
    """The environment that a query names; adds faults to `query`."""
    sent = query.string("environment", shortest=0) or None
    if sent is not None and not UUID.fullmatch(sent):
        query.fault("environment", "uuid")
    return sent.lower() if sent else None


async def routed(call: Call, permission: Permission, environment: str | None) -> Target:
    """The target of the connection that the caller is routed to; a response header names it."""
    services = call.services
    opener = environments.Opener(services.db, services.keyset, services.engine)
    with tracing.span("route", moorings__connection_id=call.connection.id):
        target = await opener.target(call.version.access, call.actor, call.connection, permission, environment)
    _tell(call, target.connection_id)
    return target


async def kept(call: Call, permission: Permission, environment: str | None) -> Connection:
    """The connection that the caller is routed to, cached and read-only; a response header names it."""
    db, version = call.services.db, call.version.access
    found = await environments.kept_route(db, version, call.actor, call.connection, permission, environment)
    _tell(call, found.connection.id)
    return found.connection


async def stored(call: Call, permission: Permission, environment: str | None) -> Connection:
    """The stored connection that the caller is routed to; a response header names it."""
    connection = await environments.permitted(call.session, call.actor, call.connection, permission, environment)
    _tell(call, connection.id)
    return connection


def _tell(call: Call, connection_id: str) -> None:
    call.extra_headers.append((CONNECTION_ID.lower().encode(), connection_id.encode()))
