"""The OpenAPI document, made from the route table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

import msgspec

from moorings import __version__, errors
from moorings.api.http.problems import status
from moorings.api.http.routing import Route
from moorings.api.http.tags import BY_OPERATION, ORDER, TAGS

DESCRIBED = ("application/json", "application/scim+json")
"""Media types with a schema in the document."""

REF = "#/components/schemas/{name}"

EVERYWHERE = (errors.InvalidMethod, errors.AuthenticationRequired, errors.InvalidToken, errors.RateLimited)
WITH_ID = (errors.InvalidId, errors.NotFound, errors.PermissionDenied)
WITH_BODY = (errors.InvalidJson, errors.BodyTooSlow, errors.BodyTooLarge, errors.WrongContentType)

DESCRIPTION = (
    "Send a key with each request: `Authorization: Bearer <key>`. "
    "To try an operation on this page, press **Authorize** and paste your key."
)

STATUS_WORDS = {
    400: "The request is not valid. `detail` names every fault.",
    401: "The request has no key.",
    403: "The key is unknown, disabled or revoked, or its role does not allow this.",
    404: "The resource does not exist, or the key may not see it.",
    406: "Accept names no supported media type.",
    408: "The body of the request did not arrive in time.",
    409: "The name is in use, another resource depends on this one, or the query was cancelled.",
    410: "The connection is archived.",
    412: "The connection was changed after you read it.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not application/json.",
    422: "The Idempotency-Key was used with a different request before.",
    429: "Too many requests with this key. `Retry-After` is the number of seconds to wait.",
    500: "Internal error. The service's log has the cause.",
    503: "All sessions are in use. `Retry-After` is the number of seconds to wait.",
    504: "The statement exceeded its time limit.",
}
"""The description of each error status in the document."""


CONNECTION = "/connections/"
CONNECTION_PARAMETER = "/connections/{connectionId}"
PARAMETER_NAMES = {"/jobs": "jobId", "/Groups": "miniUuid"}
"""Published names of ids that differ from `id`; below a connection's path its id is `connectionId`."""
PATH_PARAMETER = re.compile(r"{(\w+)}")


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document, for these routes."""
    routes = tuple(routes)
    shapes = {shape for route in routes for shape in (*_shapes(route), route.problem)}
    _, components = msgspec.json.schema_components(sorted(shapes, key=_name), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_published(route.location), {})[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moorings",
            "version": __version__,
            "summary": "A self-hosted connection service for analytics.",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "tags": [group._asdict() for group in ORDER],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A key of Moorings."}},
            "schemas": components,
        },
    }


def _published(path: str) -> str:
    """A path with the published names of its parameters: generated clients name their arguments after them."""
    for place, name in PARAMETER_NAMES.items():
        path = path.replace(f"{place}/{{id}}", f"{place}/{{{name}}}")
    return path if path.endswith(f"{CONNECTION}{{id}}") else path.replace(f"{CONNECTION}{{id}}", CONNECTION_PARAMETER)


def _shapes(route: Route) -> tuple[type, ...]:
    """The shapes of a route's responses: none, one, or a union of several."""
    return () if route.answer is None else get_args(route.answer) or (route.answer,)


def _name(shape: type) -> str:
    return shape.__name__


def _resource(route: Route) -> str:
    """The file below `resources` that has the handler, or the folder where several files share a resource."""
    modules = route.handler.__module__.split(".")
    return modules[modules.index("resources") + 1] if "resources" in modules else modules[-1]


def _operation_id(route: Route) -> str:
    return route.operation_id or _camel(f"{_resource(route)}_{route.handler.__name__}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def tag(route: Route) -> str:
    """The group of operations that a route is in."""
    modules = route.handler.__module__.split(".")
    of_file = TAGS[modules[modules.index("api") + (2 if "resources" in modules else 1)]]
    return BY_OPERATION.get(_operation_id(route), of_file).name


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [tag(route)],
        "summary": route.summary,
        "description": route.description or route.handler.__doc__,
        "parameters": _parameters(route),
        "responses": {str(route.status): _answer(route)} | _problems(route),
    }
    if route.body is not None:
        schema = route.body()
        body = {"examples": _examples(schema), "schema": _variants_moved(schema, components)}
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": dict.fromkeys(route.body_types, body),
        }
    return operation


def _examples(schema: dict[str, Any]) -> dict[str, Any]:
    """The examples of a body by name: one for each variant of a `oneOf`, which has its variant's title."""
    return {
        _component(variant) if "title" in variant else "example": {
            "summary": variant.get("title", "Example"),
            "value": variant.pop("examples")[0],
        }
        for variant in schema.get("oneOf", [schema])
    }


def _variants_moved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The schema with each titled variant of its `oneOf` as a reference to a component, so that it is written once."""
    if "discriminator" not in schema:
        return schema
    property_name = schema["discriminator"]["propertyName"]
    mapping: dict[str, str] = {}
    for variant in schema["oneOf"]:
        components[_component(variant)] = variant
        mapping[variant["properties"][property_name]["const"]] = REF.format(name=_component(variant))
    choices = [{"$ref": reference} for reference in mapping.values()]
    return schema | {"oneOf": choices, "discriminator": {"propertyName": property_name, "mapping": mapping}}


def _component(variant: dict[str, Any]) -> str:
    return re.sub(r"\W", "", variant["title"]) + "Connection"


def _parameters(route: Route) -> list[dict[str, Any]]:
    ids = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in PATH_PARAMETER.findall(_published(route.location))
    ]
    queries = [
        {
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.description,
            "schema": dict(parameter.schema),
            **({"required": True} if parameter.required else {}),
        }
        for parameter in route.parameters
    ]
    return ids + queries


def _answer(route: Route) -> dict[str, Any]:
    headers = {
        name: {"description": says, "schema": {"type": "string"}} for name, says in route.headers.items()
    } | _limit_headers()
    answer: dict[str, Any] = {"description": route.summary, "headers": headers}
    choices = [{"$ref": REF.format(name=shape.__name__)} for shape in _shapes(route)]
    if choices:
        schema: dict[str, Any] = choices[0] if len(choices) == 1 else {"oneOf": choices}
        answer["content"] = {
            media_type: {"schema": schema if media_type in DESCRIBED else {}} for media_type in route.media_types
        }
    return answer


def _limit_headers() -> dict[str, Any]:
    described = {
        "RateLimit-Limit": "How many requests the key may send at once.",
        "RateLimit-Remaining": "How many requests are left.",
        "RateLimit-Reset": "Seconds until all of them are there again.",
    }
    return {name: {"description": says, "schema": {"type": "integer"}} for name, says in described.items()}


def _problems(route: Route) -> dict[str, Any]:
    kinds = set(EVERYWHERE) | set(route.errors)
    if route.path_parameters:
        kinds |= set(WITH_ID)
    if route.permission is not None:
        kinds |= {errors.Archived}
    if route.admin:
        kinds |= {errors.PermissionDenied}
    if route.body is not None:
        kinds |= set(WITH_BODY)
    schema = {"$ref": REF.format(name=route.problem.__name__)}
    return {
        str(code): {"description": STATUS_WORDS[code], "content": {route.problem_type: {"schema": schema}}}
        for code in sorted({status(kind) for kind in kinds} | {500})
    }
