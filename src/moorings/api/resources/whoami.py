"""The endpoint `/whoami`: the user that a key acts as."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from moorings.access import roles, service
from moorings.access.actor import Actor, Guarded
from moorings.access.models import ApiKey
from moorings.access.policy import ANY_API_SCOPE, LOWEST_ROLE, Permission, Role, Scope, role_named
from moorings.api.http import schemas
from moorings.api.http.answers import Shape
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.connections.listing import Filter, snapshot
from moorings.errors import ConnectionNotFound

MOST_ROLES = 200
LONGEST_IDS = 16_000
"""Characters of a list of ids."""
PERMISSIONS = {
    "QUERY_SQL": (Permission.QUERY, Scope.QUERY),
    "VIEW_SQL": (Permission.QUERY, Scope.QUERY),
    "UPDATE": (Permission.CHANGE, Scope.MANAGE),
}
"""The published permission names that apply here, each with its permission and scope; the others concern models."""


class UserShape(Shape):
    """The user that a key acts as. An organization key acts as a service identity that never changes."""

    id: str
    membership_id: str


class HeldRole(Shape):
    """The effective role on a connection, and its permissions."""

    role_name: str
    base_role: str
    connection_id: str
    permissions: list[str]


class WhoShape(Shape):
    """The user that a key acts as.

    The keys of `rolesByModel` are the ids of connections' models, which equal the connections' ids.
    `scopes` and `connectionIds` are there for a key that is limited.
    """

    key_scope: str
    org_role: str
    roles_by_model: dict[str, HeldRole]
    roles_by_model_truncated: bool
    user: UserShape
    scopes: list[str] | UnsetType = UNSET
    connection_ids: list[str] | UnsetType = UNSET


async def who(call: Call) -> WhoShape:
    """The user that the key acts as, and the user's role on each visible connection.

    `modelId` limits the connections.
    """
    actor = call.actor
    query = Fields(call.query(), ("modelId",))
    named = _model_ids(query)
    query.done()
    shown = (await snapshot(call.session, actor.organization_id)).select(actor, Filter())
    if named is not None:
        shown = [connection for connection in shown if connection.id in named]
        if len(shown) < len(named):
            raise ConnectionNotFound
    user_id = actor.user_id or await _creator(call) or service.service_identity(actor.organization_id)
    return WhoShape(
        "user" if actor.user_id else "organization",
        "ORG_ADMIN" if actor.admin else "MEMBER",
        await _roles(call, shown[:MOST_ROLES]),
        len(shown) > MOST_ROLES,
        UserShape(user_id, user_id),
        UNSET if actor.limits.scopes is None else sorted(actor.limits.scopes),
        UNSET if actor.limits.connection_ids is None else sorted(actor.limits.connection_ids),
    )


async def _creator(call: Call) -> str | None:
    return (await call.session.get_one(ApiKey, call.actor.key_id)).created_by


def _model_ids(query: Fields) -> set[str] | None:
    """The connections of the models that a query names; None if it names no model."""
    named = [part.strip() for part in (query.string("modelId", shortest=0, longest=LONGEST_IDS) or "").split(",")]
    ids = {each.lower() for each in named if each}
    if not all(map(UUID.fullmatch, ids)):
        query.fault("modelId", "uuid")
    return ids or None


async def _roles(call: Call, shown: Sequence[Guarded]) -> dict[str, HeldRole]:
    actor = call.actor
    if actor.owner_admin or actor.user_id is None:
        names = dict.fromkeys((connection.id for connection in shown), Role.CONNECTION_ADMIN.name)
    else:
        user = await service.user(call.session, actor, actor.user_id)
        found = await roles.of_user(call.session, user, shown)
        names = {each.connection_id: each.name for each in found if each.resolved}
    return {
        connection_id: HeldRole(name, name, connection_id, _permissions(actor, name))
        for connection_id, name in names.items()
    }


def _permissions(actor: Actor, name: str) -> list[str]:
    role = role_named(name)
    return [
        published
        for published, (ours, scope) in PERMISSIONS.items()
        if role >= LOWEST_ROLE[ours] and actor.limits.allow((scope,))
    ]


ROUTES = (
    Route(
        method="GET",
        path="/whoami",
        scopes=ANY_API_SCOPE,
        operation_id="whoami",
        handler=who,
        summary="Show the user and roles of the key",
        answer=WhoShape,
        parameters=(
            Parameter(
                "modelId",
                schemas.UUIDS_OR_NONE,
                f"Only the roles on these models' connections, comma-separated; without it, {MOST_ROLES} at most.",
            ),
        ),
        errors=(ConnectionNotFound,),
    ),
)
