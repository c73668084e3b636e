"""Users, groups and their roles, user attributes and API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.client.names import attribute_id, connection_id, group_id, key_id, user_id
from moorings.client.resources.base import Awaits, Waits
from moorings.client.shapes import (
    ApiKey,
    AttributeRemoved,
    AttributeValues,
    Changed,
    Done,
    Group,
    GroupAssigned,
    ModelRoles,
    NewApiKey,
    User,
    UserAssigned,
    UserAttribute,
)
from moorings.client.steps import Pages, Request, Steps, at, given, listing, method, pages, scim_pages

SCIM = "/api/scim/v2"
AttributeList = list[UserAttribute]


class UserMethods:
    """What both clients can do with users. A method takes an id or an email."""

    @listing
    def list(self, *, filter: str | None = None) -> Steps[Pages[User]]:  # noqa: A002 - SCIM's name
        """All users, or those that match a SCIM filter such as `userName eq "ada@example.org"`."""
        yield from ()
        return scim_pages(f"{SCIM}/Users", filter=filter)

    @method
    def get(self, user: str) -> Steps[User]:
        """One user."""
        return (yield Request("GET", SCIM + at("Users", (yield from user_id(user)))))

    @method
    def create(self, email: str, *, name: str | None = None, **more: Any) -> Steps[User]:
        """Create a user; `more` are further SCIM attributes."""
        body = given(userName=email, displayName=name) | more
        return (yield Request("POST", f"{SCIM}/Users", json=body))

    @method
    def update(self, user: str, values: Mapping[str, Any]) -> Steps[User]:
        """Set SCIM attributes, such as `{"active": False}`."""
        found = yield from user_id(user)
        operations = [{"op": "replace", "value": dict(values)}]
        return (yield Request("PATCH", SCIM + at("Users", found), json={"Operations": operations}))

    @method
    def delete(self, user: str) -> Steps[None]:
        """Delete a user."""
        yield Request("DELETE", SCIM + at("Users", (yield from user_id(user))))

    @method
    def roles(self, user: str, *, connection: str | None = None) -> Steps[ModelRoles]:
        """The roles of a user on connections, and where each comes from."""
        found = yield from user_id(user)
        params = given(connectionId=(yield from connection_id(connection)) if connection else None)
        return (yield Request("GET", at("users", found, "model-roles"), params=params))

    @method
    def assign_role(self, user: str, connection: str, role: str) -> Steps[UserAssigned]:
        """Give a user a role on a connection; NO_ACCESS takes it away."""
        body = {"roleName": role, "connectionId": (yield from connection_id(connection))}
        return (yield Request("POST", at("users", (yield from user_id(user)), "model-roles"), json=body))

    @method
    def attributes(self, user: str) -> Steps[AttributeValues]:
        """The attribute values of a user."""
        return (yield Request("GET", at("users", (yield from user_id(user)), "attributes")))

    @method
    def set_attributes(self, user: str, values: Mapping[str, Any]) -> Steps[Done]:
        """Replace the attribute values of a user."""
        return (yield Request("PUT", at("users", (yield from user_id(user)), "attributes"), json=dict(values)))


class GroupMethods:
    """What both clients can do with groups. A method takes an id or a display name."""

    @listing
    def list(self, *, filter: str | None = None) -> Steps[Pages[Group]]:  # noqa: A002 - SCIM's name
        """All groups, or those that match a SCIM filter."""
        yield from ()
        return scim_pages(f"{SCIM}/Groups", filter=filter)

    @method
    def get(self, group: str) -> Steps[Group]:
        """One group."""
        return (yield Request("GET", SCIM + at("Groups", (yield from group_id(group)))))

    @method
    def create(self, name: str, **more: Any) -> Steps[Group]:
        """Create a group; `more` are further SCIM attributes."""
        return (yield Request("POST", f"{SCIM}/Groups", json={"displayName": name} | more))

    @method
    def delete(self, group: str) -> Steps[None]:
        """Delete a group."""
        yield Request("DELETE", SCIM + at("Groups", (yield from group_id(group))))

    @method
    def add(self, group: str, user: str) -> Steps[Group]:
        """Make a user a member of a group."""
        members = [{"value": (yield from user_id(user))}]
        operations = [{"op": "add", "path": "members", "value": members}]
        path = SCIM + at("Groups", (yield from group_id(group)))
        return (yield Request("PATCH", path, json={"Operations": operations}))

    @method
    def remove(self, group: str, user: str) -> Steps[Group]:
        """Take a user out of a group."""
        found = yield from user_id(user)
        operations = [{"op": "remove", "path": f'members[value eq "{found}"]'}]
        path = SCIM + at("Groups", (yield from group_id(group)))
        return (yield Request("PATCH", path, json={"Operations": operations}))

    @method
    def roles(self, group: str, *, connection: str | None = None) -> Steps[ModelRoles]:
        """The roles of a group on connections."""
        found = yield from group_id(group)
        params = given(connectionId=(yield from connection_id(connection)) if connection else None)
        return (yield Request("GET", at("user-groups", found, "model-roles"), params=params))

    @method
    def assign_role(self, group: str, connection: str, role: str) -> Steps[GroupAssigned]:
        """Give the members of a group a role on a connection; NO_ACCESS takes it away."""
        body = {"roleName": role, "connectionId": (yield from connection_id(connection))}
        return (yield Request("POST", at("user-groups", (yield from group_id(group)), "model-roles"), json=body))


class AttributeMethods:
    """What both clients can do with user attributes. A method takes an id or a name."""

    @method
    def list(self) -> Steps[AttributeList]:
        """All user attributes, those of the system included."""
        return (yield Request("GET", "/user-attributes"))["records"]

    @method
    def create(self, name: str, **fields: Any) -> Steps[UserAttribute]:
        """Define an attribute; `fields` are label, description, type, multiple_values and default_value."""
        return (yield Request("POST", "/user-attributes", json={"name": name} | fields))

    @method
    def update(self, attribute: str, fields: Mapping[str, Any], *, force: bool = False) -> Steps[UserAttribute]:
        """Change an attribute's definition. With `force`, also if environments depend on it."""
        path = at("user-attributes", (yield from attribute_id(attribute)))
        return (yield Request("PUT", path, json=dict(fields), params=given(force=force or None)))

    @method
    def delete(self, attribute: str, *, force: bool = False) -> Steps[AttributeRemoved]:
        """Remove an attribute. With `force`, also if environments depend on it."""
        path = at("user-attributes", (yield from attribute_id(attribute)))
        return (yield Request("DELETE", path, params=given(force=force or None)))


