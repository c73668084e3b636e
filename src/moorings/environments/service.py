"""Environments: attach connections to a base connection, and set the values that select them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from moorings import clock
from moorings.access import attributes
from moorings.access import service as access
from moorings.access.attributes import AttributeValues
from moorings.access.models import ApiKey, User
from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.connections.models import Connection, EnvironmentValue
from moorings.connections.service import SealedTarget, hold, lock, sealed, value_rows
from moorings.db import Database
from moorings.engine.service import Engine, Target
from moorings.environments.models import ConnectionEnvironment
from moorings.environments.routing import Base, Candidate, Choice, choose
from moorings.errors import (
    Archived,
    BaseConnectionNotFound,
    EnvironmentNotFound,
    NeedsCredentials,
    NoEnvironment,
    NotEnvironments,
    PermissionDenied,
    ValueInUse,
)
from moorings.secrets import Keyset


async def base_connection(session: AsyncSession, actor: Actor, connection_id: str) -> Connection:
    """The connection to add environments to; raises BaseConnectionNotFound, PermissionDenied, Archived."""
    base = await _visible(session, actor, connection_id)
    if base is None:
        raise BaseConnectionNotFound(connection_id)
    actor.require(Permission.CHANGE, base)
    if base.deleted_at is not None:
        raise Archived
    return base


async def attach(
    session: AsyncSession, actor: Actor, base: Connection, connection_ids: Sequence[str]
) -> list[ConnectionEnvironment]:
    """Make connections environments of `base`, all or none; raises NotEnvironments that names each misfit."""
    requested = list(dict.fromkeys(connection_ids))
    candidates = {connection_id: await _visible(session, actor, connection_id) for connection_id in requested}
    await _lock_all(session, [base, *(each for each in candidates.values() if each)])
    _require_live(base)
    taken = set(
        await session.scalars(
            select(ConnectionEnvironment.connection_id).where(ConnectionEnvironment.base_connection_id == base.id)
        )
    )
    misfits = [
        connection_id
        for connection_id in requested
        if connection_id in taken or not _fits(candidates[connection_id], base)
    ]
    if misfits:
        raise NotEnvironments(misfits)
    if not all(actor.may(Permission.CHANGE, connection) for connection in candidates.values() if connection):
        raise PermissionDenied
    now = clock.now()
    base.side = "base"
    for connection in candidates.values():
        if connection is not None:
            connection.side = "environment"
    await session.flush()
    environments = [
        ConnectionEnvironment(
            id=str(uuid.uuid4()),
            organization_id=base.organization_id,
            base_connection_id=base.id,
            connection_id=connection_id,
            dialect=base.dialect,
            created_at=now,
        )
        for connection_id in requested
    ]
    session.add_all(environments)
    await session.flush()
    return environments


async def _lock_all(session: AsyncSession, connections: Iterable[Connection]) -> None:
    """Lock several connections, in the order of their ids, so that two transactions cannot deadlock."""
    for connection in sorted({each.id: each for each in connections}.values(), key=lambda each: each.id):
        await lock(session, connection)


def _require_live(base: Connection) -> None:
    """Raise Archived if the base was archived while the transaction waited for its lock."""
    if base.deleted_at is not None:
        raise Archived


async def _visible(session: AsyncSession, actor: Actor, connection_id: str) -> Connection | None:
    connection = await session.get(Connection, connection_id)
    if connection is None or connection.organization_id != actor.organization_id:
        return None
    return connection if actor.may(Permission.SEE, connection) else None


def _fits(candidate: Connection | None, base: Connection) -> bool:
    return (
        candidate is not None
        and candidate.deleted_at is None
        and candidate.id != base.id
        and candidate.dialect == base.dialect
        and candidate.side != "base"
        and base.side != "environment"
    )


async def find(session: AsyncSession, actor: Actor, environment_id: str) -> tuple[ConnectionEnvironment, Connection]:
    """An environment to change, and its base; raises EnvironmentNotFound, PermissionDenied, Archived."""
    environment = await session.get(ConnectionEnvironment, environment_id)
    base = await _visible(session, actor, environment.base_connection_id) if environment else None
    if environment is None or base is None:
        raise EnvironmentNotFound(environment_id)
    actor.require(Permission.CHANGE, base)
    if base.deleted_at is not None:
        raise Archived
    return environment, base


async def set_values(
    session: AsyncSession, environment: ConnectionEnvironment, base: Connection, values: Sequence[str]
) -> None:
    """Set the values of the user attribute that select this environment.

    Raises ValueInUse for a value already claimed on the base, EnvironmentNotFound if another request detached it.
    """
    await hold(session, base)
    mine = select(ConnectionEnvironment.id).where(ConnectionEnvironment.id == environment.id)
    if await session.scalar(mine) is None:
        raise EnvironmentNotFound(environment.id)
    claimed = set(
        await session.scalars(
            select(EnvironmentValue.value).where(
                EnvironmentValue.base_connection_id == base.id,
                EnvironmentValue.environment_id.is_distinct_from(environment.id),
            )
        )
    )
    for value in values:
        if value in claimed:
            raise ValueInUse(value)
    await session.execute(delete(EnvironmentValue).where(EnvironmentValue.environment_id == environment.id))
    session.add_all(value_rows(base, environment.id, values))
    await session.flush()


async def route(session: AsyncSession, owner: User | ApiKey, base: Connection, explicit: str | None = None) -> Routed:
    """The connection that a request of a user or an organization key for `base` is routed to.

    `explicit` is the id of the environment, of its connection or of the base that the request names; raises
    EnvironmentNotFound for an id of another base. Raises Archived rather than choose another connection in place
    of an archived one.
    """
    found = await meanings(session, base)
    requested = _asked_for(found, explicit) if explicit is not None else None
    values = (
        await attributes.values_for(session, owner, found.attribute) if found.attribute else AttributeValues(None, ())
    )
    choice = choose(found, values.own, values.default, requested)
    connection = await session.get_one(Connection, choice.connection_id) if choice.connection_id else None
    if connection is not None and connection.deleted_at is not None:
        raise Archived
    return Routed(choice, connection, found, choose(found, values.own, values.default))


def _asked_for(base: Base, explicit: str) -> Candidate | Base:
    if explicit == base.connection_id:
        return base
    for each in base.candidates:
        if explicit in (each.environment_id, each.connection_id):
            return each
    raise EnvironmentNotFound(explicit)


async def permitted(
    session: AsyncSession, actor: Actor, base: Connection, permission: Permission, explicit: str | None
) -> Connection:
    """The connection that the actor's request for `base` is routed to; raises the errors of `route`.

    To choose an environment by id, the actor needs the permission on that connection itself, or the right to change
    the base. To choose the base instead of an environment, it needs the right to change the base. Raises
    PermissionDenied; NoEnvironment if the base denies users without a match.
    """
    routed = await route(session, await access.owner(session, actor), base, explicit)
    if routed.connection is None:
        raise NoEnvironment(routed.base.attribute)
    if explicit is not None and routed.connection.id != base.id and not actor.limits.include(routed.connection.id):
        raise PermissionDenied
    if explicit is not None and not actor.may(Permission.CHANGE, base):
        if routed.connection.id != base.id:
            actor.require(permission, routed.connection)
        elif routed.otherwise.connection_id != base.id:
            raise PermissionDenied
    return routed.connection


async def kept_route(
    db: Database, version: int, actor: Actor, base: Connection, permission: Permission, explicit: str | None
) -> SealedTarget:
    """The connection that the actor's request for `base` is routed to, with sealed secrets; raises like `permitted`.

    Cached per version of access; refusals are not cached.
    """

    async def load() -> SealedTarget:
        async with db.reading() as session:
            return await sealed(session, await permitted(session, actor, base, permission, explicit))

    return await db.cached(("route", actor.key_id, base.id, permission, explicit), version, load)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens the connections that requests are routed to, the same way for every protocol of the service."""

    db: Database
    keyset: Keyset
    engine: Engine

    async def target(
        self, version: int, actor: Actor, base: Connection, permission: Permission, explicit: str | None
    ) -> Target:
        """The target of the connection that the actor's request for `base` is routed to.

        Raises like `permitted`; NeedsCredentials if the connection was restored without its secrets.
        """
        found = await kept_route(self.db, version, actor, base, permission, explicit)
        connection = found.connection
        target = self.engine.target(connection.id, connection.revision) or found.opened(self.keyset)
        if target.config.lacks_credentials:
            raise NeedsCredentials
        return target


