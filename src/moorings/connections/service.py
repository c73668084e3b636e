"""Connections: create, find, list, change, open."""

from __future__ import annotations

import contextlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock, dialects
from moorings.access.installation import fingerprint_key
from moorings.access.policy import ON_ARCHIVED, Permission, alias_of, role_named
from moorings.access.service import Actor
from moorings.connections.models import Connection, ConnectionSecret, EnvironmentValue
from moorings.db import Database
from moorings.dialects.config.connection import ConnectionConfig
from moorings.engine.service import Target
from moorings.errors import AlreadyArchived, Archived, ConnectionNotFound, NotArchived, ValueInUse
from moorings.secrets import Keyset

FINGERPRINT_DIGITS = 24
COLUMNS = ("name", "dialect", "database", "default_schema", "base_role")
"""Fields of a Config that are columns of their own; the rest is `settings`."""
UNDIALLED = {"name", "unmatched", "probe_health"}
"""Fields that no session is opened with: a change of them leaves the open ones alone."""


async def create(session: AsyncSession, keyset: Keyset, actor: Actor, config: ConnectionConfig) -> str:
    """Store a connection and seal its secrets; returns its id. Organization admins only."""
    actor.require_admin()
    now = clock.now()
    settings = {field: value for field, value in config.public().items() if field not in COLUMNS}
    connection = Connection(
        id=str(uuid.uuid4()),
        organization_id=actor.organization_id,
        name=config.name,
        dialect=config.dialect,
        database=config.database,
        default_schema=config.default_schema,
        base_role=int(role_named(config.base_role)),
        base_role_alias=alias_of(config.base_role),
        settings=settings,
        created_at=now,
        updated_at=now,
    )
    session.add(connection)
    await session.flush()
    session.add_all(_sealed(keyset, connection, config.secrets(), now))
    await session.flush()
    return connection.id


def _sealed(keyset: Keyset, connection: Connection, values: Mapping[str, str], now: int) -> Iterable[ConnectionSecret]:
    for field, value in values.items():
        row = str(uuid.uuid4())
        yield ConnectionSecret(
            id=row,
            organization_id=connection.organization_id,
            connection_id=connection.id,
            field=field,
            sealed=keyset.seal(value, table="connection_secrets", column="sealed", row=row),
            updated_at=now,
        )


async def find(session: AsyncSession, actor: Actor, connection_id: str) -> Connection:
    """The connection; raises ConnectionNotFound if the actor may not see it."""
    return visible(actor, await session.get(Connection, connection_id))


def visible(actor: Actor, connection: Connection | None) -> Connection:
    """Return a connection that was read before; raises ConnectionNotFound if the actor may not see it."""
    if connection is None or connection.organization_id != actor.organization_id:
        raise ConnectionNotFound
    if not actor.may(Permission.SEE, connection):
        raise ConnectionNotFound
    return connection


async def kept(db: Database, version: int, connection_id: str) -> Connection | None:
    """A connection at this version of access, from the cache if it is there. The object is read-only."""

    async def load() -> Connection:
        async with db.reading() as session:
            found = await session.get(Connection, connection_id)
        if found is None:
            raise ConnectionNotFound  # not cached: the number of unknown ids has no limit
        return found

    with contextlib.suppress(ConnectionNotFound):
        return await db.cached(("connection", connection_id), version, load)
    return None


async def permitted(session: AsyncSession, actor: Actor, connection_id: str, permission: Permission) -> Connection:
    """The connection, if the act on it is allowed: raises ConnectionNotFound, then PermissionDenied, then Archived."""
    return require(actor, await session.get(Connection, connection_id), permission)


