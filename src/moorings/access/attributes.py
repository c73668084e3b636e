"""User attributes: facts about users that choose which environment of a connection they get."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access import groups
from moorings.access.models import ApiKey, User, UserAttribute, UserAttributeValue, UserGroup
from moorings.access.service import Actor, limits_of
from moorings.errors import AttributeInUse, AttributeNotFound

Values = tuple[str, ...]

SYSTEM = {
    "omni_is_org_admin": "Is organization admin",
    "omni_user_email": "User email",
    "omni_user_embed_entity": "Embed entity",
    "omni_user_groups": "User groups",
    "omni_user_id": "User ID",
    "omni_user_name": "User name",
    "omni_user_timezone": "User timezone",
}
"""System attributes that every user has: name → label. They cannot be defined or set."""


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of an attribute."""

    name: str
    label: str
    description: str | None
    type: str
    multiple_values: bool
    default_values: Values


@dataclass(frozen=True, slots=True)
class AttributeValues:
    """The values of one attribute for a user or key: its own values (None: not set), and the defaults."""

    own: Values | None
    default: Values


async def defined(session: AsyncSession, organization_id: str) -> list[UserAttribute]:
    """Every attribute that was defined, by name."""
    rows = await session.scalars(
        select(UserAttribute).where(UserAttribute.organization_id == organization_id).order_by(UserAttribute.name)
    )
    return list(rows)


async def find(session: AsyncSession, actor: Actor, attribute_id: str) -> UserAttribute:
    """The attribute; raises AttributeNotFound."""
    attribute = await session.get(UserAttribute, attribute_id)
    if attribute is None or attribute.organization_id != actor.organization_id:
        raise AttributeNotFound
    return attribute


async def define(session: AsyncSession, actor: Actor, definition: Definition) -> UserAttribute:
    """Add an attribute; raises AttributeInUse for a name that is taken."""
    attribute = UserAttribute(
        id=str(uuid.uuid4()), organization_id=actor.organization_id, created_at=clock.now(), **_columns(definition)
    )
    session.add(attribute)
    await _store(session, definition.name)
    return attribute


async def redefine(session: AsyncSession, attribute: UserAttribute, definition: Definition) -> None:
    """Change an attribute; raises AttributeInUse for a name that is taken."""
    for column, value in _columns(definition).items():
        setattr(attribute, column, value)
    await _store(session, definition.name)


async def _store(session: AsyncSession, name: str) -> None:
    if name in SYSTEM:
        raise AttributeInUse(name)
    try:
        await session.flush()
    except IntegrityError:
        raise AttributeInUse(name) from None


def _columns(definition: Definition) -> dict[str, object]:
    return {
        "name": definition.name,
        "label": definition.label,
        "description": definition.description,
        "type": definition.type,
        "multiple_values": int(definition.multiple_values),
        "default_values": list(definition.default_values),
    }


async def remove(session: AsyncSession, attribute: UserAttribute) -> None:
    """Delete an attribute and all its values."""
    await session.execute(delete(UserAttributeValue).where(UserAttributeValue.attribute_id == attribute.id))
    await session.delete(attribute)
    await session.flush()


# ---- values -----------------------------------------------------------------------------------------------------


async def assign(
    session: AsyncSession,
    owner: User | ApiKey,
    definition: Mapping[str, Sequence[str] | None],
    known: Sequence[UserAttribute],
) -> None:
    """Set attribute values of a user or an organization key, by name; None removes a value. Other attributes stay."""
    by_name = {attribute.name: attribute for attribute in known}
    before = await values_of(session, owner)
    for name, values in definition.items():
        if before.get(name) == (None if values is None else tuple(values)):
            continue
        attribute = by_name[name]
        await session.execute(
            delete(UserAttributeValue).where(UserAttributeValue.attribute_id == attribute.id, _of(owner))
        )
        if values is not None:
            session.add(_row(owner, attribute, values))
    await session.flush()


def _of(owner: User | ApiKey) -> ColumnElement[bool]:
    column = UserAttributeValue.user_id if isinstance(owner, User) else UserAttributeValue.key_id
    return column == owner.id


def _row(owner: User | ApiKey, attribute: UserAttribute, values: Sequence[str]) -> UserAttributeValue:
    return UserAttributeValue(
        id=str(uuid.uuid4()),
        organization_id=owner.organization_id,
        attribute_id=attribute.id,
        user_id=owner.id if isinstance(owner, User) else None,
        key_id=None if isinstance(owner, User) else owner.id,
        values=list(values),
        updated_at=clock.now(),
    )


