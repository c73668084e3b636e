"""The sentences of errors in answers; no other module has them.

Faults have the words of zod, which clients of the published API already know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from moorings import errors

SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "required": lambda details: "Required",
    "type": lambda details: f"Expected {details['expected']}, received {details['received']}",
    "enum": lambda details: (
        f"Invalid enum value. Expected {_quoted(details['allowed'], ' | ')}, received '{details['received']}'"
    ),
    "enum_short": lambda details: "Invalid enum value",
    "too_short": lambda details: f"String must contain at least {details['limit']} character(s)",
    "too_long": lambda details: f"String must contain at most {details['limit']} character(s)",
    "too_small": lambda details: f"Number must be greater than or equal to {details['limit']}",
    "too_big": lambda details: f"Number must be less than or equal to {details['limit']}",
    "uuid": lambda details: "Invalid uuid",
    "url": lambda details: "Invalid url",
    "invalid": lambda details: "Invalid input",
    "custom": lambda details: str(details["reason"]),
}
"""The sentence of each code of a fault."""


def detail(error: errors.MooringsError) -> str:
    """The text of an error's body. Always valid Unicode, for any request."""
    return _sentence(error).encode("utf-8", "replace").decode()


def fault(fault: errors.Fault) -> str:
    """One fault: the field and the reason."""
    return f"{fault.field}: {SENTENCES[fault.code](fault.details)}"


def _sentence(error: errors.MooringsError) -> str:
    """The sentences of errors with a form of their own; other errors have their message."""
    for kind, words in WORDS.items():
        if isinstance(error, kind):
            return words(cast("Any", error))
    return error.message


def _quoted(values: Iterable[str], separator: str) -> str:
    return separator.join(f"'{value}'" for value in values)


WORDS: dict[type[errors.MooringsError], Callable[[Any], str]] = {
    errors.InvalidInput: lambda error: "Bad Request: " + "; ".join(fault(each) for each in error.faults),
    errors.UnknownKeys: lambda error: (
        f"Bad Request: formErrors: Unrecognized key(s) in object: {_quoted(error.keys, ', ')}"
    ),
    errors.InvalidJson: lambda error: "Bad Request: Invalid JSON",
    errors.NotAnObject: lambda error: f"Bad Request: Expected object, received {error.received}",
    errors.EmptyBody: lambda error: "Bad Request: Empty request body",
    errors.InvalidId: lambda error: f"Bad Request: {error.parameter}: Invalid uuid",
    errors.WarehouseError: lambda error: error.explained,
    errors.UnknownDialects: lambda error: f"Invalid dialect(s): {', '.join(error.names)}",
}
"""The function that builds the sentence of each kind of error."""