def require(actor: Actor, connection: Connection | None, permission: Permission) -> Connection:
    """The same for a connection that was read before."""
    connection = visible(actor, connection)
    actor.require(permission, connection)
    if connection.deleted_at is not None and permission not in ON_ARCHIVED:
        raise AlreadyArchived if permission is Permission.ARCHIVE else Archived
    return connection


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret that is set. Its keyed fingerprint shows whether two secrets are the same, and nothing else."""

    field: str
    fingerprint: str
    updated_at: int


async def opened(session: AsyncSession, keyset: Keyset, connection: Connection) -> Target:
    """The target that the engine connects to: the Config with its decrypted secrets."""
    return (await sealed(session, connection)).opened(keyset)


@dataclass(frozen=True, slots=True)
class SealedTarget:
    """A target with its secrets still sealed: the form that a process may cache."""

    connection: Connection
    secrets: Sequence[ConnectionSecret]

    @property
    def cached_bytes(self) -> int:
        """The approximate size in memory."""
        return len(str(self.connection.settings)) + sum(len(each.sealed.ciphertext) for each in self.secrets)

    def opened(self, keyset: Keyset) -> Target:
        """The target with its secrets in the clear."""
        return _target(self.connection, [(secret, _in_the_clear(keyset, secret)) for secret in self.secrets])


async def sealed(session: AsyncSession, connection: Connection) -> SealedTarget:
    """A connection with its secrets as they are stored."""
    own = select(ConnectionSecret).where(ConnectionSecret.connection_id == connection.id)
    return SealedTarget(connection, list(await session.scalars(own.order_by(ConnectionSecret.field))))


async def opened_all(session: AsyncSession, keyset: Keyset, ids: Collection[str]) -> dict[str, Target]:
    """The targets of several connections by id, read in two statements; archived connections are left out."""
    live = select(Connection).where(Connection.id.in_(ids), Connection.deleted_at.is_(None))
    stored = list(await session.scalars(live))
    secrets: dict[str, list[tuple[ConnectionSecret, str]]] = {connection.id: [] for connection in stored}
    for secret in await session.scalars(select(ConnectionSecret).where(ConnectionSecret.connection_id.in_(secrets))):
        secrets[secret.connection_id].append((secret, _in_the_clear(keyset, secret)))
    return {connection.id: _target(connection, secrets[connection.id]) for connection in stored}


async def described(
    session: AsyncSession, keyset: Keyset, connection: Connection
) -> tuple[ConnectionConfig, list[Credential]]:
    """The Config with its secrets, and the credentials that responses may show."""
    secrets = await _opened_secrets(session, keyset, connection)
    key = await fingerprint_key(session, keyset)
    shown = [Credential(secret.field, _fingerprint(key, value), secret.updated_at) for secret, value in secrets]
    return _target(connection, secrets).config, shown


async def fingerprints(session: AsyncSession, keyset: Keyset, secrets: Mapping[str, str]) -> dict[str, str]:
    """The fingerprints that these secrets would have, by field. Nothing is stored."""
    key = await fingerprint_key(session, keyset)
    return {field: _fingerprint(key, value) for field, value in secrets.items()}


async def _opened_secrets(
    session: AsyncSession, keyset: Keyset, connection: Connection
) -> list[tuple[ConnectionSecret, str]]:
    """A connection's secrets by their fields' names, each with its value in the clear."""
    return [(secret, _in_the_clear(keyset, secret)) for secret in (await sealed(session, connection)).secrets]


def _in_the_clear(keyset: Keyset, secret: ConnectionSecret) -> str:
    return keyset.open(secret.sealed, table="connection_secrets", column="sealed", row=secret.id)


def _target(connection: Connection, secrets: Iterable[tuple[ConnectionSecret, str]]) -> Target:
    dialect = dialects.named(connection.dialect)
    values = {secret.field: value for secret, value in secrets}
    config = dialect.Config.restore(connection.settings | _columns(connection), values)
    return Target(connection.id, connection.revision, dialect, config)


def _fingerprint(key: bytes, value: str) -> str:
    return hmac.digest(key, value.encode(), "sha256").hex()[:FINGERPRINT_DIGITS]


# ---- changes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnvironmentAttribute:
    """The user attribute that chooses an environment, and the values that mean the base connection itself.

    Values that are None stay as they are.
    """

    name: str
    default_values: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes that a PATCH asks for. `environment` is absent, or wraps the wanted attribute (None removes it)."""

    base_role: str | None = None
    """The role's name, in the spelling that responses use."""
    environment: tuple[EnvironmentAttribute | None] | None = None
    config: ConnectionConfig | None = None
    """The whole Config after the change; its base role is ignored here."""
    sent: frozenset[str] = frozenset()
    """The Config's fields that were sent. Secrets among them are replaced or taken away; others may follow them."""


async def change(session: AsyncSession, keyset: Keyset, connection: Connection, changes: Changes) -> tuple[str, ...]:
    """Apply the differences; returns which of `settings`, `credentials`, `role`, `environment` changed, in this order.

    The caller has locked the connection since it read the fields. Raises ValueInUse for a default value that one of its
    environments claims.
    """
    changed: list[str] = []
    if changes.config is not None:
        if changes.sent & _set(connection, changes.config):
            changed.append("settings")
        if await _replace_secrets(session, keyset, connection, changes.config, changes.sent):
            changed.append("credentials")
    if changes.base_role is not None:
        connection.base_role_alias = alias_of(changes.base_role)  # an alias of the same role is no change
        if connection.base_role != role_named(changes.base_role):
            connection.base_role = int(role_named(changes.base_role))
            changed.append("role")
    if changes.environment is not None and await _set_attribute(session, connection, changes.environment[0]):
        changed.append("environment")
    if changed:
        connection.updated_at = clock.now()
        await session.flush()
    return tuple(changed)


