"""Texts of a Config that end up in a host name, a URL, a connection string or a header of a driver.

Each is parsed when it is sent, and again before a session is opened: a connection may have been stored before a rule
existed. No sentence quotes the given text, except the number of a port.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from moorings.dialects.config.fields import custom_error
from moorings.errors import InvalidSettings

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

NO_CONTROLS = "Control characters, such as line breaks, are not allowed"


@dataclass(frozen=True, slots=True)
class Place:
    """Marks a field's type: how its text is parsed, and how a driver gets it.

    `parse` returns the clean text that is stored and shown, or raises PydanticCustomError. `encode` converts it for the
    driver, such as a host name to IDNA's spelling.
    """

    parse: Callable[[str], str]
    encode: Callable[[str], str] = str
    pattern: str | None = None
    """The pattern of the clean text, for the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the type, with `parse` after it."""
        return core_schema.with_info_after_validator_function(self._parsed, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The JSON Schema of the type, with the pattern."""
        return handler(core) | ({"pattern": self.pattern} if self.pattern else {})

    def _parsed(self, value: str, info: ValidationInfo) -> str:
        """The clean text.

        Fields that the validation's context names stay as they are: the change does not include them.
        """
        unchanged = info.field_name in (info.context or ())
        return value if unchanged else self.parse(value)

    def fault_in(self, value: str) -> str | None:
        """The fault of a text under the rules; None if it is allowed."""
        try:
            self.parse(value)
        except PydanticCustomError as refused:
            return refused.message()
        return None


@functools.cache
def places(config: type[ConnectionConfig]) -> Mapping[str, Place]:
    """Field → Place, for fields that have one. A subclass that declares such a field anew inherits it."""
    found = {field: _nearest(config, field) for field in config.model_fields}
    return {field: place for field, place in found.items() if place is not None}


def _nearest(config: type[ConnectionConfig], field: str) -> Place | None:
    fields = (getattr(kind, "model_fields", {}).get(field) for kind in config.__mro__)
    marks = (_place(info.annotation, info.metadata) for info in fields if info is not None)
    return next((place for place in marks if place is not None), None)


def _place(annotation: Any, metadata: list[Any]) -> Place | None:
    if place := next((mark for mark in metadata if isinstance(mark, Place)), None):
        return place
    inner = (_place(part, list(getattr(part, "__metadata__", ()))) for part in get_args(annotation))
    return next((place for place in inner if place is not None), None)


def refused(config: ConnectionConfig) -> Mapping[str, str]:
    """Field → reason, of the texts that the rules refuse."""
    values = ((field, place, getattr(config, field)) for field, place in places(type(config)).items())
    found = {field: place.fault_in(value) for field, place, value in values if value is not None}
    return {field: reason for field, reason in found.items() if reason is not None}


def cleaned(config: type[ConnectionConfig], values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values with clean texts; those that the rules refuse stay as they are."""
    found = dict(values)
    for field, place in places(config).items():
        value = found.get(field)
        if isinstance(value, str) and place.fault_in(value) is None:
            found[field] = place.parse(value)
    return found


def encoded(config: ConnectionConfig) -> dict[str, str]:
    """Field → text in the driver's form. Raises InvalidSettings for texts that the rules refuse."""
    if faults := refused(config):
        reasons = "; ".join(f"{config.wire_name(field)}: {reason}" for field, reason in faults.items())
        raise InvalidSettings(*faults, message=f"{reasons}. Correct this setting of the connection.")
    values = ((field, place, getattr(config, field)) for field, place in places(type(config)).items())
    return {field: place.encode(place.parse(value)) for field, place, value in values if value is not None}


# ---- texts that follow one pattern ------------------------------------------------------------------------------


def matching(pattern: str, reason: str) -> Place:
    """Marks a text that must match a pattern as a whole; `reason` describes the allowed texts."""
    compiled = re.compile(pattern, re.ASCII)

    def parse(value: str) -> str:
        if not compiled.fullmatch(value):
            raise custom_error(reason)
        return value

    return Place(parse, pattern=f"^(?:{pattern})$")


Region = Annotated[
    str,
    matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
        "Only the name of a region, such as us-east-1, eu or europe-west1",
    ),
]
"""A cloud's region, as in host names and URLs of APIs."""


def _line(value: str) -> str:
    if CONTROL_CHARACTERS.search(value):
        raise custom_error(NO_CONTROLS)
    return value


Line = Annotated[str, Place(_line)]
"""A text without line breaks and other control characters, which end a header or a setting."""
