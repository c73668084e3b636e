"""The endpoints of `/users/{id}/model-roles` and `/user-groups/{id}/model-roles`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from moorings.access import groups, roles, service
from moorings.access.models import UserGroup
from moorings.access.policy import ROLE_NAMES, Permission, Role, Scope, alias_of, role_named
from moorings.access.roles import Assignment
from moorings.access.service import Guarded
from moorings.api.http import schemas
from moorings.api.http.answers import Shape
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.connections import service as connections
from moorings.connections.listing import Filter, snapshot
from moorings.connections.models import Connection
from moorings.errors import Archived, ConnectionNotFound, GroupNotFound, PermissionDenied, UserNotFound

CUSTOM_ROLE = 'Unknown role "{name}". Use one of {roles}. Custom roles are not supported'
ANOTHER_CONNECTION = "This is the model of another connection than connectionId names"
SOURCES = {"user": "User Role", "group": "User Group Role", "base": "Connection Base Role"}
DEPTHS = {"user": 0, "group": 1, "base": 2}
"""The distance of a role's source from the user: own role, role of a group, base role."""
PRIORITIES = {
    Role.NO_ACCESS: 0,
    Role.VIEWER: 50,
    Role.RESTRICTED_QUERIER: 150,
    Role.QUERIER: 250,
    Role.MODELER: 350,
    Role.CONNECTION_ADMIN: 450,
}
"""The numbers by which published clients compare roles: the highest number is effective."""

PARAMETERS = (
    Parameter("connectionId", schemas.UUID, "The connection to show roles on; without it, all that the caller sees."),
    Parameter("modelId", schemas.UUID, "The same, by the id of the connection's model, which is the connection's own."),
)


class RoleSource(Shape, omit_defaults=True):
    """The source of a role: `User Role`, `User Group Role` (with the group), or `Connection Base Role`."""

    type: str
    depth: int
    name: str | UnsetType = UNSET
    mini_uuid: str | UnsetType = UNSET


class RoleShape(Shape, kw_only=True):
    """A role on a connection. If a user has several, the one with the highest priority applies: it is `resolved`.

    `modelId` is the id of the connection's model, which equals the connection's id.
    """

    role_name: str
    connection_id: str
    model_id: str
    base_role: str
    source: RoleSource = msgspec.field(name="from")
    priority: int
    resolved: bool


class ModelRoles(Shape, kw_only=True, omit_defaults=True):
    """Roles on connections. `membershipId` is the id of the user or group that has them."""

    results: list[RoleShape]
    membership_id: str
    user_id: str | UnsetType = UNSET
    user_group_id: str | UnsetType = UNSET


class AssignedShape(Shape, kw_only=True):
    """A role that was assigned."""

    connection_id: str
    model_id: str
    role_name: str


class UserAssigned(AssignedShape, kw_only=True):
    """The role that was assigned to a user."""

    membership_id: str
    user_id: str


class GroupAssigned(AssignedShape, kw_only=True):
    """The role that was assigned to a group."""

    user_group_id: str


async def of_user(call: Call) -> ModelRoles:
    """The roles of a user on connections: own roles, roles of groups, and base roles.

    Organization admins can read the roles of every user, admins of a connection the roles on it, and users their own.
    """
    user = await service.user(call.session, call.actor, call.ids["id"])
    shown = await _requested_connections(call, own=user.id == call.actor.user_id)
    found = await roles.of_user(call.session, user, shown)
    return ModelRoles(results=_shapes(found), membership_id=user.id, user_id=user.id)


async def of_group(call: Call) -> ModelRoles:
    """The roles of a group, which all its members have. Allowed for admins."""
    group = await _group(call)
    shown = await _requested_connections(call, own=False)
    found = await roles.of_group(call.session, group, shown)
    return ModelRoles(results=_shapes(found), membership_id=group.id, user_group_id=group.id)


async def assign_user(call: Call) -> UserAssigned:
    """Set a user's own role on a connection. It replaces the previous one."""
    user = await service.user(call.session, call.actor, call.ids["id"], lock=True)
    connection, name = await _assignment(call)
    await service.assign_role(call.session, user, connection.id, role_named(name), alias_of(name))
    return UserAssigned(
        connection_id=connection.id, model_id=connection.id, role_name=name, membership_id=user.id, user_id=user.id
    )


async def assign_group(call: Call) -> GroupAssigned:
    """Set a group's role on a connection. It replaces the previous one; every member has at least this role."""
    group = await _group(call, lock=True)
    connection, name = await _assignment(call)
    await groups.assign_role(call.session, group, connection.id, role_named(name), alias_of(name))
    return GroupAssigned(connection_id=connection.id, model_id=connection.id, role_name=name, user_group_id=group.id)


