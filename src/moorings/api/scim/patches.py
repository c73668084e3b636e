"""PATCH (RFC 7644, 3.5.2): operations on a resource as it is shown, in the spellings of identity providers.

What comes out is read as a replacement would be, so a PATCH can store nothing that a PUT could not.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from moorings.api.fields import Fields
from moorings.api.scim.bodies import spelled
from moorings.api.scim.filters import fits
from moorings.api.scim.grammar import Both, Comparison, Filter, FilterError, parse_inner
from moorings.api.scim.vocabulary import ATTRIBUTES, Attribute, Resource
from moorings.dialects.fields import json_type
from moorings.errors import Fault, InvalidInput, UnknownKeys

OPERATIONS = ("add", "replace", "remove")
MOST_OPERATIONS = 1000
PATH = re.compile(r"([A-Za-z$][\w$-]*)(?:\[(.*)\])?(?:\.([A-Za-z$][\w$-]*))?", re.DOTALL)

Shown = dict[str, Any]


class _NoObjectError(Exception):
    """An object was expected; the message is what came."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: an attribute, some of its values, a part of it, or what an extension has under a key."""

    attribute: Attribute
    chosen: Filter | None = None
    part: Attribute | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One step. Without a path, the value's keys are paths."""

    name: str
    path: str | None
    value: Any


def read(body: Mapping[str, Any]) -> list[Operation]:
    """The operations of a body; raises UnknownKeys, InvalidInput."""
    folded = {key.lower(): key for key in body}
    unknown = [key for key in body if key.lower() not in {"schemas", "operations"} or folded[key.lower()] != key]
    if unknown:
        raise UnknownKeys(unknown)
    fields = Fields({"Operations": body[folded["operations"]]} if "operations" in folded else {}, ("Operations",))
    if not fields.has("Operations"):
        fields.fault("Operations", "required")
    listed = fields.array("Operations") or []
    if len(listed) > MOST_OPERATIONS:
        fields.fault("Operations", "said", reason=f"A request has {MOST_OPERATIONS} at most")
        listed = []
    found = [_operation(fields, place, each) for place, each in enumerate(listed)]
    fields.done()
    return [each for each in found if each is not None]


def _operation(fields: Fields, place: int, sent: Any) -> Operation | None:
    one = fields.element("Operations", place, sent)
    if one is None:
        return None
    unknown = [key for key in sent if key not in ("op", "path", "value")]
    if unknown:
        raise UnknownKeys([f"Operations.{place}.{key}" for key in unknown])
    name = one.string("op", required=True, shortest=0).lower()
    if one.has("op") and isinstance(sent["op"], str) and name not in OPERATIONS:
        one.fault("op", "enum", allowed=OPERATIONS, received=sent["op"])
    path = one.string("path", longest=2000) if sent.get("path") is not None else None
    if name == "remove" and path is None:
        one.fault("path", "required")
    if name in {"add", "replace"} and not one.has("value"):
        one.fault("value", "required")
    if name in {"add", "replace"} and path is None and not isinstance(sent.get("value"), dict) and one.has("value"):
        one.object_expected("value")
    return Operation(name, path, sent.get("value"))


def patched(shown: Mapping[str, Any], resource: Resource, operations: list[Operation]) -> Shown:
    """A resource as it is after the operations; raises UnknownKeys, InvalidInput."""
    found = copy.deepcopy(dict(shown))
    for place, operation in enumerate(operations):
        try:
            _apply(found, resource, operation)
        except FilterError as refused:
            raise InvalidInput([Fault(f"Operations.{place}.path", "said", {"reason": str(refused)})]) from None
        except _NoObjectError as refused:
            details = {"expected": "object", "received": str(refused)}
            raise InvalidInput([Fault(f"Operations.{place}.value", "type", details)]) from None
    return found


def _apply(found: Shown, resource: Resource, operation: Operation) -> None:
    if operation.path is None:
        for path, value in cast("dict[str, Any]", operation.value).items():
            _apply(found, resource, Operation(operation.name, path, value))
        return
    target = target_of(operation.path, resource)
    if target.attribute.read_only or not target.attribute.kept:
        return  # what others keep of it is not ours to refuse
    if target.key is not None:
        _set(found.setdefault(target.attribute.name, {}), target.key, operation)
    elif target.attribute.several:
        _change_values(found, target, operation)
    elif target.part is not None:
        _set(found.setdefault(target.attribute.name, {}), target.part.name, operation)
    else:
        _change(found, target.attribute, operation)