class KeyMethods:
    """What both clients can do with API keys. A method takes an id or a name."""

    @listing
    def list(self, *, type: str | None = None) -> Steps[Pages[ApiKey]]:  # noqa: A002 - the API's name
        """The keys that the caller may see."""
        yield from ()
        return pages("/api-keys", type=type)

    @method
    def get(self, key: str) -> Steps[ApiKey]:
        """One key, without its secret."""
        return (yield Request("GET", at("api-keys", (yield from key_id(key)))))

    @method
    def create(self, name: str, **limits: Any) -> Steps[NewApiKey]:
        """Create a key; the answer has its token, this once. `limits` are type, scopes, connectionIds and expiresAt."""
        return (yield Request("POST", "/api-keys", json={"name": name} | limits))

    @method
    def update(self, key: str, fields: Mapping[str, Any]) -> Steps[ApiKey]:
        """Change whether a key is enabled, or its limits: scopes, connectionIds and expiresAt. None removes a limit."""
        return (yield Request("PUT", at("api-keys", (yield from key_id(key))), json=dict(fields)))

    @method
    def rotate(
        self, key: str, *, overlap_seconds: int | None = None, expires_at: str | None = None
    ) -> Steps[NewApiKey]:
        """Give a key a new token. The old one works until the overlap ends, one day by default."""
        body = given(overlapSeconds=overlap_seconds, expiresAt=expires_at)
        return (yield Request("POST", at("api-keys", (yield from key_id(key)), "rotate"), json=body))

    @method
    def set_enabled(self, key: str, *, enabled: bool) -> Steps[ApiKey]:
        """Enable or disable a key."""
        return (yield Request("PUT", at("api-keys", (yield from key_id(key))), json={"enabled": enabled}))

    @method
    def delete(self, key: str) -> Steps[Changed]:
        """Revoke a key."""
        return (yield Request("DELETE", at("api-keys", (yield from key_id(key)))))

    @method
    def attributes(self, key: str) -> Steps[AttributeValues]:
        """The attribute values of an organization key."""
        return (yield Request("GET", at("api-keys", (yield from key_id(key)), "attributes")))

    @method
    def set_attributes(self, key: str, values: Mapping[str, Any]) -> Steps[Done]:
        """Replace the attribute values of an organization key."""
        return (yield Request("PUT", at("api-keys", (yield from key_id(key)), "attributes"), json=dict(values)))


class Users(UserMethods, Waits):
    """Users, of `Client`."""


class AsyncUsers(UserMethods, Awaits):
    """Users, of `AsyncClient`."""


class Groups(GroupMethods, Waits):
    """Groups, of `Client`."""


class AsyncGroups(GroupMethods, Awaits):
    """Groups, of `AsyncClient`."""


class Attributes(AttributeMethods, Waits):
    """User attributes, of `Client`."""


class AsyncAttributes(AttributeMethods, Awaits):
    """User attributes, of `AsyncClient`."""


class Keys(KeyMethods, Waits):
    """API keys, of `Client`."""


class AsyncKeys(KeyMethods, Awaits):
    """API keys, of `AsyncClient`."""