async def _group(call: Call, *, lock: bool = False) -> UserGroup:
    return await groups.find(call.session, call.actor.organization_id, call.ids["id"], lock=lock)


async def _requested_connections(call: Call, *, own: bool) -> Sequence[Guarded]:
    """The connections that a query names; raises InvalidInput, ConnectionNotFound, PermissionDenied."""
    query = Fields(call.query(), ("connectionId", "modelId"))
    connection_id = _connection_id(query)
    query.done()
    if connection_id is None:
        if not (own or call.actor.admin):
            raise PermissionDenied
        shown = await snapshot(call.session, call.actor.organization_id)
        return shown.select(call.actor, Filter())
    connection = await connections.find(call.session, call.actor, connection_id)
    if not own:
        call.actor.require(Permission.CHANGE, connection)
    return [connection]


async def _assignment(call: Call) -> tuple[Connection, str]:
    """The connection, and the name of the role, that a body assigns.

    Raises InvalidInput, and what `connections.permitted` does.
    """
    fields = Fields(call.body, ("roleName", "connectionId", "modelId"))
    name = fields.string("roleName", required=True)
    if name and name not in ROLE_NAMES:
        fields.fault("roleName", "custom", reason=CUSTOM_ROLE.format(name=name, roles=", ".join(Role.__members__)))
    connection_id = _connection_id(fields)
    if not (fields.raw("connectionId") or fields.raw("modelId")):
        fields.fault("connectionId", "required")
    fields.done()
    return await connections.permitted(call.session, call.actor, connection_id or "", Permission.CHANGE), name


def _connection_id(fields: Fields) -> str | None:
    """The connection that `connectionId` names, or `modelId`: a connection's model has the connection's id."""
    named, by_model = (_uuid(fields, name) for name in ("connectionId", "modelId"))
    if named and by_model and named != by_model:
        fields.fault("modelId", "custom", reason=ANOTHER_CONNECTION)
    return named or by_model


def _uuid(fields: Fields, name: str) -> str | None:
    """An id in lower case; None if it is absent, null or empty."""
    sent = fields.string(name, shortest=0) if fields.raw(name) is not None else None
    if sent and not UUID.fullmatch(sent):
        fields.fault(name, "uuid")
    return sent.lower() if sent else None


def _shapes(found: Sequence[Assignment]) -> list[RoleShape]:
    return [
        RoleShape(
            role_name=each.name,
            connection_id=each.connection_id,
            model_id=each.connection_id,
            base_role=each.name,
            source=_source(each),
            priority=PRIORITIES[each.role],
            resolved=each.resolved,
        )
        for each in found
    ]


def _source(assignment: Assignment) -> RoleSource:
    group = assignment.group
    return RoleSource(
        SOURCES[assignment.source],
        DEPTHS[assignment.source],
        group.name if group else UNSET,
        group.id if group else UNSET,
    )


ROUTES = (
    Route(
        method="GET",
        path="/users/{id}/model-roles",
        scopes=(Scope.READ,),
        operation_id="usersGetModelRoles",
        handler=of_user,
        summary="List a user's roles",
        answer=ModelRoles,
        parameters=PARAMETERS,
        errors=(UserNotFound, ConnectionNotFound, PermissionDenied),
    ),
    Route(
        method="POST",
        path="/users/{id}/model-roles",
        scopes=(Scope.MANAGE,),
        operation_id="usersAssignModelRole",
        handler=assign_user,
        summary="Give a user a role",
        answer=UserAssigned,
        body=schemas.assigned_role,
        errors=(UserNotFound, ConnectionNotFound, PermissionDenied, Archived),
    ),
    Route(
        method="GET",
        path="/user-groups/{id}/model-roles",
        scopes=(Scope.READ,),
        operation_id="userGroupsGetModelRoles",
        handler=of_group,
        summary="List a group's roles",
        answer=ModelRoles,
        parameters=PARAMETERS,
        errors=(GroupNotFound, ConnectionNotFound, PermissionDenied),
    ),
    Route(
        method="POST",
        path="/user-groups/{id}/model-roles",
        scopes=(Scope.MANAGE,),
        operation_id="userGroupsAssignModelRole",
        handler=assign_group,
        summary="Give a group a role",
        answer=GroupAssigned,
        body=schemas.assigned_role,
        errors=(GroupNotFound, ConnectionNotFound, PermissionDenied, Archived),
    ),
)