Eraser = Callable[[AsyncSession, Connection], Awaitable[None]]
"""Erases the secrets that a higher room stores for a connection; `app` lists all of these functions."""


async def archive(session: AsyncSession, connection: Connection, erasers: Sequence[Eraser]) -> None:
    """Hide a connection from lists and erase its secrets permanently. Its dependents stay until a restore."""
    await lock(session, connection)
    if connection.deleted_at is not None:
        raise AlreadyArchived
    connection.deleted_at = connection.updated_at = clock.now()
    connection.revision += 1
    await session.execute(delete(ConnectionSecret).where(ConnectionSecret.connection_id == connection.id))
    for erase in erasers:
        await erase(session, connection)
    await session.flush()


async def restore(
    session: AsyncSession, keyset: Keyset, connection: Connection, config: ConnectionConfig | None
) -> None:
    """Bring an archived connection back, with the credentials of a Config, or without any. Raises NotArchived."""
    await lock(session, connection)
    if connection.deleted_at is None:
        raise NotArchived
    connection.deleted_at, connection.updated_at = None, clock.now()
    connection.revision += 1
    if config is not None:
        await _replace_secrets(session, keyset, connection, config, frozenset(config.secrets()))
    await session.flush()


async def lock(session: AsyncSession, connection: Connection) -> None:
    """Lock this connection and the values claimed on it against other transactions until this one ends."""
    await session.refresh(connection, with_for_update=True)


async def hold(session: AsyncSession, connection: Connection) -> None:
    """Lock a connection before a change; raises Archived if it was archived meanwhile.

    Its fields do not change until the transaction ends, and no secret is stored after the secrets were erased.
    """
    await lock(session, connection)
    if connection.deleted_at is not None:
        raise Archived


async def _replace_secrets(
    session: AsyncSession, keyset: Keyset, connection: Connection, config: ConnectionConfig, sent: frozenset[str]
) -> bool:
    replaced = sent & frozenset(config.secret_fields())
    if not replaced:
        return False
    await session.execute(
        delete(ConnectionSecret).where(
            ConnectionSecret.connection_id == connection.id, ConnectionSecret.field.in_(replaced)
        )
    )
    values = {field: value for field, value in config.secrets().items() if field in replaced}
    session.add_all(_sealed(keyset, connection, values, clock.now()))
    connection.revision += 1
    return True


def _set(connection: Connection, config: ConnectionConfig) -> frozenset[str]:
    """Store a Config's fields, except secrets and the base role; returns the names of those that differed."""
    before, after = connection.settings | _columns(connection), config.public()
    after["base_role"] = before["base_role"]
    differing = frozenset(field for field, value in after.items() if value != before.get(field))
    for name in COLUMNS:
        if name in differing:
            setattr(connection, name, after[name])
    connection.settings = {field: value for field, value in after.items() if field not in COLUMNS}
    if differing - UNDIALLED:
        connection.revision += 1
    return differing


def _columns(connection: Connection) -> dict[str, Any]:
    """The fields of a Config that are columns."""
    return {
        "name": connection.name,
        "dialect": connection.dialect,
        "database": connection.database,
        "default_schema": connection.default_schema,
        "base_role": connection.base_role_name,
    }


async def _set_attribute(session: AsyncSession, connection: Connection, requested: EnvironmentAttribute | None) -> bool:
    values = await session.execute(
        select(EnvironmentValue.value, EnvironmentValue.environment_id)
        .where(EnvironmentValue.base_connection_id == connection.id)
        .order_by(EnvironmentValue.position)
    )
    rows = list(values)
    claimed = {value for value, environment_id in rows if environment_id is not None}
    before = tuple(value for value, environment_id in rows if environment_id is None)
    name, after = (requested.name, requested.default_values) if requested else (None, ())
    after = before if after is None else after
    for value in after:
        if value in claimed:
            raise ValueInUse(value)
    if (connection.environment_attribute, before) == (name, after):
        return False
    connection.environment_attribute = name
    await session.execute(
        delete(EnvironmentValue).where(
            EnvironmentValue.base_connection_id == connection.id, EnvironmentValue.environment_id.is_(None)
        )
    )
    session.add_all(value_rows(connection, None, after))
    return True


def value_rows(base: Connection, environment_id: str | None, values: Sequence[str]) -> list[EnvironmentValue]:
    """The rows that claim values on a base connection, for an environment or (None) for the base itself."""
    return [
        EnvironmentValue(
            id=str(uuid.uuid4()),
            organization_id=base.organization_id,
            base_connection_id=base.id,
            environment_id=environment_id,
            value=value,
            position=position,
        )
        for position, value in enumerate(values)
    ]
