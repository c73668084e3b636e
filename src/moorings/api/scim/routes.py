"""The operations of SCIM, for the OpenAPI document and the table of permissions; `endpoint` serves them."""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from moorings.access.policy import Scope
from moorings.api.http.answers import Shape
from moorings.api.http.call import Call, Parameter
from moorings.api.http.routing import JSON_TYPES, Route
from moorings.api.scim.vocabulary import ATTRIBUTES, BULK, GROUP, MEDIA_TYPE, PATCH, USER
from moorings.errors import (
    EmailInUse,
    EmbedUserNotFound,
    GroupInUse,
    MooringsError,
    NotUsers,
    PreconditionFailed,
    UserNotFound,
)

PREFIX = "/api/scim/v2"
SCOPES = (Scope.SCIM,)
PAGE_SIZE, MAX_PAGE_SIZE = 100, 1000
MAX_FILTER_LENGTH = 4000
BULK_OPERATIONS, BULK_BYTES = 100, 1024 * 1024

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


# ---- what answers have ------------------------------------------------------------------------------------------


class ScimProblem(Shape, omit_defaults=True):
    """The body of SCIM's errors (RFC 7644, 3.12)."""

    schemas: list[str]
    status: str
    detail: str
    scim_type: str | UnsetType = UNSET


class Meta(Shape, omit_defaults=True):
    """When a resource was created and last changed, its URL and its version."""

    resource_type: str
    created: str
    last_modified: str
    location: str
    version: str | UnsetType = UNSET


class Name(Shape, omit_defaults=True):
    """The parts of a name."""

    formatted: str | UnsetType = UNSET
    given_name: str | UnsetType = UNSET
    family_name: str | UnsetType = UNSET


class Value(Shape, omit_defaults=True):
    """One of several values."""

    value: str | UnsetType = UNSET
    display: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    ref: str | UnsetType = msgspec.field(name="$ref", default=UNSET)
    primary: bool | UnsetType = UNSET


class UserResource(Shape, omit_defaults=True, kw_only=True):
    """A user. Attributes without a value are left out."""

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
    """A group. Attributes without a value are left out; a group without members has an empty array."""

    schemas: list[str]
    id: str
    external_id: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    members: list[Value] | UnsetType = UNSET
    meta: Meta | UnsetType = UNSET


class Listed(Shape, kw_only=True):
    """One page, and the number of all resources."""

    schemas: list[str]
    total_results: int
    start_index: int
    items_per_page: int


class UserList(Listed, kw_only=True):
    """Users."""

    resources: list[UserResource] = msgspec.field(name="Resources")


class GroupList(Listed, kw_only=True):
    """Groups."""

    resources: list[GroupResource] = msgspec.field(name="Resources")


class Described(Listed, kw_only=True):
    """A list of resources (RFC 7644, 3.4.2)."""

    resources: list[dict[str, Any]] = msgspec.field(name="Resources")


class Description(Shape, kw_only=True):
    """A discovery document (RFC 7643, 5 to 7)."""

    schemas: list[str]


class BulkOutcome(Shape, kw_only=True):
    """The result of each operation, in the order of the request."""

    schemas: list[str]
    operations: list[dict[str, Any]] = msgspec.field(name="Operations")


# ---- what requests have -----------------------------------------------------------------------------------------

_TEXT: dict[str, Any] = {"type": ["string", "null"], "maxLength": 255}
_VALUES: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "object"}}


def user_body() -> dict[str, Any]:
    """A user in a request. Attributes of RFC 7643 that are not stored here are allowed too."""
    names = {"type": ["object", "null"], "properties": {"givenName": _TEXT, "familyName": _TEXT, "formatted": _TEXT}}
    properties = {
        "userName": {"type": "string", "minLength": 1, "maxLength": 254},
        "displayName": _TEXT,
        "name": names,
        "externalId": _TEXT,
        "active": {"type": ["boolean", "null"]},
        "roles": _VALUES,
        ATTRIBUTES: {"type": ["object", "null"]},
    }
    examples = [{"schemas": [USER], "userName": "ann@example.com", "displayName": "Ann Lee"}]
    return {"type": "object", "properties": properties, "required": ["userName"], "examples": examples}