@dataclass(frozen=True, slots=True)
class Routed:
    """A choice, its connection (None if denied), and the inputs of the choice."""

    choice: Choice
    connection: Connection | None
    base: Base
    otherwise: Choice
    """The choice for a caller who names no environment."""


async def meanings(session: AsyncSession, base: Connection) -> Base:
    """A base connection's stored environments and values, as arguments of `choose`."""
    rows = await session.execute(
        select(EnvironmentValue.environment_id, EnvironmentValue.value)
        .where(EnvironmentValue.base_connection_id == base.id)
        .order_by(EnvironmentValue.position)
    )
    values = _by_environment((environment_id, value) for environment_id, value in rows)
    environments = await session.scalars(
        select(ConnectionEnvironment)
        .where(ConnectionEnvironment.base_connection_id == base.id)
        .order_by(ConnectionEnvironment.created_at, ConnectionEnvironment.id)
    )
    candidates = tuple(Candidate(each.id, each.connection_id, values.get(each.id, ())) for each in environments)
    denies = base.settings.get("unmatched") == "deny"
    return Base(base.id, base.environment_attribute, values.get(None, ()), candidates, denies)


async def listed(session: AsyncSession, actor: Actor) -> list[tuple[ConnectionEnvironment, tuple[str, ...]]]:
    """The environments whose connection and base the actor may see, with their values; archived bases are left out."""
    above, own = aliased(Connection), aliased(Connection)
    rows = await session.execute(
        select(ConnectionEnvironment, above, own)
        .join(above, above.id == ConnectionEnvironment.base_connection_id)
        .join(own, own.id == ConnectionEnvironment.connection_id)
        .where(ConnectionEnvironment.organization_id == actor.organization_id, above.deleted_at.is_(None))
        .order_by(ConnectionEnvironment.created_at, ConnectionEnvironment.id)
    )
    values = await _values(session, actor.organization_id)
    return [
        (found, values.get(found.id, ()))
        for found, base, connection in rows
        if (actor.may(Permission.CHANGE, base) and actor.limits.include(connection.id))
        or (actor.may(Permission.SEE, base) and actor.may(Permission.SEE, connection))
    ]


