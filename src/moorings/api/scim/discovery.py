"""What identity providers ask before anything else: what is offered, which resources there are, and their schemas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from moorings.api.routing import Call, Rendered
from moorings.api.scim.listing import LARGEST_PAGE
from moorings.api.scim.resources import MEDIA_TYPE, scim_route
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUPS, LIST, USERS, Attribute, Resource
from moorings.api.shapes import Shape

CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
RESOURCE_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"

RESOURCES = (USERS, GROUPS)


class Supported(Shape):
    """Whether something is offered."""

    supported: bool


class FilterSupport(Supported):
    """Filters, and how many resources one answer has at most."""

    max_results: int


class BulkSupport(Supported):
    """Bulk requests."""

    max_operations: int
    max_payload_size: int


class Scheme(Shape):
    """A way to authenticate."""

    type: str
    name: str
    description: str
    primary: bool


class ProviderConfig(Shape, kw_only=True):
    """What is offered."""

    schemas: list[str]
    patch: Supported
    bulk: BulkSupport
    filter: FilterSupport
    change_password: Supported
    sort: Supported
    etag: Supported
    authentication_schemes: list[Scheme]


class Described(Shape, kw_only=True):
    """Descriptions, as RFC 7643 has them."""

    schemas: list[str]
    total_results: int
    start_index: int
    items_per_page: int
    resources: list[dict[str, Any]] = msgspec.field(name="Resources")


_encode = msgspec.json.Encoder().encode


async def config(call: Call) -> Rendered:
    """What is offered: PATCH, filters and sorting; no bulk requests, etags or passwords."""
    offered = ProviderConfig(
        schemas=[CONFIG],
        patch=Supported(supported=True),
        bulk=BulkSupport(supported=False, max_operations=0, max_payload_size=0),
        filter=FilterSupport(supported=True, max_results=LARGEST_PAGE),
        change_password=Supported(supported=False),
        sort=Supported(supported=True),
        etag=Supported(supported=False),
        authentication_schemes=[
            Scheme("oauthbearertoken", "Key", "A key of Moorings, as a bearer token.", primary=True)
        ],
    )
    return Rendered(_encode(offered), media_type=MEDIA_TYPE.encode())


async def resource_types(call: Call) -> Rendered:
    """Which kinds of resources there are."""
    return _listed([_resource_type(resource) for resource in RESOURCES])


async def described_schemas(call: Call) -> Rendered:
    """The attributes of each kind of resource."""
    return _listed([*map(_schema, RESOURCES), _extension()])


def _listed(found: Sequence[dict[str, Any]]) -> Rendered:
    listed = Described(
        schemas=[LIST], total_results=len(found), start_index=1, items_per_page=len(found), resources=list(found)
    )
    return Rendered(_encode(listed), media_type=MEDIA_TYPE.encode())


def _resource_type(resource: Resource) -> dict[str, Any]:
    extensions = [{"schema": ATTRIBUTES, "required": False}] if ATTRIBUTES in resource.extensions else []
    return {
        "schemas": [RESOURCE_TYPE],
        "id": resource.name,
        "name": resource.name,
        "endpoint": resource.path,
        "description": resource.description,
        "schema": resource.schema,
        "schemaExtensions": extensions,
    }


def _schema(resource: Resource) -> dict[str, Any]:
    return {
        "schemas": [SCHEMA],
        "id": resource.schema,
        "name": resource.name,
        "description": resource.description,
        "attributes": list(_attributes(resource.attributes)),
    }


def _extension() -> dict[str, Any]:
    return {
        "schemas": [SCHEMA],
        "id": ATTRIBUTES,
        "name": "UserAttribute",
        "description": "User attributes, by the names that they were defined with.",
        "attributes": [],
    }


def _attributes(found: Sequence[Attribute]) -> Iterator[dict[str, Any]]:
    for each in found:
        if not each.kept or each.name == ATTRIBUTES:
            continue
        described: dict[str, Any] = {
            "name": each.name,
            "type": each.kind,
            "multiValued": each.several,
            "description": each.description,
            "required": each.required,
            "caseExact": each.exact,
            "mutability": "readOnly" if each.read_only else "readWrite",
            "returned": "always" if each.name in {"id", "schemas"} else "default",
            "uniqueness": "server" if each.unique else "none",
        }
        if each.parts:
            described["subAttributes"] = list(_attributes(each.parts))
        yield described


# ---- bodies, for the OpenAPI document ---------------------------------------------------------------------------

_NAME: dict[str, Any] = {"type": ["string", "null"], "maxLength": 255}
_OBJECTS: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "object", "required": ["value"]}}


def user_body() -> dict[str, Any]:
    """A user, as it is sent."""
    own: dict[str, Any] = {
        "userName": {"type": "string", "format": "email", "maxLength": 254},
        "displayName": _NAME,
        "name": {
            "type": ["object", "null"],
            "properties": {"givenName": _NAME, "familyName": _NAME, "formatted": _NAME},
        },
        "externalId": _NAME,
        "active": {"type": ["boolean", "null"]},
        "roles": _OBJECTS,
        ATTRIBUTES: {"type": ["object", "null"]},
    }
    return _body(USERS, own) | {"required": ["userName"]}


def group_body() -> dict[str, Any]:
    """A group, as it is sent."""
    own: dict[str, Any] = {
        "displayName": {"type": "string", "minLength": 1, "maxLength": 255},
        "externalId": _NAME,
        "members": _OBJECTS,
    }
    return _body(GROUPS, own) | {"required": ["displayName"]}


def _body(resource: Resource, own: dict[str, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {each.name: {} for each in resource.attributes if each.name not in own}
    return {"type": "object", "properties": own | rest, "additionalProperties": False}


def patch_body() -> dict[str, Any]:
    """Operations on a user or a group."""
    operation: dict[str, Any] = {
        "type": "object",
        "properties": {
            "op": {"enum": ["add", "replace", "remove"], "description": "In any case."},
            "path": {"type": "string", "description": "What is changed; without it the value's keys say so."},
            "value": {},
        },
        "required": ["op"],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = {"schemas": {}, "Operations": {"type": "array", "items": operation}}
    return {
        "type": "object",
        "properties": properties,
        "required": ["Operations"],
        "additionalProperties": False,
    }


ROUTES = (
    scim_route(
        method="GET",
        path="/ServiceProviderConfig",
        handler=config,
        kind="free",
        summary="Say what SCIM offers here",
        answer=ProviderConfig,
    ),
    scim_route(
        method="GET",
        path="/ResourceTypes",
        handler=resource_types,
        kind="free",
        summary="List SCIM's kinds of resources",
        answer=Described,
    ),
    scim_route(
        method="GET",
        path="/Schemas",
        handler=described_schemas,
        kind="free",
        summary="List SCIM's schemas",
        answer=Described,
    ),
)
