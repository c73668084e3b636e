"""Users and groups as answers show them: plain dictionaries, with the attributes that a request selected."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from scim2_models import Path, Resource, ResponseParameters
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import attributes, directory, groups
from moorings.access.models import User, UserAttribute, UserGroup
from moorings.api.scim.routes import PREFIX
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUP, USER
from moorings.clock import iso


class Shown(dict[str, Any]):
    """A resource as answers show it."""

    @property
    def id(self) -> str:
        """Its id, which the library reads."""
        return self["id"]


@dataclass(frozen=True, slots=True)
class Projection:
    """The attributes of an answer: names and `name.part`, in lower case. Id and schemas are always shown."""

    included: frozenset[str]
    meta: bool

    def wants(self, name: str) -> bool:
        """Whether anything of an attribute is shown."""
        return name.lower() in self.included

    def apply(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        """The selected attributes of a resource."""
        found: dict[str, Any] = {}
        for name, value in shown.items():
            if name in ("schemas", "id") or (name == "meta" and self.meta):
                found[name] = value
            elif self.wants(name):
                found[name] = self._parts(name, value)
        return found

    def _parts(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._parts(name, each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, dict):
            separator = ":" if name == ATTRIBUTES else "."
            return {
                part: each  # pyright: ignore[reportUnknownVariableType]
                for part, each in value.items()  # pyright: ignore[reportUnknownVariableType]
                if f"{name}{separator}{part}".lower() in self.included
            }
        return value


def projection(model: type[Resource[Any]], projection: ResponseParameters[Any] | None) -> Projection | None:
    """The attributes of one kind of resource that a request selects; None for all."""
    if projection is None or not (projection.attributes or projection.excluded_attributes):
        return None
    only, without = projection.attributes or [], projection.excluded_attributes or []
    bound = cast("type[Path[Any]]", Path.__class_getitem__(model))
    paths = bound.iter_paths(attributes=only, excluded_attributes=without)
    schema = f"{model.__schema__}:".lower()
    included = frozenset(str(path).lower().removeprefix(schema) for path in paths)
    named = {str(path).lower().removeprefix(schema) for path in (*only, *without)}
    meta = any(name.partition(".")[0] == "meta" for name in named) if only else "meta" not in named
    return Projection(included, meta)


@dataclass(frozen=True, slots=True)
class Read:
    """The data read for resources of one kind. Data that needs its own query is None if it is not selected."""

    kind: str
    rows: Sequence[Any]
    projection: Projection | None
    known: Mapping[str, UserAttribute]
    groups: Mapping[str, Sequence[UserGroup]] | None = None
    attributes: Mapping[str, Mapping[str, Sequence[str]]] | None = None
    members: Mapping[str, Sequence[groups.Member]] | None = None

    def shown(self) -> list[Shown]:
        """The resources; they have a version if all data was read."""
        return [self._user(row) if self.kind == "User" else self._group(row) for row in self.rows]

    def _user(self, user: User) -> Shown:
        theirs = (self.groups or {}).get(user.id, ())
        values = of_user(self.known, (self.attributes or {}).get(user.id, {}))
        whole = self.groups is not None and (self.attributes is not None or not self.known)
        return _versioned(_user(user, theirs, values), whole=whole)

    def _group(self, group: UserGroup) -> Shown:
        members = (self.members or {}).get(group.id, ())
        shown = _versioned(
            _group(group, members, with_members=self.members is not None), whole=self.members is not None
        )
        if self.members is not None and (self.projection is None or self.projection.wants("members.display")):
            for entry, member in zip(shown["members"], members, strict=True):
                entry["display"] = member.name
        return shown


async def read(
    session: AsyncSession,
    kind: str,
    rows: Sequence[Any],
    known: Mapping[str, UserAttribute],
    projection: Projection | None,
) -> Read:
    """Read the data of users or groups."""

    def wants(name: str) -> bool:
        return projection is None or projection.wants(name)

    ids = [row.id for row in rows]
    if kind == "Group":
        return Read(
            kind, rows, projection, known, members=await groups.members(session, ids) if wants("members") else None
        )
    theirs = await groups.of_users(session, ids) if wants("groups") else None
    values = await attributes.values_of_users(session, ids) if known and wants(ATTRIBUTES) else None
    return Read(kind, rows, projection, known, theirs, values)


# ---- users ------------------------------------------------------------------------------------------------------


def of_user(known: Mapping[str, UserAttribute], values: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A user's values of the attributes that SCIM can name."""
    return {name: value(known[name], values[name]) for name in values if name in known}


def value(attribute: UserAttribute, values: Sequence[str]) -> Any:
    """A user's value of an attribute: an array if there may be several, else one value."""
    read = [_number(each) for each in values] if attribute.type == "Number" else list(values)
    return read[0] if len(read) == 1 and not attribute.multiple_values else read


def _number(text: str) -> int | float | str:
    """A value of a Number attribute; a value from a time when it was a String may be no number."""
    try:
        return float(text) if "." in text or "e" in text.lower() else int(text)
    except ValueError:
        return text


def _user(user: User, theirs: Collection[UserGroup], values: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"schemas": [USER, ATTRIBUTES] if values else [USER], "id": user.id}
    if user.external_id:
        shown["externalId"] = user.external_id
    shown |= {"userName": user.email, "displayName": user.name}
    if user.given_name or user.family_name:
        parts = {"formatted": user.name, "givenName": user.given_name, "familyName": user.family_name}
        shown["name"] = {part: each for part, each in parts.items() if each}
    shown["active"] = user.disabled_at is None
    if directory.is_email(user.email):
        shown["emails"] = [{"value": user.email, "type": "work", "primary": True}]
    shown["roles"] = [{"value": user.organization_role, "primary": True}]
    if theirs:
        shown["groups"] = [
            {"value": each.id, "$ref": location("Group", each.id), "display": each.name, "type": "direct"}
            for each in theirs
        ]
    if values:
        shown[ATTRIBUTES] = values
    return shown | {"meta": _meta("User", user)}


# ---- groups -----------------------------------------------------------------------------------------------------


def _group(group: UserGroup, members: Sequence[groups.Member], *, with_members: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"schemas": [GROUP], "id": group.id}
    if group.external_id:
        shown["externalId"] = group.external_id
    shown["displayName"] = group.name
    if with_members:
        shown["members"] = [{"value": each.id, "$ref": location("User", each.id), "type": "User"} for each in members]
    return shown | {"meta": _meta("Group", group)}


# ---- both -------------------------------------------------------------------------------------------------------


def location(kind: str, resource_id: str) -> str:
    """The URL of a resource."""
    return f"{PREFIX}/{kind}s/{resource_id}"


def _meta(kind: str, row: User | UserGroup) -> dict[str, Any]:
    changed = row.created_at if row.updated_at is None else row.updated_at
    return {
        "resourceType": kind,
        "created": iso(row.created_at),
        "lastModified": iso(changed),
        "location": location(kind, row.id),
    }


def _versioned(shown: dict[str, Any], *, whole: bool) -> Shown:
    """The resource with its version, which changes with every shown value."""
    if whole:
        digest = hashlib.sha256(msgspec.json.encode(shown)).hexdigest()
        shown["meta"]["version"] = f'W/"{digest[:24]}"'
    return Shown(shown)
