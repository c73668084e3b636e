"""Users and groups as they are shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import attributes, groups
from moorings.access.models import User, UserAttribute, UserGroup
from moorings.api.routing import JSON_TYPES, Rendered, Route
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUP, GROUPS, LIST, USER, USERS, Resource
from moorings.api.shapes import Shape, instant

PREFIX = "/api/scim/v2"
MEDIA_TYPE = "application/scim+json"

scim_route = functools.partial(
    Route, prefix=PREFIX, admin=True, body_types=(MEDIA_TYPE, *JSON_TYPES), media_types=(MEDIA_TYPE,)
)
"""An operation of SCIM: for organization admins, in its media type."""

Shown = dict[str, Any]
Wants = Callable[[str], bool]
"""Whether an attribute will be looked at: what costs a query of its own is left out otherwise."""

_encode = msgspec.json.Encoder().encode


class Meta(Shape):
    """When a resource was made and changed, and where it is."""

    resource_type: str
    created: str
    last_modified: str
    location: str


class Name(Shape, omit_defaults=True):
    """The parts of a name."""

    formatted: str | UnsetType = UNSET
    given_name: str | UnsetType = UNSET
    family_name: str | UnsetType = UNSET


class Value(Shape, omit_defaults=True):
    """One of several values."""

    value: str
    display: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    ref: str | UnsetType = msgspec.field(name="$ref", default=UNSET)
    primary: bool | UnsetType = UNSET


class UserResource(Shape, omit_defaults=True, kw_only=True):
    """A user. What was not asked for, or is not there, is left out."""

    schemas: list[str]
    id: str
    external_id: str | UnsetType = UNSET
    user_name: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    emails: list[Value] | UnsetType = UNSET
    roles: list[Value] | UnsetType = UNSET
    groups: list[Value] | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = msgspec.field(name=ATTRIBUTES, default=UNSET)
    meta: Meta | UnsetType = UNSET


class GroupResource(Shape, omit_defaults=True, kw_only=True):
    """A group. What was not asked for, or is not there, is left out."""

    schemas: list[str]
    id: str
    external_id: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    members: list[Value] | UnsetType = UNSET
    meta: Meta | UnsetType = UNSET


class UserList(Shape, kw_only=True):
    """Users, and how many there are in all."""

    schemas: list[str]
    total_results: int
    start_index: int
    items_per_page: int
    resources: list[UserResource] = msgspec.field(name="Resources")


class GroupList(Shape, kw_only=True):
    """Groups, and how many there are in all."""

    schemas: list[str]
    total_results: int
    start_index: int
    items_per_page: int
    resources: list[GroupResource] = msgspec.field(name="Resources")


def location(resource: Resource, resource_id: str) -> str:
    """Where a resource is, on this service."""
    return f"{PREFIX}{resource.path}/{resource_id}"


async def shown_users(session: AsyncSession, users: Sequence[User], wants: Wants) -> list[Shown]:
    """Users as they are shown."""
    ids = [user.id for user in users]
    theirs = await groups.of_users(session, ids) if wants("groups") else {}
    held: dict[str, Shown] = {}
    if wants(ATTRIBUTES) and users:
        known = {each.name: each for each in await attributes.defined(session, users[0].organization_id)}
        given = await attributes.given_to(session, ids)
        held = {user_id: {name: value(known[name], of[name]) for name in of} for user_id, of in given.items()}
    return [msgspec.to_builtins(_user(user, theirs.get(user.id, ()), held.get(user.id))) for user in users]


def value(attribute: UserAttribute, values: Sequence[str]) -> Any:
    """What somebody has of an attribute: an array where there may be several, else the one value."""
    read = [_number(each) for each in values] if attribute.type == "Number" else list(values)
    return read[0] if len(read) == 1 and not attribute.multiple_values else read


def _number(text: str) -> int | float | str:
    """A value of a Number; one from when the attribute was a String may be none."""
    try:
        return float(text) if "." in text or "e" in text.lower() else int(text)
    except ValueError:
        return text


def _user(user: User, theirs: Sequence[UserGroup], held: Mapping[str, Any] | None) -> UserResource:
    return UserResource(
        schemas=[USER, ATTRIBUTES],
        id=user.id,
        external_id=user.external_id or UNSET,
        user_name=user.email,
        display_name=user.name,
        name=Name(user.name, user.given_name or UNSET, user.family_name or UNSET),
        active=user.disabled_at is None,
        emails=[Value(user.email, type="work", primary=True)],
        roles=[Value(user.organization_role, primary=True)],
        groups=[Value(group.id, display=group.name, type="direct", ref=location(GROUPS, group.id)) for group in theirs]
        or UNSET,
        attributes=dict(held) if held else UNSET,
        meta=_meta(USERS, user),
    )


async def shown_groups(session: AsyncSession, found: Sequence[UserGroup], wants: Wants) -> list[Shown]:
    """Groups as they are shown."""
    members = await groups.members(session, [group.id for group in found]) if wants("members") else {}
    return [msgspec.to_builtins(_group(group, members.get(group.id, ()))) for group in found]


def _group(group: UserGroup, members: Sequence[groups.Member]) -> GroupResource:
    return GroupResource(
        schemas=[GROUP],
        id=group.id,
        external_id=group.external_id or UNSET,
        display_name=group.name,
        members=[Value(each.id, display=each.name, type="User", ref=location(USERS, each.id)) for each in members]
        or UNSET,
        meta=_meta(GROUPS, group),
    )


def _meta(resource: Resource, row: User | UserGroup) -> Meta:
    changed = row.created_at if row.updated_at is None else row.updated_at
    return Meta(resource.name, instant(row.created_at), instant(changed), location(resource, row.id))


# ---- answers ----------------------------------------------------------------------------------------------------


def everything(_: str) -> bool:
    """Wants all there is."""
    return True


def rendered(shown: Shown, status: int = 200) -> Rendered:
    """The answer that shows something; of what was made just now, with its place."""
    headers = [(b"location", shown["meta"]["location"].encode())] if status == 201 else []
    return Rendered(_encode(shown), status, headers, MEDIA_TYPE.encode())


def rendered_list(page: Sequence[Shown], start: int, total: int) -> Rendered:
    """The answer that shows one page of several."""
    listed = {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(page),
        "Resources": list(page),
    }
    return Rendered(_encode(listed), media_type=MEDIA_TYPE.encode())
