"""The endpoints of `/connection-environments`."""

from __future__ import annotations

from typing import Any

from moorings.access.policy import Scope
from moorings.api.http import idempotency, schemas
from moorings.api.http.answers import Shape
from moorings.api.http.call import UUID, Call
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.api.resources import moves as moving
from moorings.api.resources.connections.changes import read_value_list
from moorings.api.resources.moves import Moving
from moorings.environments import moves, service
from moorings.errors import (
    Archived,
    BaseConnectionNotFound,
    EnvironmentNotFound,
    NotEnvironments,
    PermissionDenied,
    RepeatDiffers,
    ValueInUse,
)

INVALID_BASE = "Base connection ID must be a valid UUID"
INVALID_ENVIRONMENTS = "All environment connection IDs must be valid UUIDs"


class NewEnvironment(Shape):
    """A created environment, in the older published format."""

    id: str
    environment_connection_id: str


class EnvironmentShape(Shape):
    """An environment of a base connection."""

    id: str
    base_connection_id: str
    connection_id: str
    user_attribute_values: list[str]


class EnvironmentList(Shape):
    """Environments."""

    connection_environments: list[EnvironmentShape]


class EnvironmentsCreated(Shape, kw_only=True):
    """The created environments, in both published formats."""

    success: bool = True
    data: list[NewEnvironment]
    connection_environments: list[EnvironmentShape]


async def create(call: Call) -> EnvironmentsCreated:
    """Make connections environments of a base connection."""
    base_id, connection_ids = _read(call)
    base = await service.base_connection(call.session, call.actor, base_id)
    created = await service.attach(call.session, call.actor, base, connection_ids)
    return EnvironmentsCreated(
        data=[NewEnvironment(environment.id, environment.connection_id) for environment in created],
        connection_environments=[
            EnvironmentShape(environment.id, base.id, environment.connection_id, []) for environment in created
        ],
    )


def _read(call: Call) -> tuple[str, list[str]]:
    fields = Fields(call.body, ("baseConnectionId", "environmentConnectionIds"))
    base_id = fields.string("baseConnectionId", required=True, shortest=0)
    if isinstance(fields.raw("baseConnectionId"), str) and not UUID.fullmatch(base_id):
        fields.fault("baseConnectionId", "custom", reason=INVALID_BASE)
    connection_ids = _ids(fields, fields.raw("environmentConnectionIds"))
    fields.done()
    return base_id.lower(), [connection_id.lower() for connection_id in connection_ids]


def _ids(fields: Fields, sent: Any) -> list[str]:
    name = "environmentConnectionIds"
    if not fields.has(name):
        fields.fault(name, "required")
        return []
    listed = [part.strip() for part in sent.split(",")] if isinstance(sent, str) else fields.array(name)
    if listed is None:
        return []
    if not listed or not all(isinstance(part, str) and UUID.fullmatch(part) for part in listed):
        fields.fault(name, "custom", reason=INVALID_ENVIRONMENTS)
    return listed


async def update(call: Call) -> Moving:
    """Set the user attribute values that select this environment."""
    environment, base = await service.find(call.session, call.actor, call.ids["id"])
    fields = Fields(call.body, ("userAttributeValues",))
    if not fields.has("userAttributeValues"):
        fields.fault("userAttributeValues", "required")
    values = read_value_list(fields, "userAttributeValues")
    fields.done()
    before = await moves.places(call.session, base)
    await service.set_values(call.session, environment, base, values)
    return Moving(warnings=moving.warnings(call.actor, await moves.unmatched(call.session, base, before)))


async def listed(call: Call) -> EnvironmentList:
    """The environments of all base connections that the caller may see, oldest first."""
    found = await service.listed(call.session, call.actor)
    return EnvironmentList(
        [
            EnvironmentShape(environment.id, environment.base_connection_id, environment.connection_id, list(values))
            for environment, values in found
        ]
    )


async def remove(call: Call) -> Moving:
    """Detach an environment from its base connection. Both connections stay.

    `warnings` in the response list the users and keys that now get another connection.
    """
    environment, base = await service.find(call.session, call.actor, call.ids["id"])
    before = await moves.places(call.session, base)
    await service.detach(call.session, environment, base)
    return Moving(warnings=moving.warnings(call.actor, await moves.unmatched(call.session, base, before)))


ROUTES = (
    Route(
        method="GET",
        path="/connection-environments",
        scopes=(Scope.READ,),
        operation_id="connectionEnvironmentsList",
        handler=listed,
        summary="List connection environments",
        answer=EnvironmentList,
    ),
    Route(
        method="POST",
        path="/connection-environments",
        scopes=(Scope.MANAGE,),
        operation_id="connectionEnvironmentsCreate",
        handler=idempotency.once(create),
        summary="Create connection environments",
        answer=EnvironmentsCreated,
        status=201,
        body=schemas.new_environments,
        parameters=(idempotency.KEY,),
        headers=idempotency.HEADERS,
        errors=(BaseConnectionNotFound, PermissionDenied, Archived, NotEnvironments, RepeatDiffers),
    ),
    Route(
        method="PUT",
        path="/connection-environments/{id}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionEnvironmentsUpdate",
        handler=update,
        summary="Update a connection environment",
        answer=Moving,
        body=schemas.environment_values,
        errors=(EnvironmentNotFound, PermissionDenied, Archived, ValueInUse),
    ),
    Route(
        method="DELETE",
        path="/connection-environments/{id}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionEnvironmentsDelete",
        handler=remove,
        summary="Remove a connection environment",
        answer=Moving,
        errors=(EnvironmentNotFound, PermissionDenied, Archived),
    ),
)