async def values_of(session: AsyncSession, owner: User | ApiKey) -> dict[str, Values]:
    """The values set for a user or an organization key, by attribute name."""
    rows = await session.execute(
        select(UserAttribute.name, UserAttributeValue.values)
        .join(UserAttribute, UserAttribute.id == UserAttributeValue.attribute_id)
        .where(_of(owner))
        .order_by(UserAttribute.name)
    )
    return {name: tuple(values) for name, values in rows}


async def values_of_users(session: AsyncSession, user_ids: Sequence[str]) -> dict[str, dict[str, Values]]:
    """The values set for each of several users, by attribute name."""
    rows = await session.execute(
        select(UserAttributeValue.user_id, UserAttribute.name, UserAttributeValue.values)
        .join(UserAttribute, UserAttribute.id == UserAttributeValue.attribute_id)
        .where(UserAttributeValue.user_id.in_(user_ids))
        .order_by(UserAttribute.name)
    )
    found: dict[str, dict[str, Values]] = {}
    for user_id, name, values in rows:
        found.setdefault(str(user_id), {})[name] = tuple(values)
    return found


async def values_for(session: AsyncSession, owner: User | ApiKey, name: str) -> AttributeValues:
    """The values of one attribute for a user or an organization key; the attribute need not be defined."""
    if name in SYSTEM:
        return AttributeValues((await _system(session, owner)).get(name), ())
    attribute = await _named(session, owner.organization_id, name)
    if attribute is None:
        return AttributeValues(None, ())
    return AttributeValues((await values_of(session, owner)).get(name), tuple(attribute.default_values))


@dataclass(frozen=True, slots=True)
class OwnerValues:
    """One attribute's values of every live user and every active organization key, by their ids."""

    users: Mapping[str, AttributeValues]
    keys: Mapping[str, AttributeValues]


async def values_of_owners(session: AsyncSession, organization_id: str, name: str | None) -> OwnerValues:
    """One attribute's values of every user and key; it need not be defined. None: no attribute, no values."""
    users = (User.organization_id == organization_id, User.deleted_at.is_(None))
    keys = (ApiKey.organization_id == organization_id, ApiKey.user_id.is_(None), ApiKey.revoked_at.is_(None))
    key_ids = await session.scalars(select(ApiKey.id).where(*keys))
    if name in SYSTEM:
        everybody = list(await session.scalars(select(User).where(*users)))
        groups_of = await groups.of_users(session, [user.id for user in everybody])
        facts = {user.id: _facts(user, groups_of.get(user.id, ())) for user in everybody}
        of_users = {user_id: AttributeValues(found.get(name), ()) for user_id, found in facts.items()}
        live = await session.scalars(select(ApiKey).where(*keys))
        return OwnerValues(of_users, {key.id: AttributeValues(_key_facts(key).get(name), ()) for key in live})
    user_ids = await session.scalars(select(User.id).where(*users))
    attribute = await _named(session, organization_id, name) if name else None
    default = tuple(attribute.default_values) if attribute else ()
    rows = await session.scalars(
        select(UserAttributeValue).where(UserAttributeValue.attribute_id == (attribute.id if attribute else None))
    )
    own = {row.user_id or row.key_id: tuple(row.values) for row in rows}
    return OwnerValues(
        {user_id: AttributeValues(own.get(user_id), default) for user_id in user_ids},
        {key_id: AttributeValues(own.get(key_id), default) for key_id in key_ids},
    )


async def _named(session: AsyncSession, organization_id: str, name: str) -> UserAttribute | None:
    mine = UserAttribute.organization_id == organization_id
    return (await session.scalars(select(UserAttribute).where(mine, UserAttribute.name == name))).one_or_none()


async def _system(session: AsyncSession, owner: User | ApiKey) -> Mapping[str, Values]:
    """The system attributes of a user or key. An organization key has only `omni_is_org_admin`."""
    if isinstance(owner, ApiKey):
        return _key_facts(owner)
    return _facts(owner, (await groups.of_users(session, [owner.id])).get(owner.id, ()))


def _key_facts(key: ApiKey) -> Mapping[str, Values]:
    return {"omni_is_org_admin": ("false" if limits_of(key).limited else "true",)}


def _facts(user: User, user_groups: Sequence[UserGroup]) -> dict[str, Values]:
    return {
        "omni_is_org_admin": ("true" if user.organization_role == "ORG_ADMIN" else "false",),
        "omni_user_email": (user.email,),
        "omni_user_groups": tuple(group.name for group in user_groups),
        "omni_user_id": (user.id,),
        "omni_user_name": (user.name,),
    }
