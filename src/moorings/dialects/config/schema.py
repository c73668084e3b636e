"""The JSON Schema of a dialect's Config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig


def json_schema(config: type[ConnectionConfig]) -> dict[str, Any]:
    """The schema of a request body: names as on the wire, secrets write-only, nothing else allowed."""
    made = config.model_json_schema(by_alias=True)
    properties = {
        config.wire_name(field): _property(config, field, made["properties"][config.wire_name(field)])
        for field in config.model_fields
    }
    required = [config.wire_name(field) for field in config.model_fields if _always(config, field)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(config: type[ConnectionConfig], field: str, made: dict[str, Any]) -> dict[str, Any]:
    schema = _without_null(made)
    schema = {key: value for key, value in schema.items() if key not in ("title", "default", "description")}
    if field == "authentication_type" and config.allowed(field):
        schema["enum"] = list(config.allowed(field))
    if any(need.accepted and need.field == field for need in config.needs()):
        schema["const"] = True
    if field in config.secret_fields():
        schema["writeOnly"] = True
    condition = config.required(field)
    requirement = f" Required {condition}." if condition and not condition.startswith("always") else ""
    schema["description"] = config.description(field) + requirement
    if not _always(config, field) and config.default(field) is not None:
        schema["default"] = config.default(field)
    return schema


def _without_null(made: dict[str, Any]) -> dict[str, Any]:
    choices = cast("list[dict[str, Any]]", made.get("anyOf", []))
    non_null = [choice for choice in choices if choice != {"type": "null"}]
    if len(non_null) == len(choices):
        return made
    rest = {key: value for key, value in made.items() if key != "anyOf"}
    return rest | (non_null[0] if len(non_null) == 1 else {"anyOf": non_null})


def _always(config: type[ConnectionConfig], field: str) -> bool:
    condition = config.required(field)
    return condition is not None and condition.startswith("always")
