"""The grammar of filters (RFC 7644, 3.4.2.2): text to a tree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moorings.api.scim.vocabulary import ATTRIBUTES, Attribute, Resource

DEEPEST = 20
"""How deep parentheses and `not` may be nested: the parser goes down one call for each."""

TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[()\[\]])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<part>\.[A-Za-z$][\w$-]*)|(?P<word>[A-Za-z0-9$+_-][\w$:.+-]*))"""
)
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
"""Those that compare with a value; `pr` has none."""
LITERALS = {"true": True, "false": False, "null": None}
NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?")


class FilterError(Exception):
    """A filter cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute, or a part of one, beside a value. `operator` is one of eq ne co sw ew gt ge lt le pr."""

    attribute: Attribute
    part: Attribute | None
    operator: str
    value: Any = None
    key: str | None = None
    """Of an extension's attribute: its name."""

    @property
    def compared(self) -> Attribute:
        """What the value is compared with: of something there are several of, the `value` part unless said."""
        return self.part or (self.attribute.part("value") if self.attribute.several else None) or self.attribute


@dataclass(frozen=True, slots=True)
class Both:
    """`and`."""

    sides: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """`or`."""

    sides: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`not`."""

    inner: Filter


@dataclass(frozen=True, slots=True)
class Some:
    """`attribute[…]`: one of the values fits the whole filter in the brackets."""

    attribute: Attribute
    inner: Filter


Filter = Comparison | Both | Either | Not | Some


# ---- reading ----------------------------------------------------------------------------------------------------


def parse(text: str, resource: Resource) -> Filter:
    """The tree of a filter on resources; raises FilterError."""
    return _parsed(text, _Named(resource))


def parse_inner(text: str, attribute: Attribute) -> Filter:
    """The tree of a filter in the brackets behind an attribute; raises FilterError."""
    return _parsed(text, _Parts(attribute))


def _parsed(text: str, names: Names) -> Filter:
    reader = _Reader(text, names)
    found = reader.either(0)
    reader.end()
    return found


class _Named:
    """Names as they are on a resource."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def find(self, name: str) -> tuple[Attribute, Attribute | None, str | None]:
        """Attribute, part, and the name in an extension."""
        extended = self._resource.extended(name)
        if extended is not None:
            attribute, rest = extended
            return attribute, None, rest or None
        whole, _, part = name.rpartition(".") if not self._resource.attribute(name) else (name, "", "")
        attribute = self._resource.attribute(whole)
        found = attribute.part(part) if attribute and part else None
        if attribute is None or (part and found is None and attribute.kind != "open"):
            raise FilterError(f"There is no attribute {name}")
        return attribute, found, None


class _Parts:
    """Names as they are in brackets."""

    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute

    def find(self, name: str) -> tuple[Attribute, Attribute | None, str | None]:
        """The attribute, and its part of this name."""
        part = self._attribute.part(name)
        if part is None:
            raise FilterError(f"There is no attribute {self._attribute.name}.{name}")
        return self._attribute, part, None


Names = _Named | _Parts


class _Reader:
    """Goes through the tokens: one method for each rule of the grammar, `or` the outermost."""

    def __init__(self, text: str, names: Names) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0
        self._names = names

    def _next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self, expected: str) -> str:
        token = self._next()
        if token is None:
            raise FilterError(f"{expected} expected at the end")
        self._place += 1
        return token

    def _took(self, word: str) -> bool:
        token = self._next()
        found = token is not None and token.lower() == word
        self._place += found
        return found

    def end(self) -> None:
        """Raise FilterError unless all was read."""
        if self._next() is not None:
            raise FilterError(f"{self._next()} not expected")

    def either(self, depth: int) -> Filter:
        """One or more, with `or` between them."""
        if depth > DEEPEST:
            raise FilterError(f"nested over {DEEPEST} deep")
        sides = [self._both(depth)]
        while self._took("or"):
            sides.append(self._both(depth))
        return sides[0] if len(sides) == 1 else Either(tuple(sides))

    def _both(self, depth: int) -> Filter:
        sides = [self._one(depth)]
        while self._took("and"):
            sides.append(self._one(depth))
        return sides[0] if len(sides) == 1 else Both(tuple(sides))

    def _one(self, depth: int) -> Filter:
        if self._took("not"):
            if self._next() != "(":
                raise FilterError("( expected behind not")
            return Not(self._one(depth + 1))
        if self._took("("):
            inner = self.either(depth + 1)
            self._closed(")")
            return inner
        return self._comparison(depth)

    def _closed(self, mark: str) -> None:
        if self._take(mark) != mark:
            raise FilterError(f"{mark} expected")

    def _comparison(self, depth: int) -> Filter:
        attribute, part, key = self._names.find(self._take("an attribute"))
        if self._took("["):
            return self._some(attribute, depth)
        return self._compared(attribute, part, key)

    def _compared(self, attribute: Attribute, part: Attribute | None, key: str | None) -> Filter:
        operator = self._take("an operator").lower()
        if operator == "pr":
            return Comparison(attribute, part, operator, key=key)
        if operator not in OPERATORS:
            raise FilterError(f"There is no operator {operator}")
        return _fitting(Comparison(attribute, part, operator, _literal(self._take("a value")), key))

    def _some(self, attribute: Attribute, depth: int) -> Filter:
        if attribute.kind != "complex" or not attribute.several:
            raise FilterError(f"{attribute.name} has no values to choose from")
        outer, self._names = self._names, _Parts(attribute)
        inner = self.either(depth + 1)
        self._closed("]")
        behind = self._next() or ""
        if behind.startswith("."):
            self._place += 1
            inner = Both((inner, self._compared(*self._names.find(behind[1:]))))
        self._names = outer
        return Some(attribute, inner)


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        if found is None:
            raise FilterError(f"{text[place:].strip()[:20]} cannot be read")
        yield found.group().strip()
        place = found.end()


def _literal(token: str) -> Any:
    if token.startswith('"'):
        return _text(token)
    if token.lower() in LITERALS:
        return LITERALS[token.lower()]
    if NUMBER.fullmatch(token):
        return float(token) if "." in token else int(token)
    raise FilterError(f"{token} is no value: strings are in double quotes")


def _text(token: str) -> str:
    try:
        text = json.loads(token)
        text.encode()
    except ValueError:  # UnicodeEncodeError is one: a lone surrogate, which no stored text has
        raise FilterError(f"{token} is no JSON string") from None
    if "\0" in text:
        raise FilterError("No text has a NUL in it")
    return text


def _fitting(comparison: Comparison) -> Comparison:
    """The comparison, its value as the attribute holds it; raises FilterError where the two cannot be compared."""
    kind, operator, value = comparison.compared.kind, comparison.operator, comparison.value
    if kind == "complex" or (comparison.compared.name == ATTRIBUTES and comparison.key is None):
        raise FilterError(f"{comparison.compared.name} is no value: compare what is in it")
    if kind == "boolean":
        if operator not in {"eq", "ne"}:
            raise FilterError(f"{comparison.compared.name} is true or false, and nothing is {operator} of these")
        if isinstance(value, str):
            value = LITERALS.get(value.lower(), value)
    if kind == "dateTime" and isinstance(value, str):
        value = instant(value)
    return Comparison(comparison.attribute, comparison.part, operator, value, comparison.key)


def instant(text: str) -> float:
    """An instant in seconds; raises FilterError for what is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise FilterError(f"{text} is no instant") from None
