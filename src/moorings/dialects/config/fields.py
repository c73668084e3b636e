"""The kinds of values that fields of a dialect's Config take, each with its check.

A check raises PydanticCustomError whose type is the code of an `errors.Fault`. No check quotes the given value.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from moorings.dialects.config.blanks import BLANKS, is_blank

ROLE_ALIAS = "QUERY_TOPICS"
"""Another published name of RESTRICTED_QUERIER: accepted, and stored as written; messages do not list it."""

FORBIDDEN_CHARACTERS = re.compile("[\0\ud800-\udfff]")
"""Characters that no string may contain: databases refuse NUL, and a lone surrogate has no UTF-8."""


QUOTED = re.compile(r'"(?:[^"]|"")*"')
NAMES = re.compile(r'\s*"(?:[^"]|"")*"\s*(?=,|$)|[^,]+')
"""A part of a comma list, in double quotes or without."""

NO_ZONES = {"Factory", "localtime", "posixrules"}
"""Files beside those of the zones: for the machine's own zone, or for an unset one."""

JSON_TYPES: dict[type[Any], str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
    tuple: "array",
}
"""Python's types → JSON's; bool comes first, being an int."""


def invalid() -> PydanticCustomError:
    """The fault that no other sentence fits."""
    return PydanticCustomError("invalid", "Invalid input")


def custom_error(reason: str) -> PydanticCustomError:
    """A fault in words of its own."""
    return PydanticCustomError("custom", "{reason}", {"reason": reason})


def _whole(value: object) -> object:
    """5432.0 is an integer in JSON; 5432.5 is a number, but none."""
    if not isinstance(value, float):
        return value
    if not value.is_integer():
        raise PydanticCustomError("not_integer", "Not an integer")
    return int(value)


def split_names(text: str) -> tuple[str, ...]:
    """The names of a comma list; one that holds a comma or blanks around it stands in double quotes.

    Two double quotes in such a name are one. A name that only begins with a quote is kept unchanged.
    """
    return tuple(name for part in NAMES.findall(text) if (name := _unquoted(part.strip())))


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if QUOTED.fullmatch(part) else part


def _listed(value: object) -> object:
    """Converts a comma list to an array."""
    if isinstance(value, str):
        value = split_names(value)
    if not isinstance(value, (list, tuple)):
        raise PydanticCustomError("string_type", "Not a string")
    return tuple(part for part in cast("list[object]", value) if part != "")


@functools.cache
def zones() -> frozenset[str]:
    """Every name of the tz database, such as `America/New_York`."""
    return frozenset(zoneinfo.available_timezones() - NO_ZONES)


def _zone(value: str) -> str:
    if value not in zones():
        raise invalid()
    return value


def _zone_or_none(value: str) -> str:
    return value if value == "NONE" else _zone(value)


def _decimal(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,19}", value, re.ASCII):
        raise invalid()
    return value


def _role(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    return value if value == ROLE_ALIAS else handler(value)


def _token(value: SecretStr) -> SecretStr:
    return SecretStr(value.get_secret_value().strip(BLANKS))


def _seen(value: str) -> str:
    if value and is_blank(value):
        raise PydanticCustomError("string_too_short", "Expected more than blanks", {"min_length": 1})
    return value


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_seen)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_whole)]
Seconds = Annotated[int, Field(ge=1, le=3600), BeforeValidator(_whole)]
Role = Annotated[
    Literal["NO_ACCESS", "VIEWER", "RESTRICTED_QUERIER", "QUERIER", "MODELER", "CONNECTION_ADMIN"],
    WrapValidator(_role),
]
"""From low to high, in the order in which messages list them."""
Zone = Annotated[str, AfterValidator(_zone)]
NUMERIC_AS = re.compile(r"text|double|decimal\(([1-9]|[1-6]\d|7[0-6]), ?(\d|[1-6]\d|7[0-6])\)")
"""The types for numbers without a declared precision."""


def is_numeric_as(value: str) -> bool:
    """Whether a text is one of these types."""
    found = NUMERIC_AS.fullmatch(value)
    return found is not None and (found[1] is None or int(found[2]) <= int(found[1]))


def _numeric_as(value: str) -> str:
    if not is_numeric_as(value):
        raise custom_error("Use text, double or decimal(p,s), with a precision of 1 to 76 and a scale of at most that")
    return value


NumericAs = Annotated[
    str, AfterValidator(_numeric_as), WithJsonSchema({"type": "string", "pattern": f"^({NUMERIC_AS.pattern})$"})
]
ZoneOrNone = Annotated[str, AfterValidator(_zone_or_none)]
Decimal = Annotated[str, AfterValidator(_decimal), Field(json_schema_extra={"pattern": "^[0-9]{1,19}$"})]
Token = Annotated[SecretStr, AfterValidator(_token)]
"""A secret without blanks around it: no token has any, and a pasted one often ends with a line break."""
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""A comma list or an array; kept as a tuple."""
SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
Unmatched = Literal["base", "deny"]


def json_type(value: Any) -> str:
    """JSON's name of a decoded value's type."""
    for kind, word in JSON_TYPES.items():
        if isinstance(value, kind):
            return word
    return "null" if value is None else "object"
