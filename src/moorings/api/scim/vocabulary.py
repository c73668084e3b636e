"""The attributes of users and groups: their names in any case, what they hold, and which of them are kept here.

RFC 7643 defines more of a user than Moorings keeps. Identity providers send it all the same, so it is accepted and left
out; what neither knows is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ATTRIBUTES = "urn:omni:params:1.0:UserAttribute"
"""The extension that holds a user's attributes, by their names."""
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

ROLES = ("MEMBER", "ORG_ADMIN")


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an attribute holds. `parts` are those of a complex one; `exact` compares its strings case by case."""

    name: str
    description: str
    kind: Literal["string", "boolean", "dateTime", "complex", "reference", "open"] = "string"
    several: bool = False
    read_only: bool = False
    exact: bool = False
    kept: bool = True
    required: bool = False
    unique: bool = False
    parts: tuple[Attribute, ...] = ()

    def part(self, name: str) -> Attribute | None:
        """A part, by its name in any case."""
        return _named(self.parts, name)


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of resource: its name, where it is found, its schema, and its attributes."""

    name: str
    path: str
    schema: str
    description: str
    attributes: tuple[Attribute, ...]
    extensions: tuple[str, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """An attribute, by its name in any case, with or without the schema before it."""
        prefix = self.schema.lower() + ":"
        bare = name[len(prefix) :] if name.lower().startswith(prefix) else name
        return _named(self.attributes, bare)

    def extended(self, path: str) -> tuple[Attribute, str] | None:
        """The extension that a path begins with, and what the path says behind it."""
        for extension in self.extensions:
            if path.lower().startswith(extension.lower()):
                rest = path[len(extension) :]
                found = _named(self.attributes, extension)
                if found is not None and (not rest or rest[0] in ":."):
                    return found, rest[1:]
        return None


def _named(attributes: tuple[Attribute, ...], name: str) -> Attribute | None:
    folded = name.lower()
    return next((each for each in attributes if each.name.lower() == folded), None)


_COMMON = (
    Attribute("schemas", "The schemas of the resource.", several=True, read_only=True, exact=True),
    Attribute("id", "The id here.", read_only=True, exact=True, unique=True),
    Attribute("externalId", "The id at the identity provider.", exact=True),
    Attribute(
        "meta",
        "When it was made and changed, and where it is.",
        "complex",
        read_only=True,
        parts=(
            Attribute("resourceType", "User or Group.", read_only=True, exact=True),
            Attribute("created", "When it was made.", "dateTime", read_only=True),
            Attribute("lastModified", "When it was changed last.", "dateTime", read_only=True),
            Attribute("location", "Where it is.", "reference", read_only=True, exact=True),
            Attribute("version", "Not kept.", read_only=True, exact=True, kept=False),
        ),
    ),
)


def _elsewhere(*names: str) -> Iterator[Attribute]:
    for name in names:
        yield Attribute(name, "Accepted, and not kept.", "open", kept=False)


def _listed(*own: Attribute) -> tuple[Attribute, ...]:
    """The parts of what there are several of."""
    return (
        *own,
        Attribute("display", "The name, for people."),
        Attribute("type", "What kind of value it is."),
        Attribute("$ref", "Where it is.", "reference", read_only=True, exact=True),
        Attribute("primary", "Whether it is the first among them.", "boolean"),
    )


USERS = Resource(
    "User",
    "/Users",
    USER,
    "A person whom keys can act as.",
    (
        *_COMMON,
        Attribute("userName", "The email; unique in any case.", required=True, unique=True),
        Attribute("displayName", "The name that people know them by."),
        Attribute(
            "name",
            "The parts of the name.",
            "complex",
            parts=(
                Attribute("formatted", "The display name."),
                Attribute("givenName", "The given name."),
                Attribute("familyName", "The family name."),
                *_elsewhere("middleName", "honorificPrefix", "honorificSuffix"),
            ),
        ),
        Attribute("active", "Whether their keys work.", "boolean"),
        Attribute(
            "emails",
            "The email, which is the userName; others are not kept.",
            "complex",
            several=True,
            parts=_listed(Attribute("value", "The address.")),
        ),
        Attribute(
            "roles",
            "The role in the organization: MEMBER or ORG_ADMIN.",
            "complex",
            several=True,
            parts=_listed(Attribute("value", "The role.")),
        ),
        Attribute(
            "groups",
            "The groups they belong to; changed through the groups.",
            "complex",
            several=True,
            read_only=True,
            parts=_listed(Attribute("value", "The group's id.")),
        ),
        Attribute(ATTRIBUTES, "User attributes, by their names.", "open"),
        *_elsewhere(ENTERPRISE, "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale"),
        *_elsewhere("timezone", "password", "phoneNumbers", "ims", "photos", "addresses", "entitlements"),
        *_elsewhere("x509Certificates"),
    ),
    (ATTRIBUTES, ENTERPRISE),
)

GROUPS = Resource(
    "Group",
    "/Groups",
    GROUP,
    "Users who share roles on connections.",
    (
        *_COMMON,
        Attribute("displayName", "The name; unique in any case.", required=True, unique=True),
        Attribute(
            "members",
            "The users in the group.",
            "complex",
            several=True,
            parts=_listed(Attribute("value", "The user's id.")),
        ),
    ),
)
