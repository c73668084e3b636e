"""Reading small bodies and queries: every fault is collected, in the order in which fields are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast, overload

from moorings.dialects.config.blanks import is_blank
from moorings.dialects.config.fields import json_type
from moorings.errors import Fault, InvalidInput, UnknownKeys

TRUTH = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}

_ABSENT: Any = object()


class Fields:
    """One JSON object (or query) under examination; `done` raises InvalidInput with all the faults found."""

    def __init__(
        self, body: Mapping[str, Any], known: Sequence[str], prefix: str = "", faults: list[Fault] | None = None
    ) -> None:
        """Raises UnknownKeys for keys that are not `known`."""
        unknown = [key for key in body if key not in known]
        if unknown:
            raise UnknownKeys([prefix + key for key in unknown])
        self._body = body
        self._prefix = prefix
        self._faults: list[Fault] = [] if faults is None else faults

    def fault(self, name: str, code: str, **details: Any) -> None:
        """Note one more fault of a field."""
        self._faults.append(Fault(self._prefix + name, code, details))

    def add(self, faults: Iterable[Fault]) -> None:
        """Note faults that were found elsewhere."""
        self._faults += faults

    def sort(self, order: Sequence[str]) -> None:
        """Put the faults found so far into the order of these fields."""
        self._faults.sort(key=lambda fault: order.index(fault.field.partition(".")[0]))

    def done(self) -> None:
        """Raise InvalidInput if anything was found."""
        if self._faults:
            raise InvalidInput(self._faults)

    def nested(self, name: str, known: Sequence[str]) -> Fields:
        """The object in a field, under examination with this one: its faults are collected here."""
        return Fields(self._body[name], known, f"{self._prefix}{name}.", self._faults)

    def element(self, name: str, place: int, value: Any) -> Fields | None:
        """The object at a place of an array, under examination with this one; None, and a fault, if it is none."""
        if not isinstance(value, dict):
            self.fault(f"{name}.{place}", "type", expected="object", received=json_type(value))
            return None
        body = cast("dict[str, Any]", value)
        return Fields(body, tuple(body), f"{self._prefix}{name}.{place}.", self._faults)

    def object_expected(self, name: str) -> None:
        """Note that a field should have been an object."""
        self.fault(name, "type", expected="object", received=json_type(self._body[name]))

    def has(self, name: str) -> bool:
        """Whether the field was sent, null included."""
        return name in self._body

    def raw(self, name: str) -> Any:
        """The field's raw value; None when absent."""
        return self._body.get(name)

    @overload
    def string(self, name: str, *, required: Literal[True], shortest: int = 1, longest: int = 255) -> str: ...
    @overload
    def string(self, name: str, *, required: bool = False, shortest: int = 1, longest: int = 255) -> str | None: ...
    def string(self, name: str, *, required: bool = False, shortest: int = 1, longest: int = 255) -> str | None:
        """A string within its length, or None; the empty string for a required field with a fault."""
        value = self._typed(name, str, "string", required=required)
        if value is _ABSENT:
            return "" if required else None
        return value if self.fits(name, value, shortest, longest) else ""

    def fits(self, name: str, value: Any, shortest: int = 1, longest: int = 255) -> bool:
        """Whether a value is a string that can be stored; notes the fault when it is not."""
        if not isinstance(value, str):
            self.fault(name, "type", expected="string", received=json_type(value))
        elif "\0" in value or not encodable(value):
            self.fault(name, "invalid")
        elif len(value) < shortest or (shortest and value and is_blank(value)):
            self.fault(name, "too_short", limit=shortest)
        elif len(value) > longest:
            self.fault(name, "too_long", limit=longest)
        else:
            return True
        return False

    def integer(self, name: str, *, least: int, most: int | None = None) -> int | None:
        """An integer within its bounds, or None."""
        value = self._number(name)
        if value is None:
            return None
        if isinstance(value, float) and not value.is_integer():
            self.fault(name, "type", expected="integer", received="float")
        elif value < least:
            self.fault(name, "too_small", limit=least)
        elif most is not None and value > most:
            self.fault(name, "too_big", limit=most)
        else:
            return int(value)
        return None

    def _number(self, name: str) -> int | float | None:
        value = self._body.get(name, _ABSENT)
        if value is _ABSENT:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or (isinstance(value, float) and not math.isfinite(value))
        ):
            self.fault(name, "type", expected="number", received=json_type(value))
            return None
        return value

    def array(self, name: str) -> list[Any] | None:
        """An array, or None."""
        value = self._typed(name, list, "array", required=False)
        return None if value is _ABSENT else value

    def choice(self, name: str, allowed: Sequence[str], *, short: bool = False) -> str | None:
        """One of the allowed strings, or None; `short` words the fault without listing them."""
        value = self._body.get(name, _ABSENT)
        if value is _ABSENT:
            return None
        if isinstance(value, str) and value in allowed:
            return value
        if short:
            self.fault(name, "enum_short")
        elif isinstance(value, str):
            self.fault(name, "enum", allowed=allowed, received=value)
        else:
            self.fault(name, "type", expected="string", received=json_type(value))
        return None

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean of a query, in each spelling that clients send; absent or empty is the default."""
        value = self._body.get(name, "")
        if value == "":
            return default
        if value not in TRUTH:
            self.fault(name, "type", expected="boolean", received="string")
        return TRUTH.get(value, default)

    def whole(self, name: str, *, least: int, most: int) -> int | None:
        """An integer of a query, sent as text (`20` or `20.0`), or None."""
        value = self._body.get(name)
        if value is None:
            return None
        digits = re.fullmatch(r"(-?[0-9]{1,15})(\.0{1,15})?", value)
        if digits is None:
            self.fault(name, "type", expected="number", received="string")
            return None
        return Fields({name: int(digits[1])}, (name,), self._prefix, self._faults).integer(name, least=least, most=most)

    def instant(self, name: str) -> int | None:
        """An instant of a query, in ISO 8601 with its zone, as epoch milliseconds; absent or empty is None."""
        value = self._body.get(name, "")
        if value == "":
            return None
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return round(moment.timestamp() * 1000)
        except (ValueError, OverflowError):
            pass
        self.fault(name, "custom", reason="Expected a time in ISO 8601, such as 2026-05-01T00:00:00Z")
        return None

    def boolean(self, name: str) -> bool | None:
        """A required boolean of a body; None when it is at fault."""
        value = self._typed(name, bool, "boolean", required=True)
        return None if value is _ABSENT else value

    def _typed(self, name: str, kind: type, word: str, *, required: bool) -> Any:
        value = self._body.get(name, _ABSENT)
        if value is _ABSENT:
            if required:
                self.fault(name, "required")
            return _ABSENT
        if not isinstance(value, kind):
            self.fault(name, "type", expected=word, received=json_type(value))
            return _ABSENT
        return value


def encodable(value: str) -> bool:
    """Whether a string can be stored and sent: one with a lone surrogate cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell but UTF-8 cannot
        return False
    return True
