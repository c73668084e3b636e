"""The endpoints of `/user-attributes`, and of the values that users and keys have of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import msgspec

from moorings.access import attributes, service
from moorings.access.attributes import Definition
from moorings.access.models import ApiKey, User, UserAttribute
from moorings.access.policy import Scope
from moorings.api.http import idempotency, schemas
from moorings.api.http.answers import Shape
from moorings.api.http.call import Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.api.resources import moves as moving
from moorings.api.resources.moves import MoveShape, Moving
from moorings.dialects.config.fields import json_type
from moorings.environments import moves
from moorings.environments.moves import Dependents
from moorings.errors import (
    AttributeHasDependents,
    AttributeInUse,
    AttributeNotFound,
    KeyNotFound,
    RepeatDiffers,
    UnknownKeys,
    UserNotFound,
)

TYPES = ("String", "Number")
KNOWN = ("name", "label", "description", "type", "multiple_values", "default_value")


class AttributeShape(msgspec.Struct):
    """A user attribute. System attributes have an empty id."""

    id: str
    name: str
    label: str
    description: str | None
    type: str
    multiple_values: bool
    default_value: str | None
    system: bool


class AttributeList(Shape):
    """User attributes."""

    records: list[AttributeShape]


class AttributeValuesShape(Shape):
    """The attribute values of a user or key, by attribute name."""

    attributes: dict[str, list[str]]


class AttributeRemoved(Moving, kw_only=True):
    """The attribute is deleted.

    `warnings` list the users and keys that now get another connection; the counts are the numbers of users and keys
    that had a value.
    """

    moved: list[MoveShape] | msgspec.UnsetType = msgspec.UNSET
    users_with_values: int | msgspec.UnsetType = msgspec.UNSET
    api_keys_with_values: int | msgspec.UnsetType = msgspec.UNSET


# ---- definitions -------------------------------------------------------------------------------------------------


async def list_attributes(call: Call) -> AttributeList:
    """All user attributes: first the system's own, then the defined ones by name."""
    defined = await attributes.defined(call.session, call.actor.organization_id)
    system = [
        AttributeShape("", name, label, None, "String", name == "omni_user_groups", None, system=True)
        for name, label in attributes.SYSTEM.items()
    ]
    return AttributeList(system + [_shape(attribute) for attribute in defined])


async def define(call: Call) -> AttributeShape:
    """Create a user attribute."""
    return _shape(await attributes.define(call.session, call.actor, _definition(call.body)))


async def redefine(call: Call) -> AttributeShape:
    """Replace the definition of a user attribute. Users and keys keep their values.

    A new name is refused with 409 while a connection chooses its environment by the old one, unless `force=true`.
    """
    force = _forced(call)
    attribute = await attributes.find(call.session, call.actor, call.ids["id"])
    definition = _definition(call.body)
    if definition.name != attribute.name and not force:
        found = await moves.dependents(call.session, attribute)
        moves.require_unused(attribute, replace(found, users=0, api_keys=0), "rename")
    await attributes.redefine(call.session, attribute, definition)
    return _shape(attribute)


async def remove(call: Call) -> AttributeRemoved:
    """Delete a user attribute and all its values.

    It is refused with 409 while a connection chooses its environment by the attribute, or a user or key has a value of
    it, unless `force=true`. The answer then lists the users and keys that get another connection.
    """
    force = _forced(call)
    attribute = await attributes.find(call.session, call.actor, call.ids["id"])
    found = await moves.dependents(call.session, attribute)
    if not force:
        moves.require_unused(attribute, found, "delete")
    before = await moves.places_of(call.session, found.connections)
    await attributes.remove(call.session, attribute)
    if found == UNUSED:
        return AttributeRemoved()
    made = await moves.since_all(call.session, before)
    return AttributeRemoved(
        warnings=moving.warnings(call.actor, made),
        moved=moving.shapes(made),
        users_with_values=found.users,
        api_keys_with_values=found.api_keys,
    )


UNUSED = Dependents((), 0, 0)
"""The dependents of an unused attribute: none."""


def _forced(call: Call) -> bool:
    query = Fields(call.query(), ("force",))
    force = query.flag("force", default=False)
    query.done()
    return force


def _definition(body: Mapping[str, Any]) -> Definition:
    fields = Fields(body, KNOWN)
    name = fields.string("name", required=True)
    label = fields.string("label") or name
    description = fields.string("description", longest=1000) if fields.raw("description") is not None else None
    kind = fields.choice("type", TYPES) or "String"
    several = fields.boolean("multiple_values") if fields.has("multiple_values") else False
    default = values_of(fields, "default_value", kind, several=bool(several)) or ()
    fields.done()
    return Definition(name, label, description, kind, bool(several), default)


def values_of(fields: Fields, name: str, kind: str, *, several: bool) -> tuple[str, ...] | None:
    """An attribute's values: one, an array, or several separated by commas; None where null or nothing was sent.

    Values from an answer can be sent back unchanged.
    """
    sent = fields.raw(name)
    if sent is None:
        return None
    if several and isinstance(sent, str) and sent:
        sent = [part.strip() for part in sent.split(",")]
    listed = cast("list[Any]", sent) if isinstance(sent, list) else [sent]
    if len(listed) > 1 and not several:
        fields.fault(name, "custom", reason="This attribute takes one value. Send a single string")
    read = [
        _value(fields, f"{name}.{place}" if isinstance(sent, list) else name, each, kind)
        for place, each in enumerate(listed)
    ]
    return tuple(dict.fromkeys(read))


