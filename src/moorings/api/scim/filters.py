"""Filters: whether a resource fits one, and what storage may look for in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from moorings.api.scim.grammar import Both, Comparison, Either, Filter, Not, Some, instant
from moorings.api.scim.vocabulary import Attribute

# ---- applying ---------------------------------------------------------------------------------------------------


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A comparison that holds between values of one kind only."""

    def comparing(held: Any, value: Any) -> bool:
        same = isinstance(held, str) == isinstance(value, str) and value is not None
        return same and compare(held, value)

    return comparing


def _texts(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def comparing(held: Any, value: Any) -> bool:
        return isinstance(held, str) and isinstance(value, str) and compare(held, value)

    return comparing


def _same(held: Any, value: Any) -> bool:
    return isinstance(held, bool) == isinstance(value, bool) and held == value


COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "ne": _same,  # its answer is turned round, for all values of an attribute together
    "co": _texts(lambda held, value: value in held),
    "sw": _texts(lambda held, value: held.startswith(value)),
    "ew": _texts(lambda held, value: held.endswith(value)),
    "gt": _ordered(lambda held, value: held > value),
    "ge": _ordered(lambda held, value: held >= value),
    "lt": _ordered(lambda held, value: held < value),
    "le": _ordered(lambda held, value: held <= value),
}


def fits(filter_: Filter, resource: Mapping[str, Any]) -> bool:
    """Whether a resource, as it is shown, fits a filter."""
    match filter_:
        case Both(sides):
            return all(fits(side, resource) for side in sides)
        case Either(sides):
            return any(fits(side, resource) for side in sides)
        case Not(inner):
            return not fits(inner, resource)
        case Some(attribute, inner):
            return any(fits(inner, {attribute.name: each}) for each in _listed(resource.get(attribute.name)))
        case Comparison():
            return _compares(filter_, list(values(filter_, resource)))


def values(comparison: Comparison, resource: Mapping[str, Any]) -> Iterator[Any]:
    """What a resource has of the attribute that is compared; nothing where it has none."""
    held = resource.get(comparison.attribute.name)
    if comparison.key is not None:
        key = comparison.key.lower()
        held = next((value for name, value in _mapped(held).items() if name.lower() == key), None)
    elif comparison.compared is not comparison.attribute:
        held = [_mapped(each).get(comparison.compared.name) for each in _listed(held)]
    yield from (each for each in _listed(held) if each is not None and each != "")


def _compares(comparison: Comparison, held: list[Any]) -> bool:
    if comparison.operator == "pr":
        return bool(held)
    if comparison.value is None:
        return (comparison.operator == "eq") is not bool(held) and comparison.operator in {"eq", "ne"}
    compare = COMPARE[comparison.operator]
    value = _comparable(comparison.value, comparison.compared)
    found = any(compare(_comparable(each, comparison.compared), value) for each in held)
    return not found if comparison.operator == "ne" else found


def _comparable(value: Any, attribute: Attribute) -> Any:
    if not isinstance(value, str):
        return value
    if attribute.kind == "dateTime":
        return instant(value)
    return value if attribute.exact else value.casefold()


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return cast("list[Any]", value)
    return [] if value is None else [value]


def _mapped(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


# ---- looking it up ----------------------------------------------------------------------------------------------

FIELDS = {"id": "id", "userName": "email", "displayName": "name", "externalId": "external_id"}
"""Attributes that storage finds resources by, and what it calls them. A group's `displayName` is its name too."""
MOST_ALTERNATIVES = 50


def narrowed(filter_: Filter) -> list[dict[str, str]] | None:
    """Alternatives of fields and values, one of which holds for all that fits; None where nothing can be said.

    What storage finds by them is still to be held against the filter itself.
    """
    match filter_:
        case Comparison(attribute, None, "eq", str(value)) if attribute.name in FIELDS:
            return [{FIELDS[attribute.name]: value}]
        case Comparison(attribute, _, "eq", str(value)) if attribute.name == "emails" and _is_value(filter_):
            return [{"email": value}]
        case Both(sides):
            known = [found for found in map(narrowed, sides) if found is not None]
            return min(known, key=len, default=None)
        case Either(sides):
            each = [narrowed(side) for side in sides]
            together = [alternative for found in each for alternative in found or ()]
            return None if None in each or len(together) > MOST_ALTERNATIVES else together
        case _:
            return None


def _is_value(comparison: Comparison) -> bool:
    return comparison.compared.name == "value"


def mentions(filter_: Filter | None, *names: str) -> bool:
    """Whether a filter asks for one of these attributes."""
    match filter_:
        case Comparison(attribute) | Some(attribute):
            return attribute.name in names
        case Both(sides) | Either(sides):
            return any(mentions(side, *names) for side in sides)
        case Not(inner):
            return mentions(inner, *names)
        case None:
            return False
