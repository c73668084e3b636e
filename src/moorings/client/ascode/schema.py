"""The JSON Schema of the files, for editors: made of the dialects that a service has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moorings.client.ascode.desired import DBT, DBT_ENVIRONMENT

ROLES = ("NO_ACCESS", "VIEWER", "RESTRICTED_QUERIER", "QUERIER", "MODELER", "CONNECTION_ADMIN", "QUERY_TOPICS")
TEXT: Mapping[str, Any] = {"type": "string"}
REFERENCE: Mapping[str, Any] = {"type": "string", "pattern": r"\$\{(var|env|file):[^}]+\}"}
"""A value from elsewhere, which may stand where a number or a boolean is expected."""
SECRET: Mapping[str, Any] = {"type": "string", "pattern": r"^\$\{(env|file):[^}]+\}$"}
WORDS: Mapping[str, Any] = {
    "oneOf": [{"type": ["string", "number"]}, {"type": "array", "items": {"type": ["string", "number"]}}]
}


def schema(dialects: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of a file. Each dialect allows its own fields."""
    known = list(dialects)
    cases = [_case(dialect) for dialect in known]
    names = [dialect["name"] for dialect in known]
    connection = {
        "type": "object",
        "properties": {"dialect": {"enum": names, "description": "The database or warehouse product."}},
        "required": ["dialect"],
        "allOf": cases,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Moorings as code",
        "description": "The files that `moorings plan` and `moorings apply` read.",
        **_object(
            {
                "version": {"const": 1},
                "variables": {"type": "object", "description": "Values for ${var:NAME}."},
                "attributes": _map(_attribute(), "User attributes by name."),
                "connections": _map({"$ref": "#/$defs/connection"}, "Connections by name."),
                "webhooks": _map(_webhook(), "Webhooks by address."),
            }
        ),
        "$defs": {"connection": connection},
    }


def _object(properties: Mapping[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _map(value: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": dict(value), "description": description}


def _case(dialect: Mapping[str, Any]) -> dict[str, Any]:
    """What holds of a connection with one dialect."""
    secret = {field["name"]: field["secret"] for field in dialect["fields"]}
    properties = {
        name: _field(made, secret=secret.get(name, False))
        for name, made in dialect["schema"]["properties"].items()
        if name != "name"
    }
    chosen = {"properties": {"dialect": {"const": dialect["name"]}}, "required": ["dialect"]}
    # The password may be missing: a file describes a connection that is there too.
    required = [name for name in dialect["schema"]["required"] if name != "name" and not secret.get(name)]
    return {"if": chosen, "then": _object(properties | {"dialect": True} | _own(), required)}


def _field(made: Mapping[str, Any], *, secret: bool) -> dict[str, Any]:
    if secret:
        return {**SECRET, "description": made.get("description", "")}
    rest = {name: value for name, value in made.items() if name not in ("description", "default", "writeOnly")}
    notes = {name: made[name] for name in ("description", "default") if name in made}
    return {"anyOf": [rest, REFERENCE, {"type": "null"}], **notes}


def _own() -> dict[str, Any]:
    environments = {"attribute": TEXT, "default": WORDS, "connections": _map(WORDS, "Attribute values by connection.")}
    schedule = {"schedule": TEXT, "timezone": TEXT, "hardRefresh": {"type": "boolean"}}
    role = {"enum": list(ROLES)}
    roles = {"groups": _map(role, "Roles by group."), "users": _map(role, "Roles by email.")}
    return {
        "id": {"type": "string", "format": "uuid", "description": "The id, to rename a connection by its key."},
        "environments": _object(environments) | {"description": "Which users go to which connection."},
        "schedules": {"type": "array", "items": _object(schedule, ["schedule"])},
        "roles": _object(roles),
        "dbt": _dbt(),
    }


def _dbt() -> dict[str, Any]:
    flags = ("autogenRelationships", "enableVirtualSchemas", "enableSemanticLayer")
    fields = {name: {"type": "boolean"} if name in flags else TEXT for name in DBT}
    variables = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
    environment = {name: variables if name == "variables" else TEXT for name in DBT_ENVIRONMENT}
    listed = {"type": "array", "items": _object(environment, ["name", "targetSchema"])}
    return _object(fields | {"environments": listed}, ["sshUrl", "branch"])


def _attribute() -> dict[str, Any]:
    fields = {
        "label": TEXT,
        "description": TEXT,
        "type": {"enum": ["String", "Number"]},
        "multiple_values": {"type": "boolean"},
        "default_value": {},
    }
    return _object(fields) | {"type": ["object", "null"]}


def _webhook() -> dict[str, Any]:
    events = {"type": "array", "items": TEXT}
    fields = {"events": events, "enabled": {"type": "boolean"}, "secret": SECRET}
    return _object(fields) | {"type": ["object", "null"]}
