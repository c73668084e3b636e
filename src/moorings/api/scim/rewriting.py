"""Rewrites clients' requests to the standard's form; no other module handles their habits.

Identity providers send attributes that are not stored here, words for booleans, single values in arrays, and paths of
their own. Anything else that the standard does not allow stays unchanged, and the library refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from moorings.api.http.call import UUID
from moorings.api.http.fields import encodable
from moorings.api.scim.vocabulary import ATTRIBUTES, ENTERPRISE, GROUP, NOT_STORED, PATCH, USER
from moorings.errors import Fault, InvalidInput, UnknownKeys

SCHEMAS = {"User": USER, "Group": GROUP}
READ_ONLY = ("schemas", "id", "meta")
MAX_OPERATIONS, MAX_KEYS, MAX_PATH_LENGTH = 1000, 250, 2000
"""The most operations and keys of one PATCH; each is parsed as a path."""

EXTENSION = re.compile(r"(?:urn:omni:params:1\.0:)?UserAttribute(?:[:.](?P<name>.+))?", re.IGNORECASE | re.DOTALL)
HEAD = re.compile(r"(?P<name>[^\[.]*)(?:\[.*\])?(?:\.(?P<part>.*))?", re.DOTALL)
ENTRY = {"members": ("value",), "roles": ("value", "primary")}
"""Attributes with several values, and the stored parts of each value."""

FILLED_IN = ("display", "type", "$ref", "primary")
"""Parts of a value that the service sets itself."""

NOTHING: dict[str, Any] = {"op": "add", "value": {}}


def checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body, if every text in it can be stored; raises InvalidInput."""
    remaining: list[tuple[str, Any]] = [("", body)]
    while remaining:
        place, value = remaining.pop()
        if isinstance(value, str) and ("\0" in value or not encodable(value)):
            raise InvalidInput([Fault(place or "body", "invalid")])
        if isinstance(value, dict):
            for key, each in cast("dict[str, Any]", value).items():
                remaining += [(place, key), (key[:100] if encodable(key) else place, each)]
        elif isinstance(value, list):
            remaining += [(place, each) for each in cast("list[Any]", value)]
    return body


# ---- resources --------------------------------------------------------------------------------------------------