async def _values(session: AsyncSession, organization_id: str) -> dict[str | None, tuple[str, ...]]:
    rows = await session.execute(
        select(EnvironmentValue.environment_id, EnvironmentValue.value)
        .where(EnvironmentValue.organization_id == organization_id, EnvironmentValue.environment_id.is_not(None))
        .order_by(EnvironmentValue.position)
    )
    return _by_environment((environment_id, value) for environment_id, value in rows)


def _by_environment(rows: Iterable[tuple[str | None, str]]) -> dict[str | None, tuple[str, ...]]:
    """Environment (None: the base itself) → the values that select it, in the order of the rows."""
    values: dict[str | None, tuple[str, ...]] = {}
    for environment_id, value in rows:
        values[environment_id] = (*values.get(environment_id, ()), value)
    return values


async def dependents(session: AsyncSession, connection: Connection) -> tuple[list[str], list[str]]:
    """The environments of this connection, and the base connections that it is an environment of."""
    pairs = await session.execute(
        select(ConnectionEnvironment.base_connection_id, ConnectionEnvironment.connection_id)
        .where(
            (ConnectionEnvironment.base_connection_id == connection.id)
            | (ConnectionEnvironment.connection_id == connection.id)
        )
        .order_by(ConnectionEnvironment.created_at, ConnectionEnvironment.id)
    )
    found = [(base, other) for base, other in pairs]
    below = [other for base, other in found if base == connection.id]
    return below, [base for base, other in found if other == connection.id]


async def bases_of(session: AsyncSession, connection: Connection) -> list[Connection]:
    """The base connections that this one is an environment of, the archived ones left out."""
    rows = await session.scalars(
        select(Connection)
        .join(ConnectionEnvironment, ConnectionEnvironment.base_connection_id == Connection.id)
        .where(ConnectionEnvironment.connection_id == connection.id, Connection.deleted_at.is_(None))
        .order_by(Connection.name, Connection.id)
    )
    return list(rows)


async def detach(session: AsyncSession, environment: ConnectionEnvironment, base: Connection) -> None:
    """Detach an environment from `base`, and free its values; both connections stay."""
    connection = await session.get_one(Connection, environment.connection_id)
    await _lock_all(session, [base, connection])
    _require_live(base)
    await session.execute(delete(EnvironmentValue).where(EnvironmentValue.environment_id == environment.id))
    gone = delete(ConnectionEnvironment).where(ConnectionEnvironment.id == environment.id)
    if (await session.execute(gone.returning(ConnectionEnvironment.id))).scalar() is None:
        raise EnvironmentNotFound(environment.id)  # another request detached it
    for each in (base, connection):
        if not any(await dependents(session, each)):
            each.side = None
    await session.flush()