def _value(fields: Fields, place: str, sent: Any, kind: str) -> str:
    """One value as text, the form in which environments store their values."""
    if kind == "Number":
        if isinstance(sent, bool) or not (isinstance(sent, int | float) or _is_number(sent)):
            fields.fault(place, "type", expected="number", received=json_type(sent))
            return ""
        sent = str(int(sent) if isinstance(sent, float) and sent.is_integer() else sent)
    if fields.fits(place, sent) and "," in sent:
        fields.fault(place, "invalid")
    return str(sent)


def _is_number(sent: Any) -> bool:
    return isinstance(sent, str) and re.fullmatch(r"-?[0-9]{1,255}(\.[0-9]{1,255})?", sent) is not None


def _shape(attribute: UserAttribute) -> AttributeShape:
    return AttributeShape(
        attribute.id,
        attribute.name,
        attribute.label,
        attribute.description,
        attribute.type,
        bool(attribute.multiple_values),
        ",".join(attribute.default_values) or None,
        system=False,
    )


# ---- who has what -----------------------------------------------------------------------------------------------


async def of_user(call: Call) -> AttributeValuesShape:
    """The attribute values of a user."""
    return await _values(call, await service.user(call.session, call.actor, call.ids["id"]))


async def of_key(call: Call) -> AttributeValuesShape:
    """The attribute values of an organization key."""
    return await _values(call, await service.organization_key(call.session, call.actor, call.ids["id"]))


async def give_user(call: Call) -> Moving:
    """Set attribute values of a user, by attribute name.

    Null removes a value. Attributes that are left out keep theirs. `warnings` name the base connections that no longer
    choose an environment because of the change.
    """
    return await _give(call, await service.user(call.session, call.actor, call.ids["id"], lock=True))


async def give_key(call: Call) -> Moving:
    """Set attribute values of an organization key, by attribute name.

    Null removes a value. Attributes that are left out keep theirs. `warnings` name the base connections that no longer
    choose an environment because of the change.
    """
    return await _give(call, await service.organization_key(call.session, call.actor, call.ids["id"], lock=True))


async def _values(call: Call, owner: User | ApiKey) -> AttributeValuesShape:
    found = await attributes.values_of(call.session, owner)
    return AttributeValuesShape({name: list(values) for name, values in found.items()})


async def _give(call: Call, owner: User | ApiKey) -> Moving:
    known = await attributes.defined(call.session, call.actor.organization_id)
    by_name = {attribute.name: attribute for attribute in known}
    if unknown := [name for name in call.body if name not in by_name]:
        raise UnknownKeys(unknown)
    fields = Fields(call.body, tuple(by_name))
    definition = {
        name: values_of(fields, name, by_name[name].type, several=bool(by_name[name].multiple_values))
        for name in call.body
    }
    fields.done()
    before = await moves.places_of_owner(call.session, owner, known, definition)
    await attributes.assign(call.session, owner, definition, known)
    after = await moves.places_of_owner(call.session, owner, known, definition)
    made = await moves.unmatched_owner(call.session, before, after)
    return Moving(warnings=moving.warnings(call.actor, made))


FORCE = Parameter("force", schemas.FLAG, "Proceed even if connections, users or keys depend on the attribute.")

ROUTES = (
    Route(
        method="GET",
        path="/user-attributes",
        scopes=(Scope.READ,),
        operation_id="userAttributesList",
        handler=list_attributes,
        summary="List user attributes",
        answer=AttributeList,
    ),
    Route(
        method="POST",
        path="/user-attributes",
        scopes=(Scope.MANAGE,),
        handler=idempotency.once(define),
        admin=True,
        summary="Define a user attribute",
        answer=AttributeShape,
        status=201,
        body=schemas.user_attribute,
        parameters=(idempotency.KEY,),
        headers=idempotency.HEADERS,
        errors=(AttributeInUse, RepeatDiffers),
    ),
    Route(
        method="PUT",
        path="/user-attributes/{id}",
        scopes=(Scope.MANAGE,),
        handler=redefine,
        admin=True,
        summary="Change a user attribute",
        answer=AttributeShape,
        body=schemas.user_attribute,
        parameters=(FORCE,),
        errors=(AttributeNotFound, AttributeInUse, AttributeHasDependents),
    ),
    Route(
        method="DELETE",
        path="/user-attributes/{id}",
        scopes=(Scope.MANAGE,),
        handler=remove,
        admin=True,
        summary="Remove a user attribute",
        answer=AttributeRemoved,
        parameters=(FORCE,),
        errors=(AttributeNotFound, AttributeHasDependents),
    ),
    Route(
        method="GET",
        path="/users/{id}/attributes",
        scopes=(Scope.READ,),
        handler=of_user,
        admin=True,
        summary="Get a user's attributes",
        answer=AttributeValuesShape,
        errors=(UserNotFound,),
    ),
    Route(
        method="PUT",
        path="/users/{id}/attributes",
        scopes=(Scope.MANAGE,),
        handler=give_user,
        admin=True,
        summary="Set a user's attributes",
        answer=Moving,
        body=schemas.attribute_values,
        errors=(UserNotFound,),
    ),
    Route(
        method="GET",
        path="/api-keys/{id}/attributes",
        scopes=(Scope.READ,),
        handler=of_key,
        admin=True,
        summary="Get an organization key's attributes",
        answer=AttributeValuesShape,
        errors=(KeyNotFound,),
    ),
    Route(
        method="PUT",
        path="/api-keys/{id}/attributes",
        scopes=(Scope.MANAGE,),
        handler=give_key,
        admin=True,
        summary="Set an organization key's attributes",
        answer=Moving,
        body=schemas.attribute_values,
        errors=(KeyNotFound,),
    ),
)
