"""Lists of users and groups: what a query asks for, and the page that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import directory
from moorings.access.directory import Narrowed
from moorings.access.models import User, UserGroup
from moorings.api.fields import Fields
from moorings.api.routing import Call, Parameter, Rendered
from moorings.api.scim import filters, grammar, resources
from moorings.api.scim.grammar import Comparison, Filter, FilterError
from moorings.api.scim.patches import Target, target_of
from moorings.api.scim.resources import Shown, Wants
from moorings.api.scim.vocabulary import GROUPS, USERS, Resource

PAGE_SIZE, LARGEST_PAGE = 100, 1000
FAR = 10**12
TOGETHER = 5000
"""How many resources are described by one query: databases bound the values of a statement."""
LONGEST = 4000

ONE = (
    Parameter("attributes", {"type": "string"}, "Attributes to show, comma-separated; all of them unless said."),
    Parameter("excludedAttributes", {"type": "string"}, "Attributes to leave out, comma-separated."),
)
"""What every answer that shows resources takes."""
SEVERAL = (
    Parameter("filter", {"type": "string"}, 'An expression such as `userName eq "ann@example.com"`.'),
    Parameter("startIndex", {"type": "integer"}, "The place of the first one to show, from 1."),
    Parameter("count", {"type": "integer"}, f"How many to show: {PAGE_SIZE} unless said, {LARGEST_PAGE} at most."),
    Parameter("sortBy", {"type": "string"}, "An attribute to sort by; else the oldest comes first."),
    Parameter("sortOrder", {"enum": ["ascending", "descending"]}, "`ascending` unless said."),
    *ONE,
)
"""What every list takes."""

T = TypeVar("T", User, UserGroup)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How one kind of resource is found and shown."""

    resource: Resource
    all: Callable[[AsyncSession, str, Narrowed | None], Awaitable[list[T]]]
    page: Callable[[AsyncSession, str, int, int], Awaitable[tuple[list[T], int]]]
    shown: Callable[[AsyncSession, Sequence[T], Wants], Awaitable[list[Shown]]]


USER_KIND = Kind(USERS, directory.users, directory.user_page, resources.shown_users)
GROUP_KIND = Kind(GROUPS, directory.user_groups, directory.group_page, resources.shown_groups)


