"""Finds the faults of a request as (field, code, parameters): pydantic's, translated, and further ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from moorings.dialects.config.fields import FORBIDDEN_CHARACTERS, json_type
from moorings.errors import Fault

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from moorings.dialects.config.connection import ConnectionConfig

MASK = re.compile(
    r"\s*(?:[*•●∙·⋅▪■█…]+|x{8,}|-{8,}|\*\*\w{1,40}\*\*|redacted"
    r"|[\[<({_*]{1,3}(?:redacted|masked|hidden|filtered|sensitive(?: value)?|secret|protected)[])>}_*]{1,3})\s*",
    re.IGNORECASE,
)
"""Masks that forms, logs and exports of this and other products show in place of a secret (Superset: ten X, Metabase:

`**MetabasePass**`, Redash: eight dashes, Terraform: `(sensitive value)`): a mask that is stored as the secret would
break the connection.
"""

LIMITS = {
    "string_too_short": ("too_short", "min_length"),
    "string_too_long": ("too_long", "max_length"),
    "greater_than_equal": ("too_small", "ge"),
    "less_than_equal": ("too_big", "le"),
}
"""pydantic's name of a violated limit → our code, and pydantic's key of the limit."""


def malformed(config: type[ConnectionConfig], given: Mapping[str, Any]) -> dict[str, Fault]:
    """Faults that pydantic does not find, or words differently: nulls, unstorable strings, unknown logins."""
    faults: dict[str, Fault] = {}
    for field, value in given.items():
        wire = config.wire_name(field)
        if value is None:
            faults[field] = _wrong_type(wire, config.expected(field), value)
        elif any(isinstance(part, str) and FORBIDDEN_CHARACTERS.search(part) for part in _parts(value)):
            faults[field] = Fault(wire, "invalid")
        elif field in config.secret_fields() and isinstance(value, str) and MASK.fullmatch(value):
            faults[field] = Fault(wire, "custom", {"reason": "This is a mask, not a secret. Send the secret itself"})
        elif field == "authentication_type" and config.login(given) is None:
            faults[field] = _not_among(config, field, value)
    return faults


def unmet(config: type[ConnectionConfig], given: Mapping[str, Any], needed: frozenset[str]) -> dict[str, Fault]:
    """Missing required fields."""
    faults = {field: Fault(config.wire_name(field), "required") for field in needed if field not in given}
    faults |= too_short(config, given, needed)
    for need in config.needs():
        if need.accepted and given.get(need.field) is False:
            faults[need.field] = Fault(config.wire_name(need.field), "invalid")
        if need.alternative and need.field in given and need.alternative in given:
            faults[need.alternative] = Fault(config.wire_name(need.alternative), "invalid")
    return faults


def too_short(config: type[ConnectionConfig], given: Mapping[str, Any], needed: frozenset[str]) -> dict[str, Fault]:
    """Required fields that are empty."""
    empty = (field for field in needed if given.get(field) == "" and config.kind(field) in ("string", "list"))
    return {field: Fault(config.wire_name(field), "too_short", {"limit": 1}) for field in empty}


def translated(config: type[ConnectionConfig], refused: ErrorDetails) -> Fault:
    """Our fault for one of pydantic's."""
    field, *rest = [str(part) for part in refused["loc"]]
    wire = ".".join([config.wire_name(field), *rest])
    kind, context = refused["type"], refused.get("ctx", {})
    if kind in LIMITS:
        code, limit = LIMITS[kind]
        return Fault(wire, code, {"limit": context[limit]})
    if kind == "not_integer":
        return Fault(wire, "type", {"expected": "integer", "received": "float"})
    if kind == "literal_error":
        return _not_among(config, field, refused["input"])
    if kind.endswith("_type"):
        return _wrong_type(wire, "string" if rest else config.expected(field), refused["input"])
    return Fault(wire, kind, {"reason": context["reason"]} if "reason" in context else {})


def in_order(config: type[ConnectionConfig], faults: Mapping[str, Fault]) -> list[Fault]:
    """Faults by field, in the order of the fields."""
    return [faults[field] for field in config.model_fields if field in faults]


def _wrong_type(wire: str, expected: str, received: object) -> Fault:
    return Fault(wire, "type", {"expected": expected, "received": json_type(received)})


def _not_among(config: type[ConnectionConfig], field: str, received: object) -> Fault:
    wire = config.wire_name(field)
    if not isinstance(received, str):
        return _wrong_type(wire, config.expected(field), received)
    return Fault(wire, "enum", {"allowed": config.allowed(field), "received": received})


def _parts(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]