def target_of(path: str, resource: Resource) -> Target:
    """What a path names; raises FilterError."""
    extended = resource.extended(path)
    if extended is not None:
        return Target(extended[0], key=extended[1] or None)
    prefix = resource.schema.lower() + ":"
    bare = path[len(prefix) :] if path.lower().startswith(prefix) else path
    read = PATH.fullmatch(bare.strip())
    attribute = resource.attribute(read.group(1)) if read else None
    if read is None or attribute is None:
        raise FilterError(f"There is no attribute {path}")
    part = attribute.part(read.group(3)) if read.group(3) else None
    if read.group(3) and part is None and attribute.kind != "open":
        raise FilterError(f"There is no attribute {path}")
    if read.group(2) is not None and attribute.kind == "open":
        return Target(attribute)
    if read.group(2) is not None and not attribute.several:
        raise FilterError(f"{attribute.name} has no values to choose from")
    chosen = parse_inner(read.group(2), attribute) if read.group(2) is not None else None
    return Target(attribute, chosen, part)


def _set(holder: Shown, name: str, operation: Operation) -> None:
    if operation.name == "remove":
        holder.pop(name, None)
    else:
        holder[name] = operation.value


def _change(found: Shown, attribute: Attribute, operation: Operation) -> None:
    """Change an attribute as a whole; objects are merged, as their parts that are not named stay."""
    if operation.name == "remove" or operation.value is None:
        found.pop(attribute.name, None)
        return
    value = _spelled(attribute, operation.value)
    before = found.get(attribute.name)
    merged = isinstance(value, dict) and isinstance(before, dict)
    found[attribute.name] = {**cast("Shown", before), **cast("Shown", value)} if merged else value


def _spelled(attribute: Attribute, value: Any) -> Any:
    unknown: list[str] = []
    written = spelled(attribute, value, unknown)
    if unknown:
        raise UnknownKeys(unknown)
    if attribute.kind == "complex" or attribute.name == ATTRIBUTES:
        _require_objects(written if attribute.several else [written])
    return written


def _require_objects(values: list[Any]) -> None:
    for each in values:
        if not isinstance(each, dict):
            raise _NoObjectError(json_type(each))


# ---- attributes with several values -----------------------------------------------------------------------------


def _change_values(found: Shown, target: Target, operation: Operation) -> None:
    attribute = target.attribute
    before: list[Any] = found.get(attribute.name, [])
    if target.chosen is not None:
        found[attribute.name] = _chosen(before, target, target.chosen, operation)
    elif target.part is not None:
        for each in before:
            _set(each, target.part.name, operation)
    elif operation.name == "remove":
        found[attribute.name] = _without(before, attribute, operation.value)
    else:
        value: list[Any] = [] if operation.value is None else _spelled(attribute, operation.value)
        found[attribute.name] = _joined(before, value) if operation.name == "add" else value


def _without(before: list[Any], attribute: Attribute, value: Any) -> list[Any]:
    """What is left; without a value nothing is. Some providers name the values to remove beside the path."""
    if value is None:
        return []
    gone = {_key(each) for each in _spelled(attribute, value)}
    return [each for each in before if _key(each) not in gone]


def _joined(before: list[Any], added: list[Any]) -> list[Any]:
    there = {_key(each) for each in before}
    return before + [each for each in added if _key(each) not in there]


def _key(value: Any) -> str:
    held = cast("Shown", value).get("value") if isinstance(value, dict) else value
    return str(held).casefold()


def _chosen(before: list[Any], target: Target, chosen: Filter, operation: Operation) -> list[Any]:
    """The values, those that a filter chooses changed. One that is not there yet is made as the filter says."""
    name = target.attribute.name
    fitting = [each for each in before if fits(chosen, {name: each})]
    others = [each for each in before if not fits(chosen, {name: each})]
    if operation.name == "remove" and target.part is None:
        return others
    if not fitting and operation.name != "remove":
        fitting = [_made(chosen)]
    for each in fitting:
        if target.part is not None:
            _set(each, target.part.name, operation)
        elif operation.value is not None:
            for value in _spelled(target.attribute, operation.value):
                each.update(value)
    return others + fitting


def _made(chosen: Filter) -> Shown:
    """A value that fits a filter: whatever it says that something is."""
    match chosen:
        case Both(sides):
            return {name: value for side in sides for name, value in _made(side).items()}
        case Comparison(_, part, "eq", value) if part is not None:
            return {part.name: value}
        case _:
            return {}
