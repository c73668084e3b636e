"""What a service has, as a file that `moorings apply` reads: without secrets, and without what is the default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from moorings.client.ascode.current import read
from moorings.client.ascode.desired import OWN_KEYS
from moorings.client.ascode.documents import VERSION
from moorings.client.ascode.items import Item, Secret
from moorings.client.ascode.references import mapped

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.shapes import Dialect

SCHEMA_LINE = "# yaml-language-server: $schema=moorings.schema.json\n"
"""Editors with the YAML language server complete and check the file by this line."""


def export(client: Client) -> str:
    """The YAML of everything that the key sees. A connection whose name is not unique is an error."""
    dialects = {each["name"]: each for each in client.dialects.list()}
    items = read(client).items.values()
    connections = {item.name: _connection(item, dialects[item.fields["dialect"]]) for item in _of(items, "connection")}
    for item in items:
        if item.owner in connections:
            _add(connections[item.owner], item)
    document: dict[str, Any] = {
        "version": VERSION,
        "attributes": {item.name: _given(item.fields) for item in _of(items, "attribute")},
        "connections": {name: _in_order(fields) for name, fields in connections.items()},
        "webhooks": {item.name: item.fields for item in _of(items, "webhook")},
    }
    return SCHEMA_LINE + dumped({name: value for name, value in document.items() if value})


def dumped(document: Mapping[str, Any]) -> str:
    """A document as YAML."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)


def _of(items: Any, kind: str) -> list[Item]:
    return [item for item in items if item.kind == kind]


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _quoted(value) for name, value in fields.items() if value is not None}


def _quoted(value: Any) -> Any:
    """A value whose `${` is no reference."""
    return mapped(value, lambda text: re.sub(r"\$\{(?=\w+:)", "$${", text))


def _connection(item: Item, dialect: Dialect) -> dict[str, Any]:
    usual = {field["name"]: field["default"] for field in dialect["fields"]}
    found: dict[str, Any] = {"dialect": item.fields["dialect"]}
    for name, value in item.fields.items():
        if isinstance(value, Secret):
            found[name] = f"${{env:{variable(item.name, name)}}}"
        elif name not in ("name", "dialect") and value is not None and value != usual.get(name):
            found[name] = _quoted(value)
    return found


def variable(connection: str, field: str) -> str:
    """The environment variable that an exported file expects a secret in: `SHOP_PASSWORD`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field.removesuffix("Unencrypted"))
    return re.sub(r"\W+", "_", f"{connection}_{words}").strip("_").upper()


def _add(connection: dict[str, Any], item: Item) -> None:
    """Put an item where its connection has it."""
    if item.kind == "routing":
        connection.setdefault("environments", {}).update(_given(item.fields))
    elif item.kind == "environment":
        values = item.fields["userAttributeValues"]
        connection.setdefault("environments", {}).setdefault("connections", {})[item.facts["connection"]] = values
    elif item.kind == "schedule":
        connection.setdefault("schedules", []).append(item.fields)
    elif item.kind == "role":
        held = connection.setdefault("roles", {}).setdefault(item.facts["kind"], {})
        held[item.facts["name"]] = item.fields["roleName"]
    elif item.kind == "dbt":
        connection.setdefault("dbt", {}).update(_given(item.fields))
    elif item.kind == "dbt environment":
        fields = _given(item.fields)
        shown = {name: _dbt_value(item, name, value) for name, value in item.fields["variables"].items()}
        fields["variables"] = shown
        connection.setdefault("dbt", {}).setdefault("environments", []).append(fields)


def _dbt_value(item: Item, name: str, value: Any) -> Any:
    return f"${{env:{variable(item.name, name)}}}" if isinstance(value, Secret) else _quoted(value)


def _in_order(fields: dict[str, Any]) -> dict[str, Any]:
    """The connection's own fields, then what belongs to it."""
    own = {name: fields[name] for name in OWN_KEYS if name in fields}
    return {name: value for name, value in fields.items() if name not in own} | own
