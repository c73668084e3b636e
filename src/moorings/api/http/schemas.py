"""JSON Schemas of request bodies and parameters, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from moorings import dialects
from moorings.access.keys import DEFAULT_OVERLAP, LONGEST_OVERLAP
from moorings.access.policy import ROLE_NAMES, Scope
from moorings.dbt.names import PATH_PATTERN
from moorings.dialects.base import Dialect
from moorings.dialects.config.examples import example
from moorings.dialects.config.fields import NUMERIC_AS
from moorings.webhooks.models import EVENTS

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
UUID: dict[str, Any] = {"type": "string", "format": "uuid"}
UUIDS: dict[str, Any] = {"type": "string", "pattern": "^UUID( *, *UUID)*$".replace("UUID", UUID_PATTERN)}
UUIDS_OR_NONE: dict[str, Any] = {"type": "string", "pattern": f"^$|{UUIDS['pattern']}"}
VALUE: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,\\x00]+$"}
DIALECT_LIST: dict[str, Any] = {
    "type": "string",
    "pattern": "^(NAME)?( *, *(NAME)?)*$".replace("NAME", "|".join(dialects.names())),
}
FLAG: dict[str, Any] = {"enum": ["true", "false", "True", "False", "1", "0"]}
"""A boolean of a query, in each spelling that clients send."""
EXPIRY: dict[str, Any] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When the token stops working: a time in the future.",
}
MOST_CONNECTIONS_OF_KEY = 100
EXAMPLE_ID, OTHER_ID = "4b3c1a52-6a0e-4a86-9d6c-6f2b1c9c1a11", "7d1f0e3c-2b5a-4c8d-8f6e-1a2b3c4d5e6f"
VALUES: dict[str, Any] = {"type": "array", "items": VALUE, "uniqueItems": True}


def connection() -> dict[str, Any]:
    """The body that creates or tests a connection: one shape per dialect, from its Config."""
    return {
        "oneOf": [_of_dialect(dialects.named(name)) for name in dialects.names()],
        "discriminator": {"propertyName": "dialect"},
    }


def _of_dialect(dialect: Dialect) -> dict[str, Any]:
    schema = dialect.Config.json_schema()
    return {"title": dialect.title} | schema | {"examples": [example(dialect.Config)]}


def connection_changes() -> dict[str, Any]:
    """The body that changes a connection."""
    name = {"type": "string", "minLength": 1, "maxLength": 255}
    attribute = {
        "type": ["object", "null"],
        "properties": {"attributeName": name, "defaultValues": VALUES | {"type": ["array", "null"]}},
        "required": ["attributeName", "defaultValues"],
        "additionalProperties": False,
    }
    properties = _fields_of_dialects() | {
        "baseRole": {"enum": list(ROLE_NAMES)},
        "environmentUserAttribute": attribute,
        "userAttributeNameForConnectionEnvironments": name | {"type": ["string", "null"]},
        "userAttributeValuesForDefaultEnvironment": _values(),
    }
    return _object(properties) | {"minProperties": 1, "examples": [{"queryTimeoutSeconds": 60, "baseRole": "QUERIER"}]}


def _fields_of_dialects() -> dict[str, Any]:
    """Every field of all dialects; null resets a field to its default. Allowed values differ by dialect."""
    fields: dict[str, Any] = {}
    for name in dialects.names():
        for field, schema in dialects.named(name).Config.json_schema()["properties"].items():
            taken = {"anyOf": [schema, {"type": "null"}]}
            fields[field] = (
                taken if fields.setdefault(field, taken) == taken else {"description": schema["description"]}
            )
    return fields


def credentials() -> dict[str, Any]:
    """The body that restores a connection: its secrets, or nothing."""
    configs = [dialects.named(name).Config for name in dialects.names()]
    secret = {config.wire_name(field) for config in configs for field in config.secret_fields()}
    fields = {field: schema for field, schema in _fields_of_dialects().items() if field in secret}
    return _object(fields) | {"examples": [{"passwordUnencrypted": "the password"}]}


def new_environments() -> dict[str, Any]:
    """The body that attaches environments to a base connection."""
    several = {"oneOf": [UUIDS, {"type": "array", "items": UUID, "minItems": 1}]}
    properties = {"baseConnectionId": UUID, "environmentConnectionIds": several}
    examples = [{"baseConnectionId": EXAMPLE_ID, "environmentConnectionIds": [OTHER_ID]}]
    return _object(properties) | {"required": list(properties), "examples": examples}


def environment_values() -> dict[str, Any]:
    """The body that sets the values of an environment."""
    examples = [{"userAttributeValues": ["eu", "uk"]}]
    return _object({"userAttributeValues": _values()}) | {"required": ["userAttributeValues"], "examples": examples}


def query() -> dict[str, Any]:
    """The body that runs a query."""
    value = {"type": ["string", "number", "boolean", "null"]}
    properties = {
        "sql": {"type": "string", "minLength": 1, "maxLength": 500_000},
        "parameters": {
            "type": "array",
            "items": value,
            "description": "Values for the placeholders of the statement, in the dialect's own syntax.",
        },
        "rowLimit": {"type": "integer", "minimum": 1},
        "timeoutSeconds": {"type": "integer", "minimum": 1},
        "numericAs": {
            "type": "string",
            "pattern": f"^({NUMERIC_AS.pattern})$",
            "description": "The type of numbers without a declared precision.",
        },
        "readOnly": {
            "type": "boolean",
            "default": False,
            "description": "Refuse statements that write, also on a writable connection.",
        },
    }
    return _object(properties) | {"required": ["sql"], "examples": [{"sql": "SELECT 1 AS one", "rowLimit": 100}]}


def query_job() -> dict[str, Any]:
    """The body that runs SQL as a job."""
    query = {
        "type": "object",
        "properties": {
            "modelId": UUID | {"description": "The id of a connection's model, which is the connection's own."},
            "userEditedSQL": {"type": "string", "minLength": 1, "maxLength": 500_000},
            "limit": {"type": ["integer", "null"], "minimum": 1, "default": 1000, "description": "null: all rows."},
        },
        "required": ["modelId", "userEditedSQL"],
    }
    properties = {
        "query": query,
        "resultType": {"enum": ["csv", "json", "xlsx", None], "description": "Without it, the result is Arrow."},
        "cache": {"enum": ["disabled", "normal", "refresh", "refresh_all"]},
        "userId": UUID | {"description": "The user whose rights and attributes count; for organization keys."},
        "planOnly": {"type": "boolean"},
        "formatResults": {"type": "boolean"},
        "branchId": UUID,
        "connectionEnvironmentId": UUID,
    }
    example = {"query": {"modelId": EXAMPLE_ID, "userEditedSQL": "SELECT 1"}}
    return _object(properties) | {"required": ["query"], "examples": [example]}


def refresh() -> dict[str, Any]:
    """The body that asks for a refresh; zero bytes ask for a soft one."""
    flag = {"type": "boolean", "description": "Also remove tables that no longer exist in the database."}
    return _object({"hardRefresh": flag}) | {"examples": [{"hardRefresh": False}]}


def new_key() -> dict[str, Any]:
    """The body that creates a key."""
    properties = {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "type": {"enum": ["organization", "personal"], "description": "Default: that of the key that creates it."},
        **_limits_of_key(),
    }
    example = {"name": "Dashboard", "type": "organization", "scopes": ["read", "query"]}
    return _object(properties) | {"required": ["name"], "examples": [example]}


def key_changes() -> dict[str, Any]:
    """The body that changes a key. It has at least one field; null removes a limit."""
    properties = {"enabled": {"type": "boolean"}, **_limits_of_key()}
    return _object(properties) | {"minProperties": 1, "examples": [{"enabled": False}]}


def key_rotation() -> dict[str, Any]:
    """The body that rotates a key; zero bytes for the defaults."""
    properties = {
        "overlapSeconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": LONGEST_OVERLAP // 1000,
            "default": DEFAULT_OVERLAP // 1000,
            "description": "How long the token before the rotation stays valid.",
        },
        "expiresAt": EXPIRY,
    }
    return _object(properties) | {"examples": [{"overlapSeconds": 3600}]}


def _limits_of_key() -> dict[str, Any]:
    scopes = {"type": ["array", "null"], "items": {"enum": list(Scope)}, "minItems": 1}
    ids = {"type": ["array", "null"], "items": UUID, "minItems": 1, "maxItems": MOST_CONNECTIONS_OF_KEY}
    return {
        "scopes": scopes | {"description": "The operations that the key can call; without it, all."},
        "connectionIds": ids | {"description": "The connections that the key can use; without it, all of its owner."},
        "expiresAt": EXPIRY,
    }


def user_attribute() -> dict[str, Any]:
    """The body that defines a user attribute."""
    name = {"type": "string", "minLength": 1, "maxLength": 255}
    properties = {
        "name": name,
        "label": name,
        "description": {"type": ["string", "null"], "minLength": 1, "maxLength": 1000},
        "type": {"enum": ["String", "Number"]},
        "multiple_values": {"type": "boolean"},
        "default_value": _attribute_values(),
    }
    return _object(properties) | {"required": ["name"], "examples": [{"name": "region", "default_value": "eu"}]}


def attribute_values() -> dict[str, Any]:
    """The body that sets attributes, by their names."""
    return {"type": "object", "additionalProperties": _attribute_values(), "examples": [{"region": "eu"}]}


def _attribute_values() -> dict[str, Any]:
    one = {"oneOf": [VALUE, {"type": "number"}]}
    return {"oneOf": [VALUE, {"type": "number"}, {"type": "array", "items": one}, {"type": "null"}]}


def assigned_role() -> dict[str, Any]:
    """The body that assigns a role on a connection."""
    properties = {
        "roleName": {"enum": list(ROLE_NAMES)},
        "connectionId": UUID | {"description": "The connection; required without `modelId`."},
        "modelId": UUID | {"description": "The same, by the id of its model, which is the connection's own."},
    }
    return _object(properties) | {
        "required": ["roleName"],
        "anyOf": [{"required": ["connectionId"]}, {"required": ["modelId"]}],
        "examples": [{"roleName": "QUERIER", "connectionId": EXAMPLE_ID}],
    }


def schedule() -> dict[str, Any]:
    """The body that makes or replaces a schedule."""
    text = {"type": "string", "minLength": 1, "maxLength": 255}
    properties = {
        "schedule": text
        | {
            "description": "An AWS EventBridge cron expression: `minute hour day-of-month month day-of-week year`. "
            "Unix cron (five fields) and `@daily` are accepted too, and stored as six fields."
        },
        "timezone": text | {"description": "An IANA time zone name, such as `America/New_York`."},
        "hardRefresh": {"type": "boolean", "default": False},
    }
    examples = [{"schedule": "0 6 ? * MON-FRI *", "timezone": "Europe/London"}]
    return _object(properties) | {"required": ["schedule", "timezone"], "examples": examples}


def dbt_project() -> dict[str, Any]:
    """The body that links a dbt repository, or changes it."""
    flag = {"type": "boolean"}
    properties = {
        "autogenRelationships": flag,
        "branch": {"type": "string", "minLength": 1, "maxLength": 255},
        "enableVirtualSchemas": flag,
        "sshUrl": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "`git@host:path` or `ssh://…`."},
        "dbtVersion": {"enum": ["Auto", "1.10", "1.11", None]},
        "enableSemanticLayer": flag | {"default": False},
        "projectRootPath": {"type": ["string", "null"], "maxLength": 1000, "pattern": f"^$|{PATH_PATTERN}"},
        "rotateKeys": flag | {"default": False, "description": "Create a new deploy key."},
    }
    linked = {"sshUrl": "git@github.com:org/repo.git", "branch": "main"}
    examples = [linked | {"autogenRelationships": True, "enableVirtualSchemas": False}]
    return _object(properties) | {"required": list(properties)[:4], "examples": examples}


def dbt_environment() -> dict[str, Any]:
    """The body that adds or replaces a dbt environment."""
    text = {"type": "string", "minLength": 1, "maxLength": 255}
    own = text | {"type": ["string", "null"]}
    variable = {
        "id": UUID,
        "name": text | {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "value": {"type": ["string", "null"], "maxLength": 10_000},
        "isSecret": {"type": "boolean", "default": False},
    }
    properties = {
        "name": text,
        "targetSchema": text,
        "ownerId": UUID | {"type": ["string", "null"]},
        "targetDatabase": own,
        "targetName": own,
        "targetRole": own,
        "isDeferralEnabled": {"type": "boolean", "default": False},
        "variables": {
            "type": "array",
            "maxItems": 1000,
            "items": _object(variable) | {"anyOf": [{"required": ["name"]}, {"required": ["id"]}]},
        },
    }
    examples = [{"name": "Production", "targetSchema": "analytics"}]
    return _object(properties) | {"required": ["name", "targetSchema"], "examples": examples}


def nothing() -> dict[str, Any]:
    """An empty object; an empty body is also allowed."""
    return _object({}) | {"examples": [{}]}


def _values() -> dict[str, Any]:
    return {"oneOf": [{"type": "string"}, VALUES, {"type": "null"}]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def new_webhook() -> dict[str, Any]:
    """The body of POST /webhooks."""
    properties: dict[str, Any] = {
        "url": {"type": "string", "format": "uri", "maxLength": 2000, "description": "An http or https address."},
        "events": {
            "type": "array",
            "items": {"enum": list(EVENTS)},
            "description": "The events that the webhook gets. Default: all.",
        },
        "secret": {
            "type": "string",
            "writeOnly": True,
            "pattern": "^whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}==)?$",
            "description": "Signs the messages: `whsec_` and the base64 of 24 to 64 bytes. One is made when absent.",
        },
    }
    examples = [{"url": "https://hooks.example.com/moorings", "events": ["connection.health"]}]
    return _object(properties) | {"required": ["url"], "examples": examples}


def webhook_changes() -> dict[str, Any]:
    """The body of PATCH /webhooks/{id}."""
    overlap = {
        "type": "integer",
        "minimum": 0,
        "maximum": 604_800,
        "default": 86_400,
        "description": "Seconds for which the previous secret signs messages too, once `secret` has replaced it.",
    }
    properties = new_webhook()["properties"] | {"secretOverlapSeconds": overlap, "enabled": {"type": "boolean"}}
    return _object(properties) | {"examples": [{"enabled": False}]}
