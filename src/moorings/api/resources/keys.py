"""The endpoints of `/api-keys`, and `/whoami`."""

from __future__ import annotations

from collections.abc import Sequence

from moorings.access import roles, service
from moorings.access.models import ApiKey
from moorings.access.policy import LOWEST_ROLE, Permission, Role, role_named
from moorings.access.service import Guarded, Keys
from moorings.api.http import pagination, schemas
from moorings.api.http.answers import Changed, Shape, instant
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.connections.listing import Filter, snapshot
from moorings.errors import ConnectionNotFound, KeyNotFound, PersonalKey

SORT_FIELDS = ("createdAt", "name")
TYPES = ("organization", "personal", "mcp")
"""The published types of keys; there are no keys of the type `mcp` here."""
MOST_ROLES = 200
LONGEST_IDS = 16_000
"""Characters of a list of ids."""
PERMISSIONS = {
    "QUERY_SQL": Permission.QUERY,
    "VIEW_SQL": Permission.QUERY,
    "UPDATE": Permission.CHANGE,
}
"""The published permission names that apply here, each with its permission; the others concern models."""


class KeyShape(Shape):
    """An API key, without its token. `membershipId` is the id of the user that a personal key acts as."""

    id: str
    name: str
    type: str
    enabled: bool
    created_at: str
    membership_id: str | None


class KeyPage(Shape):
    """Keys, newest first."""

    page_info: PageInfo
    records: list[KeyShape]


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
    """

    key_scope: str
    org_role: str
    roles_by_model: dict[str, HeldRole]
    roles_by_model_truncated: bool
    user: UserShape


async def list_keys(call: Call) -> KeyPage:
    """API keys, newest first by default.

    Organization admins get all keys, users their own. Tokens are never returned.
    """
    query = Fields(call.query(), ("cursor", "pageSize", "sortField", "sortDirection", "type"))
    by_name = query.choice("sortField", SORT_FIELDS) == "name"
    descending = query.choice("sortDirection", pagination.DIRECTIONS) != "asc"
    kind = query.choice("type", TYPES)
    page = pagination.page_request(query, pagination.BY_NAME if by_name else pagination.BY_INSTANT)
    query.done()
    keys = Keys(kind, by_name=by_name, descending=descending)
    found, total = await service.visible_keys(call.session, call.actor, keys, page.after, page.size + 1)
    info = pagination.info([(key.name if by_name else key.created_at, key.id) for key in found], page, total)
    return KeyPage(info, [_shape(key) for key in found[: page.size]])


async def get(call: Call) -> KeyShape:
    """One API key, without its token."""
    return _shape(await service.visible_key(call.session, call.actor, call.ids["id"]))


async def update(call: Call) -> KeyShape:
    """Disable an organization key, or enable it again. The change takes effect at once on every replica."""
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    if key.user_id is not None:
        raise PersonalKey
    fields = Fields(call.body, ("enabled",))
    enabled = fields.boolean("enabled")
    fields.done()
    await service.enable_key(call.session, call.actor, key, enabled=bool(enabled))
    return _shape(key)


async def revoke(call: Call) -> Changed:
    """Revoke a key. It can never be used again."""
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    await service.revoke_key(call.session, key.organization_id, key.id)
    return Changed(message="API token revoked")


async def who(call: Call) -> WhoShape:
    """The user that the key acts as, and the user's role on each visible connection.

    `modelId` limits the connections.
    """
    actor = call.actor
    query = Fields(call.query(), ("modelId",))
    asked = _model_ids(query)
    query.done()
    shown = (await snapshot(call.session, actor.organization_id)).select(actor, Filter())
    if asked is not None:
        shown = [connection for connection in shown if connection.id in asked]
        if len(shown) < len(asked):
            raise ConnectionNotFound
    user_id = actor.user_id or service.service_identity(actor.organization_id)
    return WhoShape(
        "user" if actor.user_id else "organization",
        "ORG_ADMIN" if actor.admin else "MEMBER",
        await _roles(call, shown[:MOST_ROLES]),
        len(shown) > MOST_ROLES,
        UserShape(user_id, user_id),
    )


def _model_ids(query: Fields) -> set[str] | None:
    """The connections of the models that a query names; None if it names no model."""
    named = [part.strip() for part in (query.string("modelId", shortest=0, longest=LONGEST_IDS) or "").split(",")]
    ids = {each.lower() for each in named if each}
    if not all(map(UUID.fullmatch, ids)):
        query.fault("modelId", "uuid")
    return ids or None


async def _roles(call: Call, shown: Sequence[Guarded]) -> dict[str, HeldRole]:
    actor = call.actor
    if actor.admin or actor.user_id is None:
        names = dict.fromkeys((connection.id for connection in shown), Role.CONNECTION_ADMIN.name)
    else:
        user = await service.user(call.session, actor, actor.user_id)
        found = await roles.of_user(call.session, user, shown)
        names = {each.connection_id: each.name for each in found if each.resolved}
    return {
        connection_id: HeldRole(name, name, connection_id, _permissions(name)) for connection_id, name in names.items()
    }


def _permissions(name: str) -> list[str]:
    role = role_named(name)
    return [published for published, ours in PERMISSIONS.items() if role >= LOWEST_ROLE[ours]]


def _shape(key: ApiKey) -> KeyShape:
    kind = "personal" if key.user_id else "organization"
    return KeyShape(key.id, key.name, kind, key.disabled_at is None, instant(key.created_at), key.user_id)


ROUTES = (
    Route(
        method="GET",
        path="/api-keys",
        operation_id="apiKeysList",
        handler=list_keys,
        summary="List keys",
        answer=KeyPage,
        parameters=(
            *pagination.PARAMETERS,
            Parameter("sortField", {"enum": list(SORT_FIELDS)}, "What to sort by; `createdAt` by default."),
            pagination.DIRECTION,
            Parameter("type", {"enum": list(TYPES)}, "Only keys of this type."),
        ),
    ),
    Route(
        method="GET",
        path="/api-keys/{id}",
        operation_id="apiKeysGet",
        handler=get,
        summary="Get a key",
        answer=KeyShape,
        errors=(KeyNotFound,),
    ),
    Route(
        method="PUT",
        path="/api-keys/{id}",
        operation_id="apiKeysUpdate",
        handler=update,
        summary="Enable or disable a key",
        answer=KeyShape,
        body=schemas.key_changes,
        errors=(KeyNotFound, PersonalKey),
    ),
    Route(
        method="DELETE",
        path="/api-keys/{id}",
        operation_id="apiKeysDelete",
        handler=revoke,
        summary="Revoke a key",
        answer=Changed,
        errors=(KeyNotFound,),
    ),
    Route(
        method="GET",
        path="/whoami",
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