def group_body() -> dict[str, Any]:
    """A group in a request."""
    properties = {
        "displayName": {"type": "string", "minLength": 1, "maxLength": 255},
        "externalId": _TEXT,
        "members": _VALUES,
    }
    examples = [{"schemas": [GROUP], "displayName": "Analysts"}]
    return {"type": "object", "properties": properties, "required": ["displayName"], "examples": examples}


def patch_body() -> dict[str, Any]:
    """Operations on a resource."""
    properties = {
        "op": {"enum": ["add", "replace", "remove"], "description": "Case does not matter."},
        "path": {
            "type": "string",
            "description": "The attribute to change. Without a path, the keys of `value` name the attributes.",
        },
        "value": {},
    }
    operation = {"type": "object", "properties": properties, "required": ["op"]}
    examples = [{"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "Ann"}]}]
    return _object("Operations", {"type": "array", "items": operation}) | {"examples": examples}


def bulk_body() -> dict[str, Any]:
    """Operations on several resources."""
    operation = {"type": "object", "required": ["method", "path"]}
    group = {
        "method": "POST",
        "path": "/Groups",
        "bulkId": "1",
        "data": {"schemas": [GROUP], "displayName": "Analysts"},
    }
    operations = {"type": "array", "items": operation, "maxItems": BULK_OPERATIONS}
    return _object("Operations", operations) | {"examples": [{"schemas": [BULK], "Operations": [group]}]}


def search_body() -> dict[str, Any]:
    """The query parameters of a list, as a body."""
    properties = {each.name: dict(each.schema) for each in SEVERAL}
    return {"type": "object", "properties": properties, "examples": [{"filter": 'displayName sw "A"', "count": 10}]}


def _object(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"schemas": {}, name: schema}, "required": [name]}


ONE = (
    Parameter("attributes", {"type": "string"}, "Attributes to return, comma-separated. Default: all."),
    Parameter("excludedAttributes", {"type": "string"}, "Attributes to leave out of the response, comma-separated."),
)
SEVERAL = (
    Parameter("filter", {"type": "string"}, 'An expression such as `userName eq "ann@example.com"`.'),
    Parameter("startIndex", {"type": "integer"}, "The position of the first result, starting at 1."),
    Parameter("count", {"type": "integer"}, f"Results per page. Default: {PAGE_SIZE}. Maximum: {MAX_PAGE_SIZE}."),
    Parameter("sortBy", {"type": "string"}, "The attribute to sort by. Default: oldest first."),
    Parameter("sortOrder", {"enum": ["ascending", "descending"]}, "The sort order. Default: `ascending`."),
    *ONE,
)


# ---- the operations ---------------------------------------------------------------------------------------------


async def served(call: Call) -> Any:
    """Never called: `endpoint` serves these operations itself."""
    raise NotImplementedError


_route = functools.partial(
    Route,
    prefix=PREFIX,
    scopes=SCOPES,
    admin=True,
    handler=served,
    kind="free",
    body_types=(MEDIA_TYPE, *JSON_TYPES),
    media_types=(MEDIA_TYPE,),
    problem=ScimProblem,
    problem_type=MEDIA_TYPE,
)
_CONFLICTS: dict[str, tuple[type[MooringsError], ...]] = {"User": (EmailInUse,), "Group": (GroupInUse, NotUsers)}


REPLACE = "Replace the resource. `roles`, `members` and user attributes that are left out keep their values."
CHANGE = "Apply all operations of the body. If one fails, none is applied."


def _of(kind: str, answer: Any, listed: Any, body: Any) -> tuple[Route, ...]:
    """The operations on one kind of resource."""
    many, one, name, conflicts = f"/{kind}s", f"/{kind}s/{{id}}", kind.lower(), _CONFLICTS[kind]
    changed = (*conflicts, PreconditionFailed)

    def route(method: Method, path: str, act: str, summary: str, description: str, **rest: Any) -> Route:
        operation_id = f"scim{kind}s{act}"
        return _route(
            method=method, path=path, operation_id=operation_id, summary=summary, description=description, **rest
        )

    return (
        route(
            *("GET", many, "List", f"List {name}s", f"List {name}s, oldest first unless `sortBy` says so."),
            answer=listed,
            parameters=SEVERAL,
        ),
        route(
            *("POST", many, "Create", f"Create a {name}", f"Create a {name}."),
            answer=answer,
            status=201,
            body=body,
            errors=conflicts,
            headers={"Location": f"The URL of the {name}."},
        ),
        route(
            *("POST", f"{many}/.search", "Search", f"Search {name}s", f"List {name}s by a query in the body."),
            answer=listed,
            body=search_body,
        ),
        route(
            *("GET", one, "Get", f"Get a {name}", f"One {name}."),
            answer=answer,
            parameters=ONE,
        ),
        route(
            *("PUT", one, "Replace", f"Replace a {name}", REPLACE),
            answer=answer,
            body=body,
            errors=changed,
        ),
        route(
            *("PATCH", one, "Update", f"Change a {name}", CHANGE),
            answer=answer,
            body=patch_body,
            errors=changed,
        ),
        route(
            *("DELETE", one, "Delete", f"Delete a {name}", f"Delete a {name} and its roles."),
            answer=None,
            status=204,
            errors=(PreconditionFailed,),
        ),
    )


def _discovery(path: str, act: str, summary: str, answer: Any) -> Route:
    return _route(
        method="GET", path=path, operation_id=f"scim{act}", summary=summary, description=summary, answer=answer
    )


def _me(method: Method, act: str, summary: str, **rest: Any) -> Route:
    description = "The user of the key. Organization keys have none and get 404."
    return _route(
        method=method,
        path="/Me",
        operation_id=f"scimMe{act}",
        summary=summary,
        description=description,
        answer=UserResource,
        **rest,
    )


def _embed(method: Method, path: str, act: str, summary: str, **rest: Any) -> Route:
    return _route(
        method=method,
        path=f"/embed/Users{path}",
        operation_id=f"scimEmbedUsers{act}",
        summary=summary,
        description="There are no embed users here: the list is empty, and every id is unknown.",
        errors=(EmbedUserNotFound,),
        **rest,
    )


ROUTES = (
    _embed("GET", "", "List", "List users of embedding", answer=UserList, parameters=SEVERAL),
    _embed("GET", "/{id}", "Get", "Get a user of embedding", answer=UserResource),
    _embed("DELETE", "/{id}", "Delete", "Delete a user of embedding", answer=None, status=204),
    *_of("User", UserResource, UserList, user_body),
    *_of("Group", GroupResource, GroupList, group_body),
    _me("GET", "Get", "Get yourself", parameters=ONE, errors=(UserNotFound,)),
    _me("PUT", "Replace", "Replace yourself", body=user_body, errors=(UserNotFound, EmailInUse, PreconditionFailed)),
    _me("PATCH", "Update", "Change yourself", body=patch_body, errors=(UserNotFound, EmailInUse, PreconditionFailed)),
    _route(
        method="GET",
        path="",
        operation_id="scimList",
        summary="List users and groups",
        description="Users, then groups, each oldest first.",
        answer=Described,
        parameters=SEVERAL,
    ),
    _route(
        method="POST",
        path="/.search",
        operation_id="scimSearch",
        summary="Search users and groups",
        description="List users and groups by a query in the body.",
        answer=Described,
        body=search_body,
    ),
    _route(
        method="POST",
        path="/Bulk",
        operation_id="scimBulk",
        summary="Run several operations",
        description="Run several operations. Each succeeds or fails alone. Operations that refer to others run last.",
        answer=BulkOutcome,
        body=bulk_body,
    ),
    _discovery("/ServiceProviderConfig", "ServiceProviderConfig", "Show what SCIM supports here", Description),
    _discovery("/ResourceTypes", "ResourceTypesList", "List SCIM's kinds of resources", Described),
    _discovery("/ResourceTypes/{id}", "ResourceTypesGet", "Get a kind of resource", Description),
    _discovery("/Schemas", "SchemasList", "List SCIM's schemas", Described),
    _discovery("/Schemas/{id}", "SchemasGet", "Get a schema", Description),
)
