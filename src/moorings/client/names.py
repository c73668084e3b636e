"""Ids from names: wherever a method takes an id, it takes a name too."""

from __future__ import annotations

import re
from collections.abc import Iterable

from moorings.client.errors import AmbiguousName, UnknownName
from moorings.client.steps import Request, Steps

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_id(text: str) -> bool:
    """Whether a text is an id rather than a name."""
    return UUID.fullmatch(text) is not None


def only(kind: str, name: str, ids: Iterable[str]) -> str:
    """The one id of a name; raises UnknownName and AmbiguousName."""
    found = list(dict.fromkeys(ids))
    if not found:
        raise UnknownName(f'No {kind} is named "{name}"', "Check its spelling, and that your key may see it.")
    if len(found) > 1:
        raise AmbiguousName(kind, name, found)
    return found[0]


def connection_id(name: str, *, archived: bool = False) -> Steps[str]:
    """The id of a connection. Its name may be in another case if no other connection has it."""
    if is_id(name):
        return name
    params = {"name": name} | ({"includeDeleted": "true"} if archived else {})
    answer = yield Request("GET", "/connections", params=params)
    kind = "archived connection" if archived else "connection"
    found = [each for each in answer["connections"] if (each["deletedAt"] is not None) == archived]
    exact = [each["id"] for each in found if each["name"] == name]
    folded = (each["id"] for each in found if each["name"].casefold() == name.casefold())
    return only(kind, name, exact or folded)


def user_id(name: str) -> Steps[str]:
    """The id of a user, by its email."""
    if is_id(name):
        return name
    return only("user", name, (yield from _scim("Users", f"userName eq {_quoted(name)}")))


def group_id(name: str) -> Steps[str]:
    """The id of a group, by its display name."""
    if is_id(name):
        return name
    return only("group", name, (yield from _scim("Groups", f"displayName eq {_quoted(name)}")))


def attribute_id(name: str) -> Steps[str]:
    """The id of a user attribute, by its name."""
    if is_id(name):
        return name
    answer = yield Request("GET", "/user-attributes")
    return only("user attribute", name, (each["id"] for each in answer["records"] if each["name"] == name))


def key_id(name: str) -> Steps[str]:
    """The id of an API key, by its name."""
    if is_id(name):
        return name
    return only("key", name, (yield from _in_pages("/api-keys", "name", name)))


def webhook_id(name: str) -> Steps[str]:
    """The id of a webhook, by its address."""
    if is_id(name):
        return name
    return only("webhook", name, (yield from _in_pages("/webhooks", "url", name)))


def environment_id(name: str) -> Steps[str]:
    """The id of an environment, by its own id, or by the id or name of the connection that it routes to."""
    answer = yield Request("GET", "/connection-environments")
    listed = answer["connectionEnvironments"]
    if is_id(name) and any(each["id"] == name for each in listed):
        return name
    connection = yield from connection_id(name)
    return only("environment", name, (each["id"] for each in listed if each["connectionId"] == connection))


def _scim(kind: str, condition: str) -> Steps[list[str]]:
    answer = yield Request("GET", f"/api/scim/v2/{kind}", params={"filter": condition, "attributes": "id"})
    return [each["id"] for each in answer["Resources"]]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_pages(path: str, field: str, name: str) -> Steps[list[str]]:
    found = list[str]()
    cursor: str | None = None
    while True:
        params = {"pageSize": 100} | ({"cursor": cursor} if cursor else {})
        answer = yield Request("GET", path, params=params)
        found += [each["id"] for each in answer["records"] if each[field] == name]
        if not answer["pageInfo"]["hasNextPage"]:
            return found
        cursor = answer["pageInfo"]["nextCursor"]
