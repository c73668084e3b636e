"""What a service has, as items: what the files name of it, or everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moorings.client.ascode.desired import ATTRIBUTE, DBT, DBT_ENVIRONMENT
from moorings.client.ascode.items import Item, Items, Secret, keyed
from moorings.client.errors import AmbiguousName, ApiError, UnknownName

if TYPE_CHECKING:
    from moorings.client import Client
    from moorings.client.shapes import Connection

GROUP_ROLE, USER_ROLE = "User Group Role", "User Role"


@dataclass(slots=True)
class Current:
    """The items of a service, and the ids of its live connections by name."""

    items: Items
    ids: dict[str, list[str]]
    archived: dict[str, list[str]]


def read(client: Client, wanted: Items | None = None) -> Current:
    """What the service has of the wanted items and beside them; everything without `wanted`."""
    connections = client.connections.list(include_deleted=True)
    live = [each for each in connections if each["deletedAt"] is None]
    names = {each["id"]: each["name"] for each in live}
    found: list[Item] = list(_attributes(client))
    found += _connections(client, live, wanted)
    managed = {item.id: item.name for item in found if item.kind == "connection" and item.facts["read"]}
    found += _environments(client, names | managed, managed)
    for id_, name in managed.items():
        found += _schedules(client, id_ or "", name)
        if wanted is None or f"dbt {name}" in wanted:
            found += _dbt(client, id_ or "", name)
    found += _roles(client, managed, wanted)
    found += _webhooks(client)
    return Current(keyed(found), _by_name(live), _by_name(each for each in connections if each["deletedAt"]))


def _by_name(connections: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in connections:
        found.setdefault(each["name"], []).append(each["id"])
    return found


def _connections(client: Client, live: list[Connection], wanted: Items | None) -> Iterator[Item]:
    """Every connection; those that are wanted with their settings."""
    by_id = {item.id: item for item in (wanted or {}).values() if item.kind == "connection" and item.id}
    for each in live:
        item = by_id.get(each["id"]) or (wanted or {}).get(f"connection {each['name']}")
        if item is not None and item.id is not None and item.id != each["id"]:
            item = None  # the name of another connection
        if wanted is not None and item is None:
            yield Item("connection", each["name"], {}, each["id"], facts={"read": False})
            continue
        name = each["name"] if item is None else item.name
        same = [other["id"] for other in live if other["name"] == each["name"]]
        if len(same) > 1 and (item is None or item.id is None):
            raise AmbiguousName("connection", name, same)
        details = client.connections.get(each["id"])
        secrets: dict[str, Any] = {
            name: Secret(shown["fingerprint"] or "") for name, shown in details["credentials"].items()
        }
        fields = details["settings"] | secrets | {"name": each["name"]}
        facts = {"read": True}
        yield Item("connection", name, fields, each["id"], details["etag"], facts=facts)
        values = details["userAttributeValuesForDefaultEnvironment"]
        attribute = details["userAttributeNameForConnectionEnvironments"]
        if attribute is not None:
            routing = {"attribute": attribute, "default": values.split(",") if values else []}
            yield Item("routing", name, routing, each["id"], owner=name)


def _environments(client: Client, names: dict[Any, str], managed: dict[Any, str]) -> Iterator[Item]:
    for each in client.environments.list():
        base, connection = each["baseConnectionId"], each["connectionId"]
        if base in managed:
            label = f"{managed[base]} / {names.get(connection, connection)}"
            facts = {"base": managed[base], "connection": names.get(connection, connection)}
            fields = {"userAttributeValues": each["userAttributeValues"]}
            yield Item("environment", label, fields, each["id"], owner=managed[base], facts=facts)


def _attributes(client: Client) -> Iterator[Item]:
    for each in client.attributes.list():
        if not each["system"]:
            fields = {name: value for name, value in each.items() if name in ATTRIBUTE}
            yield Item("attribute", each["name"], fields, each["id"])


def _schedules(client: Client, connection_id: str, connection: str) -> Iterator[Item]:
    for each in client.schedules.list(connection_id):
        fields = {name: each[name] for name in ("schedule", "timezone", "hardRefresh")}
        name = f"{connection} / {each['schedule']} {each['timezone']}"
        yield Item("schedule", name, fields, each["scheduleId"], owner=connection)


def _dbt(client: Client, connection_id: str, connection: str) -> Iterator[Item]:
    found: Any = client.dbt.get(connection_id)
    if "sshUrl" not in found:
        return
    yield Item("dbt", connection, {name: found[name] for name in DBT}, connection_id, owner=connection)
    for each in client.dbt.environments(connection_id):
        fields: dict[str, Any] = {name: value for name, value in each.items() if name in DBT_ENVIRONMENT}
        fields["variables"] = {
            variable["name"]: Secret("") if variable["isSecret"] else variable["value"]
            for variable in each["variables"]
        }
        ids = {variable["name"]: variable["id"] for variable in each["variables"]}
        name = f"{connection} / {each['name']}"
        yield Item("dbt environment", name, fields, each["id"], owner=connection, facts={"variables": ids})


def _roles(client: Client, managed: dict[Any, str], wanted: Items | None) -> Iterator[Item]:
    """The assigned roles of the groups and users that the files name, or of all."""
    if wanted is None:
        names = {("groups", group.get("displayName", group["id"])) for group in client.groups.list()}
        names |= {("users", user.get("userName", user["id"])) for user in client.users.list()}
    else:
        names = {(item.facts["kind"], item.facts["name"]) for item in wanted.values() if item.kind == "role"}
    for kind, name in sorted(names):
        source, resource = (GROUP_ROLE, client.groups) if kind == "groups" else (USER_ROLE, client.users)
        try:
            held = resource.roles(name)["results"]
        except (UnknownName, ApiError):
            continue  # applying says which one is missing
        for role in held:
            if role["from"]["type"] == source and role["connectionId"] in managed:
                connection = managed[role["connectionId"]]
                label = f"{connection} / {kind.removesuffix('s')} {name}"
                facts = {"kind": kind, "name": name}
                yield Item("role", label, {"roleName": role["roleName"]}, owner=connection, facts=facts)


def _webhooks(client: Client) -> Iterator[Item]:
    for each in client.webhooks.list():
        yield Item("webhook", each["url"], {"events": each["events"], "enabled": each["enabled"]}, each["id"])
