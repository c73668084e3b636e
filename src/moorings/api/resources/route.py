"""GET /connections/{id}/route: the connection that a user or key gets through a base connection, and why."""

from __future__ import annotations

import msgspec

from moorings.access import service
from moorings.access.policy import Permission, Scope
from moorings.api.http import schemas
from moorings.api.http.answers import Shape
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.environments import service as environments
from moorings.environments.routing import unmatched
from moorings.environments.service import Routed
from moorings.errors import (
    EnvironmentNotFound,
    UserNotFound,
)

_encode = msgspec.json.Encoder().encode


class OtherwiseShape(Shape):
    """The connection that another attribute value would select. A null value stands for users without a value."""

    value: str | None
    connection_id: str | None


class RouteShape(Shape, kw_only=True):
    """The connection that a user gets, the value that selected it, and the role on the base connection.

    `source` is `user attribute`, `attribute default`, `base` or `denied`. With `denied`, `connectionId` is null.
    """

    connection_id: str | None
    environment_id: str | None
    source: str
    attribute: str | None
    value: str | None
    role: str
    otherwise: list[OtherwiseShape]


async def explain(call: Call) -> bytes:
    """The connection that a user gets through this base connection, and the reason.

    Default: the caller. Only admins of the connection can name another user.
    """
    query = Fields(call.query(), ("userId",))
    user_id = query.string("userId", shortest=0) or None
    if user_id is not None and not UUID.fullmatch(user_id):
        query.fault("userId", "uuid")
    query.done()
    actor, connection, db = call.actor, call.connection, call.services.db
    if user_id is not None:
        actor.require(Permission.CHANGE, connection)

    async def render() -> bytes:
        async with db.reading() as session:
            owner = await (service.user(session, actor, user_id.lower()) if user_id else service.owner(session, actor))
            routed = await environments.route(session, owner, connection)
            role = await service.role_of(session, owner, connection)
        return _encode(_explained(routed, role.name, every_value=actor.may(Permission.CHANGE, connection)))

    return await db.cached(("explained", actor.key_id, connection.id, user_id), call.version.access, render)


def _explained(routed: Routed, role: str, *, every_value: bool) -> RouteShape:
    """The choice and the alternatives; only admins of the base connection see the values."""
    choice, base = routed.choice, routed.base
    meanings = [(value, base.connection_id) for value in base.values]
    meanings += [(value, each.connection_id) for each in base.candidates for value in each.values]
    mapped = sorted(meanings) if every_value else []
    otherwise = [OtherwiseShape(value, connection) for value, connection in mapped if value != choice.value]
    if choice.source not in ("base", "denied"):
        otherwise.append(OtherwiseShape(None, unmatched(base).connection_id))
    return RouteShape(
        connection_id=choice.connection_id,
        environment_id=choice.environment_id,
        source=choice.source,
        attribute=base.attribute,
        value=choice.value,
        role=role,
        otherwise=otherwise,
    )


ROUTES = (
    Route(
        method="GET",
        path="/connections/{id}/route",
        scopes=(Scope.READ,),
        handler=explain,
        operation_id="connectionsExplainRoute",
        kind="free",
        permission=Permission.SEE,
        summary="Explain which connection a user gets",
        answer=RouteShape,
        parameters=(Parameter("userId", schemas.UUID, "The id of a user. Default: the caller."),),
        errors=(UserNotFound, EnvironmentNotFound),
    ),
)
