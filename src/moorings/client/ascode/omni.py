"""Connections of Omni as a file: what its API returns of them, and variables for the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from moorings.client.ascode.desired import DBT, DBT_ENVIRONMENT
from moorings.client.ascode.documents import VERSION
from moorings.client.ascode.exporting import SCHEMA_LINE, dumped, variable
from moorings.client.errors import ApiError

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.shapes import Dialect

ATTRIBUTE_NAMES = ("userAttributeNameForConnectionEnvironments", "userAttributeNameForConnectionsEnvironments")
"""In both published spellings."""
PASSWORDLESS = ("duckdb",)


def address(url: str) -> str:
    """The address of an Omni, which people copy with `/api` or `/api/v1`."""
    return url.rstrip("/").removesuffix("/api/v1").removesuffix("/api").rstrip("/")


def read(client: Client) -> dict[str, Any]:
    """The connections of Omni with their environments, schedules and dbt. What the key may not read is left out."""
    connections: list[dict[str, Any]] = client.request("GET", "/connections")["connections"]
    environments = _or_none(client, "/connection-environments", "connectionEnvironments")
    for each in connections:
        path = f"/connections/{each['id']}"
        each["schedules"] = _or_none(client, f"{path}/schedules", "schedules")
        each["dbt"] = _or_none(client, f"{path}/dbt", None)
        each["dbtEnvironments"] = _or_none(client, f"{path}/dbt/environments", "records") if each["dbt"] else []
    return {"connections": connections, "environments": environments}


def _or_none(client: Client, path: str, key: str | None) -> Any:
    try:
        found: Any = client.request("GET", path)
    except ApiError:
        return []
    if key is None or isinstance(found, list):
        return cast("Any", found)
    return found.get(key) or []


def mapping(found: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Omni's ids → the names in the file, and the ids of the connections that this service has by these names."""
    names = _names(found["connections"])
    return {id_: {"name": name, "id": known.get(name)} for id_, name in names.items()}


def _names(connections: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The keys of the file: Omni's names, with a number added to repeated ones."""
    names: dict[str, str] = {}
    for each in connections:
        name, count = each["name"], 1
        while name in names.values():
            count += 1
            name = f"{each['name']} {count}"
        names[each["id"]] = name
    return names


def document(found: Mapping[str, Any], dialects: Iterable[Dialect]) -> str:
    """The YAML file. Hosts, users and what else Omni keeps to itself are variables that must be filled in."""
    known = {each["name"]: each for each in dialects}
    names = _names(found["connections"])
    connections = {names[each["id"]]: _connection(names[each["id"]], each, known) for each in found["connections"]}
    for each in found["environments"]:
        base, environment = names.get(each["baseConnectionId"]), names.get(each["connectionId"])
        if base and environment:
            routes = connections[base].setdefault("environments", {}).setdefault("connections", {})
            routes[environment] = each["userAttributeValues"]
    variables = sorted(set(re.findall(r"\$\{var:(\w+)\}", dumped(connections))))
    lines = "".join(f"#   {name}\n" for name in variables)
    note = f"# Define these under `variables`: Omni's API does not return them.\n{lines}" if variables else ""
    return SCHEMA_LINE + note + dumped({"version": VERSION, "connections": connections})


def _connection(name: str, each: Mapping[str, Any], known: Mapping[str, Dialect]) -> dict[str, Any]:
    found: dict[str, Any] = {"dialect": each["dialect"]}
    for field in ("database", "defaultSchema", "baseRole"):
        if each.get(field):
            found[field] = each[field]
    dialect = known.get(each["dialect"])
    required = (
        [field["name"] for field in dialect["fields"] if field["required"] == "always"]
        if dialect
        else ["host", "username"]
    )
    for field in required:
        if field not in ("dialect", "name", "passwordUnencrypted"):
            found.setdefault(field, f"${{var:{variable(name, field).lower()}}}")
    if each["dialect"] not in PASSWORDLESS:
        found["passwordUnencrypted"] = f"${{env:{variable(name, 'passwordUnencrypted')}}}"
    return found | _belongings(each)


def _belongings(each: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    attribute = next((each[name] for name in ATTRIBUTE_NAMES if each.get(name)), None)
    if attribute:
        values: Any = each.get("userAttributeValuesForDefaultEnvironment") or []
        words = values.split(",") if isinstance(values, str) else values
        found["environments"] = {"attribute": attribute, "default": words}
    if each["schedules"]:
        keys = ("schedule", "timezone", "hardRefresh")
        found["schedules"] = [{key: one[key] for key in keys if key in one} for one in each["schedules"]]
    if each["dbt"] and each["dbt"].get("sshUrl"):
        found["dbt"] = {name: each["dbt"][name] for name in DBT if each["dbt"].get(name) is not None}
        listed = [{k: v for k, v in one.items() if k in DBT_ENVIRONMENT and v} for one in each["dbtEnvironments"]]
        for one in listed:
            one["variables"] = {each["name"]: _dbt_value(each) for each in one.get("variables", [])}
        if listed:
            found["dbt"]["environments"] = listed
    return found


def _dbt_value(each: Mapping[str, Any]) -> Any:
    return f"${{env:{variable('dbt', each['name'])}}}" if each.get("isSecret") else each.get("value")