def resource(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A resource to create or to replace; raises UnknownKeys for an attribute that comes twice."""
    found = {key: value for key, value in _attributes(kind, body) if value is not None}
    return found | {"schemas": [SCHEMAS[kind]]}


def _attributes(kind: str, body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The attributes that are stored or unknown, by their names without the schema of the resource."""
    seen: set[str] = set()
    for key, value in body.items():
        name = _path(kind, key)
        if name.lower() in seen:
            raise UnknownKeys([key])
        seen.add(name.lower())
        if name == ATTRIBUTES and value == {}:
            continue  # without defined user attributes, there is no such schema
        if name.lower() not in READ_ONLY and not _is_elsewhere(kind, name):
            yield name, _value(kind, name, value)


def _is_elsewhere(kind: str, path: str) -> bool:
    """Whether a path names an attribute that the standard defines and that is not stored here.

    `groups` of users change with the groups.
    """
    if kind != "User":
        return False
    if path.lower().startswith(ENTERPRISE.lower()):
        return True
    parts = HEAD.fullmatch(path.lower())
    head, part = (parts["name"], parts["part"]) if parts else (path.lower(), None)
    return head in NOT_STORED or f"{head}.{part}" in NOT_STORED


def _value(kind: str, name: str, value: Any) -> Any:
    folded = name.lower()
    if folded in ENTRY:
        listed = cast("list[Any]", value) if isinstance(value, list) else [value]
        return None if value is None else [_entry(folded, each) for each in listed]
    if folded == "groups" and kind == "User":
        return None
    if folded == "name" and isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        if len({key.lower() for key in parts}) < len(parts):
            raise UnknownKeys([name])
        return {key: each for key, each in parts.items() if each is not None and not _is_elsewhere(kind, f"name.{key}")}
    return value if name.startswith(ATTRIBUTES) else _single(folded, value)


def _entry(name: str, value: Any) -> Any:
    """One of several values; a plain text is accepted too. Ids of members may be in any case."""
    if isinstance(value, str):
        value = {"value": value}
    if not isinstance(value, dict):
        return value
    stored = ENTRY[name]
    rewritten = {
        key: each
        for key, each in cast("dict[str, Any]", value).items()
        if each is not None and (key.lower() in stored or key.lower() not in FILLED_IN)
    }
    if name == "members" and UUID.fullmatch(str(rewritten.get("value"))):
        rewritten["value"] = str(rewritten["value"]).lower()
    return rewritten


def _single(name: str, value: Any) -> Any:
    """A single value, which some clients wrap as `[{"value": …}]`; and booleans in words."""
    found: Any = value
    if isinstance(found, list) and len(cast("list[Any]", found)) == 1:
        found = cast("list[Any]", found)[0]
    if isinstance(found, dict):
        found = cast("dict[str, Any]", found).get("value", cast("Any", found))
    if name == "active" and isinstance(found, str):
        found = {"true": True, "1": True, "false": False, "0": False}.get(found.lower(), found)
    return cast("Any", found)


# ---- PATCH ------------------------------------------------------------------------------------------------------


def patch(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A PATCH with only the operations on stored attributes; raises UnknownKeys, InvalidInput."""
    unknown = [key for key in body if key.lower() not in {"schemas", "operations"}]
    if unknown:
        raise UnknownKeys(unknown)
    sent = next((value for key, value in body.items() if key.lower() == "operations"), None)
    if sent is None and body:  # published clients send such a body; it changes nothing
        sent = []
    if not isinstance(sent, list):
        return {"schemas": [PATCH], "Operations": sent}
    operations = cast("list[Any]", sent)
    if len(operations) > MAX_OPERATIONS:
        raise InvalidInput([Fault("Operations", "custom", {"reason": f"Expected at most {MAX_OPERATIONS} operations"})])
    rewritten = [each for operation in operations for each in _operation(kind, operation)]
    return {"schemas": [PATCH], "Operations": rewritten or [NOTHING]}


def _operation(kind: str, operation: Any) -> Iterator[Any]:
    """The operation in the standard's form, or none if it changes no stored attribute."""
    if not isinstance(operation, dict):
        yield operation
        return
    rewritten = {key: value for key, value in cast("dict[str, Any]", operation).items() if key.lower() != "name"}
    path, value = rewritten.get("path"), rewritten.get("value")
    if path is None or (isinstance(path, str) and not path.strip()):
        rewritten.pop("path", None)
        if isinstance(value, dict) and len(cast("dict[str, Any]", value)) > MAX_KEYS:
            raise InvalidInput([Fault("Operations.value", "custom", {"reason": f"Expected at most {MAX_KEYS} keys"})])
        if isinstance(value, dict):
            rewritten["value"] = dict(_attributes(kind, cast("dict[str, Any]", value)))
    elif isinstance(path, str):
        path = rewritten["path"] = _path(kind, path.strip())
        if _is_elsewhere(kind, path):
            return
        _set_value(kind, path, rewritten)
    yield rewritten


def _set_value(kind: str, path: str, operation: dict[str, Any]) -> None:
    removes = str(operation.get("op")).lower() == "remove"
    if removes and (path.lower() not in ENTRY or not operation.get("value")):
        operation.pop("value", None)
    elif "value" in operation and not path.lower().startswith("groups"):
        named = HEAD.fullmatch(path)
        whole = named is not None and named["name"] == path
        value = operation["value"]
        operation["value"] = (
            _value(kind, path, value) if whole or path.startswith(ATTRIBUTES) else _single(path.lower(), value)
        )


def _path(kind: str, path: str) -> str:
    """A path without the schema of the resource; one into the extension by the URN and a colon."""
    if len(path) > MAX_PATH_LENGTH:
        raise InvalidInput([Fault("path", "too_long", {"limit": MAX_PATH_LENGTH})])
    schema = SCHEMAS[kind] + ":"
    if path.lower().startswith(schema.lower()):
        return path[len(schema) :]
    extension = EXTENSION.fullmatch(path) if kind == "User" else None
    if extension:
        return f"{ATTRIBUTES}:{extension['name']}" if extension["name"] else ATTRIBUTES
    return path


# ---- Bulk -------------------------------------------------------------------------------------------------------


def bulk(body: Mapping[str, Any]) -> dict[str, Any]:
    """A bulk request with the data of each operation rewritten as that of a single request."""
    kinds = {"users": "User", "groups": "Group"}
    found = dict(body)
    for key, sent in body.items():
        if key.lower() == "operations" and isinstance(sent, list):
            found[key] = [_step(kinds, each) for each in cast("list[Any]", sent)]
    return found


def _step(kinds: Mapping[str, str], step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    parts = cast("dict[str, Any]", step)
    kind = kinds.get(str(parts.get("path")).strip("/").partition("/")[0].lower())
    data = parts.get("data")
    if kind is None or not isinstance(data, dict):
        return parts
    rewrite = patch if str(parts.get("method")).upper() == "PATCH" else resource
    return parts | {"data": rewrite(kind, cast("dict[str, Any]", data))}
