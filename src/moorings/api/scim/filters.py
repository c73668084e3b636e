"""Filters and sort orders as SQL; the grammar and the names of attributes are the library's."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scim2_models import Extension, InvalidFilterException, InvalidPathException, ScimFilter
from scim2_models.path import (
    STRING_OPERATORS,
    AttributeBinding,
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
    coerce_value,
)
from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.models import GroupMember, User, UserAttribute, UserAttributeValue, UserGroup
from moorings.api.http.fields import encodable
from moorings.api.scim.resources import value as shown_value
from moorings.api.scim.vocabulary import GROUP, USER
from moorings.db.folding import folded

MAX_VALUES = 5000
"""The most different values of a comparison that is made here rather than in the database."""

Column = SQLColumnExpression[Any]
Condition = ColumnElement[bool]
Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Stored:
    """A column that an attribute is compared by.

    `kind` is the comparison: as folded or exact text, a boolean or an instant. `loose` text is stored only as written,
    so its different values are compared here.
    """

    column: Column
    kind: str = "folded"


@dataclass(frozen=True, slots=True)
class Constant:
    """An attribute that has the same value everywhere."""

    value: Any


@dataclass(frozen=True, slots=True)
class Several:
    """An attribute whose values are rows of their own."""

    parts: Mapping[str, Stored | Constant]
    rows: Callable[[Condition], Condition]
    """The condition that some row meets a condition."""


Place = Stored | Constant

_HAS_EMAIL = User.email.like("_%@%_")
_MEMBER_OF = Several(
    {"value": Stored(UserGroup.id, "exact"), "display": Stored(UserGroup.name_key), "type": Constant("direct")},
    lambda met: exists(
        select(GroupMember.id)
        .join(UserGroup, UserGroup.id == GroupMember.group_id)
        .where(GroupMember.user_id == User.id, met)
        .correlate(User)
    ),
)
_MEMBERS = Several(
    {"value": Stored(User.id, "exact"), "display": Stored(User.name_key), "type": Constant("User")},
    lambda met: exists(
        select(GroupMember.id)
        .join(User, User.id == GroupMember.user_id)
        .where(GroupMember.group_id == UserGroup.id, met)
        .correlate(UserGroup)
    ),
)

SEVERAL: Mapping[tuple[str, str], Several] = {("User", "groups"): _MEMBER_OF, ("Group", "members"): _MEMBERS}
PLACES: Mapping[tuple[str, str], Place] = {
    ("User", "id"): Stored(User.id, "exact"),
    ("User", "external_id"): Stored(User.external_id, "exact"),
    ("User", "user_name"): Stored(User.email_key),
    ("User", "display_name"): Stored(User.name_key),
    ("User", "name.formatted"): Stored(User.name_key),
    ("User", "name.given_name"): Stored(User.given_name, "loose"),
    ("User", "name.family_name"): Stored(User.family_name, "loose"),
    ("User", "active"): Stored(User.disabled_at.is_(None), "boolean"),
    ("User", "emails.value"): Stored(User.email_key),
    ("User", "emails.type"): Constant("work"),
    ("User", "emails.primary"): Constant(value=True),
    ("User", "roles.value"): Stored(func.lower(User.organization_role)),
    ("User", "roles.primary"): Constant(value=True),
    ("User", "schemas"): Constant(USER),
    ("User", "meta.resource_type"): Constant("User"),
    ("User", "meta.created"): Stored(User.created_at, "instant"),
    ("User", "meta.last_modified"): Stored(func.coalesce(User.updated_at, User.created_at), "instant"),
    ("Group", "id"): Stored(UserGroup.id, "exact"),
    ("Group", "external_id"): Stored(UserGroup.external_id, "exact"),
    ("Group", "display_name"): Stored(UserGroup.name_key),
    ("Group", "schemas"): Constant(GROUP),
    ("Group", "meta.resource_type"): Constant("Group"),
    ("Group", "meta.created"): Stored(UserGroup.created_at, "instant"),
    ("Group", "meta.last_modified"): Stored(func.coalesce(UserGroup.updated_at, UserGroup.created_at), "instant"),
}
"""Kind of resource and attribute → the column that it is compared by."""

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    **{name: getattr(operator, name) for name in ("eq", "ne", "gt", "ge", "lt", "le")},
    "co": lambda stored, operand: operand in stored,
    "sw": lambda stored, operand: stored.startswith(operand),
    "ew": lambda stored, operand: stored.endswith(operand),
}


def _sql(column: Column, compared: CompareOperator, operand: Any) -> Condition:
    """A comparison with no LIKE, so that no character is a wildcard; never NULL."""
    match compared.value:
        case "ne":
            return or_(column.is_(None), column != operand)
        case "co":
            found = func.replace(column, operand, "") != column if operand else true()
        case "sw":
            found = func.substr(column, 1, len(operand)) == operand
        case "ew":
            start = func.length(column) - len(operand) + 1
            found = and_(start > 0, func.substr(column, start) == operand)
        case name:
            found = getattr(operator, name)(column, operand)
    return and_(column.is_not(None), found)


def text_of(value: Any) -> str:
    """A text to compare with; raises InvalidFilterException for characters that no stored text has."""
    text = str(value)
    if "\0" in text or not encodable(text):
        raise InvalidFilterException(detail="No stored text has this character")
    return text


class Conditions(FilterVisitor[Awaitable[Condition]]):
    """The SQL of one filter on one kind of resource."""

    def __init__(
        self,
        session: AsyncSession,
        organization_id: str,
        kind: str,
        scim_filter: ScimFilter[Any],
        known: Mapping[str, UserAttribute],
    ) -> None:
        self._session, self._organization_id = session, organization_id
        self._kind, self._filter, self._known = kind, scim_filter, known
        self._outer: AttrPath | None = None

    async def visit_not(self, node: Not) -> Condition:
        """The negation; conditions are never NULL."""
        return not_(await self.visit(node.expr))

    async def visit_logical_expr(self, node: LogicalExpr) -> Condition:
        """All conditions, or any."""
        terms = [await self.visit(term) for term in node.terms]
        return and_(*terms) if node.op == LogicalOperator.and_ else or_(*terms)

    async def visit_value_path(self, node: ValuePath) -> Condition:
        """One value matches the whole filter in the brackets."""
        binding = self._filter.resolve(node.attr_path, strict=False)
        if binding is None:
            return false()
        several = SEVERAL.get((self._kind, binding.field_name))
        if several is None and binding.field_name not in ("emails", "roles"):
            raise InvalidFilterException(detail=f"{node.attr_path} cannot be filtered by its values")
        self._outer = node.attr_path
        inner = await self.visit(node.val_filter)
        self._outer = None
        return several.rows(inner) if several else and_(inner, self._exists(binding))

    async def visit_present(self, node: Present) -> Condition:
        """Whether the attribute has a value."""
        path = self._whole(node.attr_path)
        binding = self._filter.resolve(path, strict=False)
        if binding is None:
            return false()
        several = SEVERAL.get((self._kind, binding.field_name))
        if several is not None:
            return true() if self._outer else several.rows(true())
        if _is_extension(binding):
            return await self._among_attributes(binding, lambda _: True)
        if binding.sub_field_name is None and binding.field_name == "name":
            return or_(User.given_name.is_not(None), User.family_name.is_not(None))
        if binding.sub_field_name is None and binding.field_name in ("emails", "roles", "meta"):
            return self._exists(binding)
        place = self._place(binding)
        found = true() if isinstance(place, Constant) or place.kind == "boolean" else place.column.is_not(None)
        return and_(found, self._exists(binding))

    async def visit_comparison(self, node: Comparison) -> Condition:
        """A comparison of an attribute with a value."""
        path = self._whole(node.attr_path)
        binding = self._filter.resolve_comparison(path, strict=False)
        if binding is None:
            return false()
        operand = coerce_value(binding, node.value, node.op)
        if operand is None:
            present = await self.visit_present(Present(node.attr_path))
            return {"eq": not_(present), "ne": present}.get(node.op.value, false())
        if _is_extension(binding):
            return await self._in_attributes(binding, node.op, operand)
        place = self._place(binding)
        several = SEVERAL.get((self._kind, binding.field_name)) if self._outer is None else None
        if several is None:
            return _guarded(await self._compared(place, node.op, operand), self._exists(binding), node.op)
        if node.op is CompareOperator.ne:  # for all values together
            return not_(several.rows(await self._compared(place, CompareOperator.eq, operand)))
        return several.rows(await self._compared(place, node.op, operand))

    def _whole(self, path: AttrPath) -> AttrPath:
        """A path in brackets, from the resource on."""
        return path if self._outer is None else AttrPath(self._outer.attr, path.attr, self._outer.uri)

    def _exists(self, binding: AttributeBinding) -> Condition:
        """Whether a resource has the attribute, if one column decides that for its parts."""
        return _HAS_EMAIL if (self._kind, binding.field_name) == ("User", "emails") else true()

    def _place(self, binding: AttributeBinding) -> Place:
        several = SEVERAL.get((self._kind, binding.field_name))
        part = binding.sub_field_name
        name = binding.field_name if part is None else f"{binding.field_name}.{part}"
        found = PLACES.get((self._kind, name)) if several is None else several.parts.get(part or "")
        if found is None:
            raise InvalidFilterException(detail=f"{binding.urn} cannot be compared")
        return found

    async def _compared(self, place: Place, compared: CompareOperator, operand: Any) -> Condition:
        if isinstance(place, Constant):
            return true() if _fits(place.value, compared, operand) else false()
        match place.kind:
            case "boolean":
                return and_(place.column) if (operand is True) is (compared.value == "eq") else not_(place.column)
            case "instant":
                return _sql(place.column, compared, _milliseconds(operand))
            case "exact":
                return _sql(place.column, compared, text_of(operand))
            case "loose":
                mine = User.organization_id == self._organization_id
                stored = select(place.column).where(mine, place.column.is_not(None)).distinct()
                chosen = await self._among(
                    stored, place.column, lambda stored: _fits(stored, compared, text_of(operand))
                )
                return or_(place.column.is_(None), chosen) if compared is CompareOperator.ne else chosen
            case _:
                return _sql(place.column, compared, folded(text_of(operand)))

    async def _in_attributes(self, binding: AttributeBinding, compared: CompareOperator, operand: Any) -> Condition:
        if compared is CompareOperator.ne:
            return not_(await self._in_attributes(binding, CompareOperator.eq, operand))
        attribute = self._attribute(binding)
        text = text_of(operand) if isinstance(operand, str) else operand

        def fits(stored: Any) -> bool:
            shown = shown_value(attribute, stored)
            return any(_fits(each, compared, text) for each in (shown if isinstance(shown, list) else [shown]))  # pyright: ignore[reportUnknownVariableType]

        return await self._among_attributes(binding, fits)

    async def _among_attributes(self, binding: AttributeBinding, fits: Test) -> Condition:
        """Users whose values of one attribute match."""
        mine = UserAttributeValue.attribute_id == self._attribute(binding).id
        stored = select(UserAttributeValue.values).where(mine, UserAttributeValue.user_id.is_not(None)).distinct()
        chosen = await self._among(stored, UserAttributeValue.values, fits)
        return User.id.in_(select(UserAttributeValue.user_id).where(mine, chosen))

    def _attribute(self, binding: AttributeBinding) -> UserAttribute:
        return self._known[binding.model.model_fields[binding.field_name].serialization_alias or ""]

    async def _among(self, stored: Any, column: Column, fits: Test) -> Condition:
        """The column has one of the matching values, which are chosen among all stored values."""
        chosen: list[Any] = []
        others: list[Any] = []
        for value in await self._session.scalars(stored):
            (chosen if fits(value) else others).append(value)
        if len(chosen) <= MAX_VALUES:
            return and_(column.is_not(None), column.in_(chosen))
        if len(others) <= MAX_VALUES:
            return and_(column.is_not(None), column.not_in(others))
        raise InvalidFilterException(detail=f"The filter compares too many different values: over {MAX_VALUES}")


def _guarded(found: Condition, there: Condition, compared: CompareOperator) -> Condition:
    return or_(found, not_(there)) if compared is CompareOperator.ne else and_(found, there)


def _is_extension(binding: AttributeBinding) -> bool:
    return issubclass(binding.model, Extension)


def _fits(stored: Any, compared: CompareOperator, operand: Any) -> bool:
    """Whether one value matches; values of different kinds never match."""
    if isinstance(stored, str) and isinstance(operand, str):
        return COMPARE[compared.value](folded(stored), folded(operand))
    if isinstance(stored, str) or isinstance(operand, str) or compared in STRING_OPERATORS:
        return False
    return bool(COMPARE[compared.value](stored, operand))


def _milliseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


# ---- sorting ----------------------------------------------------------------------------------------------------


def sorted_by(
    kind: str, binding: AttributeBinding, known: Mapping[str, UserAttribute], *, descending: bool
) -> list[Column]:
    """The order by an attribute; resources without a value come last, or first when descending (RFC 7644, 3.4.2.3)."""
    column = _sort_column(kind, binding, known)
    if column is None:
        return []
    order: list[Column] = [column.is_(None), column]
    return [each.desc() for each in order] if descending else order


def _sort_column(kind: str, binding: AttributeBinding, known: Mapping[str, UserAttribute]) -> Column | None:
    if _is_extension(binding):
        attribute = known[binding.model.model_fields[binding.field_name].serialization_alias or ""]
        values = UserAttributeValue.values
        mine = (UserAttributeValue.attribute_id == attribute.id) & (UserAttributeValue.user_id == User.id)
        return select(func.lower(cast(values, Text))).where(mine).correlate(User).scalar_subquery()
    part = binding.sub_field_name
    place = PLACES.get((kind, binding.field_name if part is None else f"{binding.field_name}.{part}"))
    if isinstance(place, Stored):
        return func.lower(place.column) if place.kind == "loose" else place.column
    if place is None:
        raise InvalidPathException(detail=f"Resources cannot be sorted by {binding.urn}")
    return None
