"""The endpoints of `/api-keys`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from moorings import clock
from moorings.access import keys as keys_of
from moorings.access import service
from moorings.access.keys import Changes, NewKey
from moorings.access.models import ApiKey
from moorings.access.policy import NO_SCOPE, Scope
from moorings.access.service import Keys
from moorings.api.http import pagination, schemas
from moorings.api.http.answers import Changed, Shape, instant
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.connections import service as connections
from moorings.dialects.config.fields import json_type
from moorings.errors import (
    BootstrapKey,
    ConnectionNotFound,
    Fault,
    InvalidInput,
    KeyNotFound,
    PermissionDenied,
    PersonalKey,
)

SORT_FIELDS = ("createdAt", "name")
TYPES = ("organization", "personal", "mcp")
"""The published types of keys; there are no keys of the type `mcp` here."""
SCOPES = tuple(Scope)
LIMIT_FIELDS = {"scopes": "scopes", "connection_ids": "connectionIds", "expires_at": "expiresAt"}
LIMITS = tuple(LIMIT_FIELDS.values())
LAST_EXPIRY = 253_402_300_799_999
"""The end of the year 9999, the last that an answer can name."""


class KeyShape(Shape):
    """An API key, without its token. `membershipId` is the id of the user that a personal key acts as.

    `scopes` and `connectionIds` are there for a key that is limited, `expiresAt` for one that expires, `lastUsedAt` for
    one that was used (it is up to a minute late), and `createdBy` for an organization key that a user created.
    """

    id: str
    name: str
    type: str
    enabled: bool
    created_at: str
    membership_id: str | None
    scopes: list[str] | UnsetType = UNSET
    connection_ids: list[str] | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    last_used_at: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET


class NewKeyShape(KeyShape, kw_only=True):
    """A key with its token, which is never shown again."""

    token: str
    previous_token_expires_at: str | UnsetType = UNSET
    """Until when the token before the rotation stays valid."""


class KeyPage(Shape):
    """Keys, newest first."""

    page_info: PageInfo
    records: list[KeyShape]


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
    shown = found[: page.size]
    used = await keys_of.last_uses(call.session, shown)
    return KeyPage(info, [KeyShape(**_facts(key, used)) for key in shown])


async def create(call: Call) -> NewKeyShape:
    """Create a key and return its token, which is shown once.

    Organization admins create organization keys, users their own personal keys. A key never gives more than its owner
    may do. A key with `scopes` or `connectionIds` is never an organization admin, and cannot create or change keys.
    """
    fields = Fields(call.body, ("name", "type", "scopes", "connectionIds", "expiresAt"))
    name = fields.string("name", required=True)
    kind = fields.choice("type", ("organization", "personal"))
    requested = NewKey(name, **_limits(fields))
    fields.done()
    await _require_connections(call, requested.connection_ids)
    personal = kind == "personal" if kind else call.actor.user_id is not None
    make = keys_of.create_personal if personal else keys_of.create_organization
    key, token = await make(call.session, call.actor, requested)
    return NewKeyShape(**_facts(key, {}), token=token)


async def rotate(call: Call) -> NewKeyShape:
    """Give a key a new token, which is shown once. The token before it stays valid for `overlapSeconds`.

    Id, name, limits and attributes stay. Without `expiresAt`, a key that expires gets a new period of the same length.
    A user can rotate their own personal keys only, an organization admin all organization keys.
    """
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    fields = Fields(call.body, ("overlapSeconds", "expiresAt"))
    overlap = fields.integer("overlapSeconds", least=0, most=keys_of.LONGEST_OVERLAP // 1000)
    expires_at = _expiry(fields)
    fields.done()
    overlap = keys_of.DEFAULT_OVERLAP if overlap is None else overlap * 1000
    token = await keys_of.rotate(call.session, call.actor, key, overlap, expires_at)
    previous = UNSET if key.previous_expires_at is None else instant(key.previous_expires_at)
    return NewKeyShape(**await _shown(call, key), token=token, previous_token_expires_at=previous)


async def get(call: Call) -> KeyShape:
    """One API key, without its token."""
    return KeyShape(**await _shown(call, await service.visible_key(call.session, call.actor, call.ids["id"])))


async def update(call: Call) -> KeyShape:
    """Disable an organization key, enable it again, or change its limits. Takes effect at once on every replica.

    null removes a limit.
    """
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    if key.user_id is not None:
        raise PersonalKey
    fields = Fields(call.body, ("enabled", *LIMITS))
    limits = {column: value for column, value in _limits(fields).items() if fields.has(LIMIT_FIELDS[column])}
    enabled = fields.boolean("enabled") if fields.has("enabled") or not limits else None
    fields.sort(("enabled", *LIMITS))
    fields.done()
    await _require_connections(call, limits.get("connection_ids"))
    await keys_of.change(call.session, call.actor, key, Changes(enabled, limits))
    return KeyShape(**await _shown(call, key))


async def revoke(call: Call) -> Changed:
    """Revoke a key. It can never be used again."""
    key = await service.visible_key(call.session, call.actor, call.ids["id"])
    await service.revoke_key(call.session, key.organization_id, key.id)
    return Changed(message="API token revoked")


async def _shown(call: Call, key: ApiKey) -> dict[str, Any]:
    return _facts(key, await keys_of.last_uses(call.session, [key]))


def _facts(key: ApiKey, used: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "type": "personal" if key.user_id else "organization",
        "enabled": key.disabled_at is None,
        "created_at": instant(key.created_at),
        "membership_id": key.user_id,
        "scopes": _or_unset(key.scopes),
        "connection_ids": _or_unset(key.connection_ids),
        "expires_at": UNSET if key.expires_at is None else instant(key.expires_at),
        "last_used_at": instant(used[key.id]) if key.id in used else UNSET,
        "created_by": _or_unset(key.created_by),
    }


def _or_unset(value: Any) -> Any:
    return UNSET if value is None else value


# ---- limits in bodies -------------------------------------------------------------------------------------------


def _limits(fields: Fields) -> dict[str, Any]:
    """The limits in a body, by column; null and absent are None."""
    scopes, connection_ids = _scopes(fields), _connection_ids(fields)
    if connection_ids is not None and scopes is not None and Scope.SCIM in scopes:
        fields.fault("connectionIds", "custom", reason="A key with the scope scim cannot be limited to connections")
    return {"scopes": scopes, "connection_ids": connection_ids, "expires_at": _expiry(fields)}


def _scopes(fields: Fields) -> list[str] | None:
    sent = _several(fields, "scopes")
    for place, each in enumerate(sent or ()):
        if not isinstance(each, str):
            fields.fault(f"scopes.{place}", "type", expected="string", received=json_type(each))
        elif each not in SCOPES:
            fields.fault(f"scopes.{place}", "enum", allowed=SCOPES, received=each)
    return None if sent is None else [scope for scope in SCOPES if scope in sent]


def _connection_ids(fields: Fields) -> list[str] | None:
    sent = _several(fields, "connectionIds")
    if sent is not None and len(sent) > schemas.MOST_CONNECTIONS_OF_KEY:
        fields.fault(
            "connectionIds", "custom", reason=f"At most {schemas.MOST_CONNECTIONS_OF_KEY} connections are allowed"
        )
        return []
    found: list[str] = []
    for place, each in enumerate(sent or ()):
        if isinstance(each, str) and UUID.fullmatch(each):
            found.append(each.lower())
        else:
            fields.fault(f"connectionIds.{place}", "uuid")
    return None if sent is None else list(dict.fromkeys(found))


def _several(fields: Fields, name: str) -> list[Any] | None:
    """An array with at least one element; None if it is null or absent."""
    if fields.raw(name) is None:
        return None
    sent = fields.array(name)
    if sent is not None and not sent:
        fields.fault(name, "custom", reason="The list is empty. Name at least one, or leave the field out for no limit")
    return sent


def _expiry(fields: Fields) -> int | None:
    sent = fields.raw("expiresAt")
    if sent is None:
        return None
    if not isinstance(sent, str):
        fields.fault("expiresAt", "type", expected="string", received=json_type(sent))
        return None
    expires_at = fields.instant("expiresAt")
    if not sent or (expires_at is not None and not clock.now() < expires_at <= LAST_EXPIRY):
        fields.fault("expiresAt", "custom", reason="Expected a time in the future, in ISO 8601, or null")
    return expires_at


async def _require_connections(call: Call, ids: Sequence[str] | None) -> None:
    """Raise InvalidInput for connections that the caller cannot see."""
    faults: list[Fault] = []
    for place, connection_id in enumerate(ids or ()):
        try:
            await connections.find(call.session, call.actor, connection_id)
        except ConnectionNotFound:
            faults.append(
                Fault(f"connectionIds.{place}", "custom", {"reason": f"No connection has the id {connection_id}"})
            )
    if faults:
        raise InvalidInput(faults)


ROUTES = (
    Route(
        method="GET",
        path="/api-keys",
        scopes=(Scope.READ,),
        operation_id="apiKeysList",
        handler=list_keys,
        summary="List keys",
        answer=KeyPage,
        parameters=(
            *pagination.PARAMETERS,
            Parameter("sortField", {"enum": list(SORT_FIELDS)}, "The field to sort by. Default: `createdAt`."),
            pagination.DIRECTION,
            Parameter("type", {"enum": list(TYPES)}, "Only keys of this type."),
        ),
    ),
    Route(
        method="GET",
        path="/api-keys/{id}",
        scopes=(Scope.READ,),
        operation_id="apiKeysGet",
        handler=get,
        summary="Get a key",
        answer=KeyShape,
        errors=(KeyNotFound,),
    ),
    Route(
        method="POST",
        path="/api-keys",
        scopes=NO_SCOPE,
        operation_id="apiKeysCreate",
        handler=create,
        summary="Create a key",
        answer=NewKeyShape,
        status=201,
        body=schemas.new_key,
        errors=(PermissionDenied,),
    ),
    Route(
        method="POST",
        path="/api-keys/{id}/rotate",
        scopes=NO_SCOPE,
        operation_id="apiKeysRotate",
        handler=rotate,
        summary="Rotate a key",
        answer=NewKeyShape,
        body=schemas.key_rotation,
        body_optional=True,
        errors=(KeyNotFound, PermissionDenied, BootstrapKey),
    ),
    Route(
        method="PUT",
        path="/api-keys/{id}",
        scopes=NO_SCOPE,
        operation_id="apiKeysUpdate",
        handler=update,
        summary="Change a key",
        answer=KeyShape,
        body=schemas.key_changes,
        errors=(KeyNotFound, PersonalKey, BootstrapKey),
    ),
    Route(
        method="DELETE",
        path="/api-keys/{id}",
        scopes=NO_SCOPE,
        operation_id="apiKeysDelete",
        handler=revoke,
        summary="Revoke a key",
        answer=Changed,
        errors=(KeyNotFound,),
    ),
)
