"""Users, groups, roles, user attributes and API keys."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class ApiKey(TypedDict):
    """An API key, without its token. `membershipId` is the id of the user that a personal key acts as.

    `scopes` and `connectionIds` are there for a key that is limited, `expiresAt` for one that expires.
    """

    id: str
    name: str
    type: str
    enabled: bool
    createdAt: str
    membershipId: str | None
    scopes: NotRequired[list[str]]
    connectionIds: NotRequired[list[str]]
    expiresAt: NotRequired[str]
    lastUsedAt: NotRequired[str]
    createdBy: NotRequired[str]


class NewApiKey(ApiKey):
    """A key with its token, which is never shown again. After a rotation, the old token works until the given time."""

    token: str
    previousTokenExpiresAt: NotRequired[str]


class HeldRole(TypedDict):
    """The role that counts on a connection, and what it permits there."""

    roleName: str
    baseRole: str
    connectionId: str
    permissions: list[str]


class Person(TypedDict):
    """The user that a key acts as. An organization key acts as a service identity that never changes."""

    id: str
    membershipId: str


class Whoami(TypedDict):
    """Whom a key acts as. `rolesByModel` is by the ids of connections' models, which are the connections' own."""

    keyScope: str
    orgRole: str
    rolesByModel: dict[str, HeldRole]
    rolesByModelTruncated: bool
    user: Person
    scopes: NotRequired[list[str]]
    connectionIds: NotRequired[list[str]]


class UserAttribute(TypedDict):
    """A user attribute. System attributes have an empty id."""

    id: str
    name: str
    label: str
    description: str | None
    type: str
    multiple_values: bool
    default_value: str | None
    system: bool


class Move(TypedDict):
    """How many users and organization keys now get another connection through a base connection."""

    baseConnectionId: str
    baseConnectionName: str
    connectionIdBefore: str | None
    connectionIdAfter: str | None
    users: int
    apiKeys: int


class AttributeRemoved(TypedDict):
    """The attribute is deleted."""

    success: NotRequired[bool]
    warnings: NotRequired[list[str]]
    moved: NotRequired[list[Move]]
    usersWithValues: NotRequired[int]
    apiKeysWithValues: NotRequired[int]


class AttributeValues(TypedDict):
    """The attribute values of a user or key, by attribute name."""

    attributes: dict[str, list[str]]


class RoleSource(TypedDict):
    """Where a role comes from: `User Role`, `User Group Role` (with the group), or `Connection Base Role`."""

    type: str
    depth: int
    name: NotRequired[str]
    miniUuid: NotRequired[str]


Role = TypedDict(
    "Role",
    {
        "roleName": str,
        "connectionId": str,
        "modelId": str,
        "baseRole": str,
        "from": RoleSource,
        "priority": int,
        "resolved": bool,
    },
)
"""A role on a connection. If a user has several, the one with the highest priority applies: it is `resolved`."""


class ModelRoles(TypedDict):
    """Roles on connections. `membershipId` is the id of the user or group that has them."""

    results: list[Role]
    membershipId: str
    userId: NotRequired[str]
    userGroupId: NotRequired[str]


class UserAssigned(TypedDict):
    """The role that was assigned to a user."""

    connectionId: str
    modelId: str
    roleName: str
    membershipId: str
    userId: str


class GroupAssigned(TypedDict):
    """The role that was assigned to a group."""

    connectionId: str
    modelId: str
    roleName: str
    userGroupId: str


class ScimName(TypedDict):
    """The parts of a name."""

    formatted: NotRequired[str]
    givenName: NotRequired[str]
    familyName: NotRequired[str]


ScimValue = TypedDict(
    "ScimValue",
    {
        "value": NotRequired[str],
        "display": NotRequired[str],
        "type": NotRequired[str],
        "$ref": NotRequired[str],
        "primary": NotRequired[bool],
    },
)
"""One of several values."""


class ScimMeta(TypedDict):
    """When a resource was created and last changed, its URL and its version."""

    resourceType: str
    created: str
    lastModified: str
    location: str
    version: NotRequired[str]


User = TypedDict(
    "User",
    {
        "schemas": list[str],
        "id": str,
        "externalId": NotRequired[str],
        "userName": NotRequired[str],
        "displayName": NotRequired[str],
        "name": NotRequired[ScimName],
        "active": NotRequired[bool],
        "emails": NotRequired[list[ScimValue]],
        "roles": NotRequired[list[ScimValue]],
        "groups": NotRequired[list[ScimValue]],
        "urn:omni:params:1.0:UserAttribute": NotRequired[dict[str, Any]],
        "meta": NotRequired[ScimMeta],
    },
)
"""A user. Attributes without a value are left out."""


class Group(TypedDict):
    """A group. Attributes without a value are left out; a group without members has an empty array."""

    schemas: list[str]
    id: str
    externalId: NotRequired[str]
    displayName: NotRequired[str]
    members: NotRequired[list[ScimValue]]
    meta: NotRequired[ScimMeta]
