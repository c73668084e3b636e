"""Counts users and keys that a change of attributes, values or environments routes to another connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import attributes
from moorings.access.attributes import AttributeValues
from moorings.access.models import ApiKey, User, UserAttribute, UserAttributeValue
from moorings.connections.models import Connection
from moorings.environments.routing import Base, choose
from moorings.environments.service import meanings
from moorings.errors import AttributeHasDependents

Places = Mapping[tuple[str, str], str | None]
"""(`user` or `key`, its id) → the connection that they get; None where they are denied."""


@dataclass(frozen=True, slots=True)
class Move:
    """The number of users and organization keys whose connection changed from one to another (None: they get 403)."""

    base: Connection
    before: Connection | None
    after: Connection | None
    users: int
    api_keys: int


@dataclass(frozen=True, slots=True)
class Dependents:
    """The dependents of a user attribute: base connections that name it, users and keys with values."""

    connections: tuple[Connection, ...]
    users: int
    api_keys: int


async def places(session: AsyncSession, base: Connection) -> Places:
    """The connection that each user and key is routed to from this one, without an explicit choice."""
    found = await meanings(session, base)
    everybody = await attributes.values_of_owners(session, base.organization_id, found.attribute)
    return {
        (kind, owner_id): _place(found, values)
        for kind, owners in (("user", everybody.users), ("key", everybody.keys))
        for owner_id, values in owners.items()
    }


def _place(base: Base, values: AttributeValues) -> str | None:
    return choose(base, values.own, values.default).connection_id


async def places_of_owner(
    session: AsyncSession, owner: User | ApiKey, known: Sequence[UserAttribute], names: Collection[str]
) -> list[tuple[Connection, Places]]:
    """`places` of one user or organization key, for the base connections that the named attributes decide."""
    named = (
        Connection.organization_id == owner.organization_id,
        Connection.environment_attribute.in_(names),
        Connection.deleted_at.is_(None),
    )
    bases = list(await session.scalars(select(Connection).where(*named).order_by(Connection.name, Connection.id)))
    default = {attribute.name: tuple(attribute.default_values) for attribute in known}
    own = await attributes.values_of(session, owner) if bases else {}
    whose = ("user" if isinstance(owner, User) else "key", owner.id)
    found: list[tuple[Connection, Places]] = []
    for base in bases:
        name = base.environment_attribute or ""
        values = AttributeValues(own.get(name), default.get(name, ()))
        found.append((base, {whose: _place(await meanings(session, base), values)}))
    return found


async def unmatched_owner(
    session: AsyncSession, before: list[tuple[Connection, Places]], after: list[tuple[Connection, Places]]
) -> list[Move]:
    """As `unmatched`, between two results of `places_of_owner`."""
    pairs = zip(before, after, strict=True)
    made = [move for (base, left), (_, right) in pairs for move in await _moves(session, base, left, right)]
    return [move for move in made if _is_unmatched(move)]


async def since(session: AsyncSession, base: Connection, before: Places) -> list[Move]:
    """The moves since `before`, the largest first."""
    return await _moves(session, base, before, await places(session, base))


async def _moves(session: AsyncSession, base: Connection, before: Places, after: Places) -> list[Move]:
    counted = Counter(
        (before[owner], place, owner[0]) for owner, place in after.items() if before.get(owner, place) != place
    )
    pairs = {(left, right): sum(counted[left, right, kind] for kind in ("user", "key")) for left, right, _ in counted}
    return [
        Move(
            base,
            await session.get(Connection, left) if left else None,
            await session.get(Connection, right) if right else None,
            counted[left, right, "user"],
            counted[left, right, "key"],
        )
        for left, right in sorted(pairs, key=lambda pair: (-pairs[pair], str(pair)))
    ]


# ---- user attributes --------------------------------------------------------------------------------------------


async def dependents(session: AsyncSession, attribute: UserAttribute) -> Dependents:
    """The dependents of a user attribute. Archived base connections are included: they can be restored."""
    named = (
        Connection.organization_id == attribute.organization_id,
        Connection.environment_attribute == attribute.name,
    )
    bases = await session.scalars(select(Connection).where(*named).order_by(Connection.name, Connection.id))
    values = select(func.count()).select_from(UserAttributeValue).where(UserAttributeValue.attribute_id == attribute.id)
    users = values.join(User, User.id == UserAttributeValue.user_id).where(User.deleted_at.is_(None))
    keys = values.join(ApiKey, ApiKey.id == UserAttributeValue.key_id).where(ApiKey.revoked_at.is_(None))
    return Dependents(tuple(bases), await session.scalar(users) or 0, await session.scalar(keys) or 0)


async def places_of(session: AsyncSession, bases: Iterable[Connection]) -> list[tuple[Connection, Places]]:
    """`places` of several base connections."""
    return [(base, await places(session, base)) for base in bases]


async def unmatched(session: AsyncSession, base: Connection, before: Places) -> list[Move]:
    """Moves of `since` to the base connection itself or to no connection. A change seldom intends these."""
    return [move for move in await since(session, base, before) if _is_unmatched(move)]


def _is_unmatched(move: Move) -> bool:
    return move.after is None or move.after.id == move.base.id


async def since_all(session: AsyncSession, before: Iterable[tuple[Connection, Places]]) -> list[Move]:
    """`since` for several base connections."""
    return [move for base, places_before in before for move in await since(session, base, places_before)]


def require_unused(attribute: UserAttribute, found: Dependents, act: str) -> None:
    """Raise AttributeHasDependents if anything depends on the attribute; `act` names the requested change."""
    reasons: list[str] = []
    if found.connections:
        reasons.append(f"it decides the environment of {_listed(found.connections)}")
    if found.users or found.api_keys:
        reasons.append(
            f"{counted(found.users, found.api_keys)} {'has' if found.users + found.api_keys == 1 else 'have'} values"
        )
    if reasons:
        raise AttributeHasDependents(attribute.name, ", and ".join(reasons), act)


def counted(users: int, api_keys: int) -> str:
    """Numbers of users and API keys in words: `1 user and 2 API keys`."""
    parts = [(users, "user"), (api_keys, "API key")]
    return " and ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in parts if number)


NAMED = 5
"""How many connections a message names."""


def _listed(connections: tuple[Connection, ...]) -> str:
    names = [f'"{each.name}"{" (archived)" if each.deleted_at else ""}' for each in connections[:NAMED]]
    more = len(connections) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
