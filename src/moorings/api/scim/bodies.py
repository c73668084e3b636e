"""What bodies say of users and groups: names in any case, every fault, and what to store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from moorings.access.directory import LONGEST_EMAIL, LONGEST_NAME, Profile, is_email
from moorings.access.models import UserAttribute
from moorings.api.attributes import values_of
from moorings.api.fields import TRUTH, Fields
from moorings.api.routing import UUID
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUPS, ROLES, USERS, Attribute, Resource
from moorings.errors import UnknownKeys

Given = dict[str, tuple[str, ...] | None]
"""User attributes by name; None takes one away."""


@dataclass(frozen=True, slots=True)
class UserBody:
    """A user as wanted. Attributes that are not in `attributes` are to stay as they are."""

    profile: Profile
    attributes: Given


@dataclass(frozen=True, slots=True)
class GroupBody:
    """A group as wanted. `members` is everybody who is to be in it; None leaves them as they are."""

    name: str
    external_id: str | None
    members: list[str] | None


# ---- names ------------------------------------------------------------------------------------------------------


def canonical(body: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    """A body with its attributes in their usual spelling, and without those that are null; raises UnknownKeys."""
    unknown: list[str] = []
    found: dict[str, Any] = {}
    for key, value in body.items():
        attribute = resource.attribute(key)
        if attribute is None or attribute.name in found:
            unknown.append(key)
        elif value is not None:
            found[attribute.name] = spelled(attribute, value, unknown)
    if unknown:
        raise UnknownKeys(unknown)
    return found


def spelled(attribute: Attribute, value: Any, unknown: list[str]) -> Any:
    """A value with the parts of a complex attribute in their usual spelling; notes those that are `unknown`."""
    if attribute.kind != "complex":
        return value
    if attribute.several:
        listed = cast("list[Any]", value if isinstance(value, list) else [value])
        return [_parts(attribute, {"value": each} if isinstance(each, str) else each, unknown) for each in listed]
    return _parts(attribute, value, unknown)


def _parts(attribute: Attribute, value: Any, unknown: list[str]) -> Any:
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, each in cast("dict[str, Any]", value).items():
        part = attribute.part(key)
        if part is None or part.name in found:
            unknown.append(f"{attribute.name}.{key}")
        elif each is not None:
            found[part.name] = each
    return found


# ---- users ------------------------------------------------------------------------------------------------------


def user(body: Mapping[str, Any], before: Profile | None, known: Sequence[UserAttribute]) -> UserBody:
    """What a body in canonical spelling says of a user; raises UnknownKeys, InvalidInput.

    What nobody should gain or lose by leaving it out (active, roles, attributes) stays as it was `before`.
    """
    fields = Fields(body, tuple(each.name for each in USERS.attributes))
    email = fields.string("userName", required=True, longest=LONGEST_EMAIL)
    if email and not is_email(email):
        fields.fault("userName", "said", reason="Invalid email")
    display = fields.string("displayName", shortest=0, longest=LONGEST_NAME)
    given, family, formatted = _name(fields)
    external = fields.string("externalId", shortest=0) or None
    active = _active(fields, default=before.active if before else True)
    admin = _admin(fields) if fields.has("roles") else before is not None and before.admin
    attributes = _attributes(fields, known) if fields.has(ATTRIBUTES) else {}
    fields.done()
    name = display or formatted or " ".join(filter(None, (given, family)))[:LONGEST_NAME] or email
    return UserBody(Profile(email, name, given, family, external, active, admin), attributes)


def _name(fields: Fields) -> tuple[str | None, str | None, str | None]:
    """Given, family and formatted name."""
    if not fields.has("name"):
        return None, None, None
    if not isinstance(fields.raw("name"), dict):
        fields.object_expected("name")
        return None, None, None
    attribute = USERS.attribute("name")
    parts = fields.nested("name", tuple(part.name for part in attribute.parts) if attribute else ())
    given, family, formatted = (
        parts.string(part, shortest=0, longest=LONGEST_NAME) or None
        for part in ("givenName", "familyName", "formatted")
    )
    return given, family, formatted


def _active(fields: Fields, *, default: bool) -> bool:
    """Identity providers send booleans, and their words too."""
    sent = fields.raw("active")
    if isinstance(sent, str) and sent in TRUTH:
        return TRUTH[sent]
    if sent is None:
        return default
    return bool(fields.boolean("active"))


def _admin(fields: Fields) -> bool:
    roles = _elements(fields, "roles")
    found = [role.choice("value", ROLES) for role in roles if role.has("value") or role.fault("value", "required")]
    return "ORG_ADMIN" in found


def _elements(fields: Fields, name: str) -> list[Fields]:
    """The objects in an array, under examination with what they are in."""
    found: list[Fields] = []
    for place, each in enumerate(fields.array(name) or []):
        holder = fields.element(name, place, each)
        if holder is not None:
            found.append(holder)
    return found


def _attributes(fields: Fields, known: Sequence[UserAttribute]) -> Given:
    sent = fields.raw(ATTRIBUTES)
    if not isinstance(sent, dict):
        fields.object_expected(ATTRIBUTES)
        return {}
    given = fields.nested(ATTRIBUTES, tuple(each.name for each in known))
    named = [each for each in known if given.has(each.name)]
    return {each.name: values_of(given, each.name, each.type, several=bool(each.multiple_values)) for each in named}


# ---- groups -----------------------------------------------------------------------------------------------------


def group(body: Mapping[str, Any]) -> GroupBody:
    """What a body in canonical spelling says of a group; raises InvalidInput."""
    fields = Fields(body, tuple(each.name for each in GROUPS.attributes))
    name = fields.string("displayName", required=True, longest=LONGEST_NAME)
    external = fields.string("externalId", shortest=0) or None
    members = _members(fields) if fields.has("members") else None
    fields.done()
    return GroupBody(name, external, members)


def _members(fields: Fields) -> list[str]:
    found: list[str] = []
    for member in _elements(fields, "members"):
        user_id = member.string("value", required=True, shortest=0)
        if isinstance(member.raw("value"), str) and not UUID.fullmatch(user_id):
            member.fault("value", "uuid")
        found.append(user_id.lower())
    return found
