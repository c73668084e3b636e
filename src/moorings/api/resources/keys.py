"""The endpoints of `/api-keys`, and `/whoami`."""

from __future__ import annotations

from moorings.access import service
from moorings.access.models import ApiKey
from moorings.api.http import pagination, schemas
from moorings.api.http.answers import Changed, Shape, instant
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.errors import KeyNotFound


class KeyShape(Shape):
    """A key, without its token, which is stored nowhere. `membershipId` is the user's whom it acts as."""

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
    """The user whom a key acts as."""

    id: str
    membership_id: str


class WhoShape(Shape):
    """Whom a key acts as; `rolesByModel` has the roles of their own and of their groups, by connection."""

    key_scope: str
    org_role: str
    roles_by_model: dict[str, str]
    user: UserShape | None


async def list_keys(call: Call) -> KeyPage:
    """Keys, newest first: all of them for an organization admin, their own for a user. Never a token."""
    query = Fields(call.query(), ("cursor", "pageSize"))
    page = pagination.page_request(query)
    query.done()
    found, total = await service.visible_keys(call.session, call.actor, page.after, page.size + 1)
    info = pagination.info([(key.created_at, key.id) for key in found], page, total)
    return KeyPage(info, [_shape(key) for key in found[: page.size]])


async def get(call: Call) -> KeyShape:
    """One key, without its token."""
    return _shape(await service.visible_key(call.session, call.actor, call.ids["id"]))


async def update(call: Call) -> KeyShape:
    """Disable a key; an organization admin may enable it again. Counts at once on every replica."""
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    fields = Fields(call.body, ("enabled",))
    enabled = fields.boolean("enabled")
    fields.done()
    await service.enable_key(call.session, call.actor, key, enabled=bool(enabled))
    return _shape(key)


async def revoke(call: Call) -> Changed:
    """Make a key invalid for good."""
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    await service.revoke_key(call.session, key.organization_id, key.id)
    return Changed(message="API token revoked")


async def who(call: Call) -> WhoShape:
    """Whom the key acts as."""
    actor = call.actor
    user = None if actor.user_id is None else UserShape(actor.user_id, actor.user_id)
    return WhoShape(
        "user" if user else "organization",
        "ORG_ADMIN" if actor.admin else "MEMBER",
        {connection_id: role.name for connection_id, role in actor.roles.items()},
        user,
    )


def _shape(key: ApiKey) -> KeyShape:
    kind = "personal" if key.user_id else "organization"
    return KeyShape(key.id, key.name, kind, key.disabled_at is None, instant(key.created_at), key.user_id)


ROUTES = (
    Route(
        method="GET",
        path="/api-keys",
        handler=list_keys,
        summary="List keys",
        answer=KeyPage,
        parameters=pagination.PARAMETERS,
    ),
    Route(
        method="GET",
        path="/api-keys/{id}",
        handler=get,
        summary="Get a key",
        answer=KeyShape,
        errors=(KeyNotFound,),
    ),
    Route(
        method="PUT",
        path="/api-keys/{id}",
        handler=update,
        summary="Enable or disable a key",
        answer=KeyShape,
        body=schemas.key_changes,
        errors=(KeyNotFound,),
    ),
    Route(
        method="DELETE",
        path="/api-keys/{id}",
        handler=revoke,
        summary="Revoke a key",
        answer=Changed,
        errors=(KeyNotFound,),
    ),
    Route(
        method="GET",
        path="/whoami",
        handler=who,
        kind="free",
        summary="Say whom the key acts as",
        answer=WhoShape,
    ),
)