# ---- which attributes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Projection:
    """Which attributes are shown. The id and the schemas always are."""

    only: tuple[Target, ...] | None = None
    without: tuple[Target, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether anything of an attribute is shown."""
        if self.only is not None:
            return any(each.attribute.name == name for each in self.only)
        return not any(each.attribute.name == name and _whole(each) for each in self.without)

    def apply(self, shown: Shown) -> Shown:
        """What is left of a resource."""
        if self.only is not None:
            always = {name: shown[name] for name in ("schemas", "id")}
            return always | {
                name: _kept(value, [each for each in self.only if each.attribute.name == name])
                for name, value in shown.items()
                if name not in always and self.wants(name)
            }
        return {
            name: _left(value, [each for each in self.without if each.attribute.name == name])
            for name, value in shown.items()
            if name in ("schemas", "id") or self.wants(name)
        }


def _whole(target: Target) -> bool:
    return target.part is None and target.key is None


def _parts(targets: Sequence[Target]) -> set[str]:
    return {each.key or (each.part.name if each.part else "") for each in targets}


def _kept(value: Any, targets: Sequence[Target]) -> Any:
    if any(_whole(each) for each in targets):
        return value
    parts = _parts(targets)
    return _each(value, lambda name: name in parts)


def _left(value: Any, targets: Sequence[Target]) -> Any:
    parts = _parts(targets)
    return _each(value, lambda name: name not in parts) if parts else value


def _each(value: Any, takes: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_each(one, takes) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if takes(name)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def projection(fields: Fields, resource: Resource) -> Projection:
    """Which attributes a query asks for; faults are noted in `fields`."""
    only, without = (_targets(fields, name, resource) for name in ("attributes", "excludedAttributes"))
    if only and without:
        fields.fault("excludedAttributes", "said", reason="Not together with attributes")
    return Projection(only or None, without)


def _targets(fields: Fields, name: str, resource: Resource) -> tuple[Target, ...]:
    sent = fields.string(name, shortest=0, longest=LONGEST) or ""
    found: list[Target] = []
    for path in filter(None, (each.strip() for each in sent.split(","))):
        try:
            found.append(target_of(path, resource))
        except FilterError as refused:
            fields.fault(name, "said", reason=str(refused))
    return tuple(found)


def one(call: Call, resource: Resource) -> Projection:
    """What the query of a single resource asks for; raises InvalidInput."""
    fields = Fields(call.query(), tuple(each.name for each in ONE))
    asked = projection(fields, resource)
    fields.done()
    return asked


# ---- pages ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Which resources, from which place on, how many, in which order, and how much of each."""

    filter: Filter | None
    start: int
    count: int
    sort: Target | None
    descending: bool
    projection: Projection


def asked(call: Call, resource: Resource) -> Asked:
    """What a query asks for; raises InvalidInput."""
    fields = Fields(call.query(), tuple(each.name for each in SEVERAL))
    wanted = _filter(fields, resource)
    start = fields.whole("startIndex", least=-FAR, most=FAR)
    count = fields.whole("count", least=-FAR, most=FAR)
    sort = _targets(fields, "sortBy", resource)
    order = fields.choice("sortOrder", ("ascending", "descending"))
    shown = projection(fields, resource)
    fields.done()
    return Asked(
        filter=wanted,
        start=max(1, 1 if start is None else start),
        count=min(max(0, PAGE_SIZE if count is None else count), LARGEST_PAGE),
        sort=sort[0] if sort else None,
        descending=order == "descending",
        projection=shown,
    )


def _filter(fields: Fields, resource: Resource) -> Filter | None:
    text = fields.string("filter", shortest=0, longest=LONGEST)
    if not text:
        return None
    try:
        return grammar.parse(text, resource)
    except FilterError as refused:
        fields.fault("filter", "said", reason=str(refused))
    return None


async def listed(call: Call, kind: Kind[T]) -> Rendered:
    """The page that a query asks for."""
    wanted = asked(call, kind.resource)
    organization = call.actor.organization_id
    if wanted.filter is None and wanted.sort is None:
        page, total = await kind.page(call.session, organization, wanted.start - 1, wanted.count)
    else:
        found = await _found(call.session, organization, kind, wanted)
        page, total = found[wanted.start - 1 : wanted.start - 1 + wanted.count], len(found)
    shown = await kind.shown(call.session, page, wanted.projection.wants)
    return resources.rendered_list([wanted.projection.apply(each) for each in shown], wanted.start, total)


async def _found(session: AsyncSession, organization: str, kind: Kind[T], wanted: Asked) -> list[T]:
    """Everything that fits, in order. Storage narrows it where it can; the filter itself decides."""
    narrowed = filters.narrowed(wanted.filter) if wanted.filter is not None else None
    rows = await kind.all(session, organization, narrowed)

    def compared(name: str) -> bool:
        return filters.mentions(wanted.filter, name) or (wanted.sort is not None and wanted.sort.attribute.name == name)

    described: list[Shown] = []
    for place in range(0, len(rows), TOGETHER):
        described += await kind.shown(session, rows[place : place + TOGETHER], compared)
    pairs = [
        (row, shown)
        for row, shown in zip(rows, described, strict=True)
        if wanted.filter is None or filters.fits(wanted.filter, shown)
    ]
    return [row for row, _ in _sorted(pairs, wanted)]


def _sorted(pairs: list[tuple[T, Shown]], wanted: Asked) -> list[tuple[T, Shown]]:
    if wanted.sort is None:
        return pairs
    sort = Comparison(wanted.sort.attribute, wanted.sort.part, "pr", key=wanted.sort.key)
    valued: list[tuple[tuple[str, Any], tuple[T, Shown]]] = []
    without: list[tuple[T, Shown]] = []
    for pair in pairs:
        key = _sort_key(sort, pair[1])
        if key is None:
            without.append(pair)
        else:
            valued.append((key, pair))
    valued.sort(key=lambda each: each[0], reverse=wanted.descending)
    return [pair for _, pair in valued] + without


def _sort_key(sort: Comparison, shown: Shown) -> tuple[str, Any] | None:
    """What a resource is sorted by; values of different kinds are kept apart."""
    found = next(filters.values(sort, shown), None)
    if isinstance(found, str):
        return ("text", found if sort.compared.exact else found.casefold())
    if isinstance(found, bool | int | float):
        return ("number", found)
    return None
