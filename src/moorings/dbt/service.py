"""The dbt repository of a connection, and the deploy key that reads it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock, dialects
from moorings.connections.models import Connection
from moorings.connections.service import hold
from moorings.dbt.models import DbtEnvironment, DbtRepository, DbtVariable
from moorings.errors import DbtNotConfigured, DbtNotSupported
from moorings.secrets import Keyset

VERSIONS = ("Auto", "1.10", "1.11")
"""The versions of dbt that a project may use."""


@dataclass(frozen=True, slots=True)
class Project:
    """The repository of a dbt project, and the options for reading it. Flags are 0 or 1."""

    ssh_url: str
    branch: str
    project_root_path: str | None
    dbt_version: str
    autogen_relationships: int
    enable_semantic_layer: int
    enable_virtual_schemas: int


def supported(connection: Connection) -> bool:
    """Whether dbt has an adapter for the connection's dialect."""
    return dialects.named(connection.dialect).has_dbt


async def repository(session: AsyncSession, connection: Connection) -> DbtRepository | None:
    """The repository of a connection, if it has one."""
    return (
        await session.scalars(select(DbtRepository).where(DbtRepository.connection_id == connection.id))
    ).one_or_none()


async def configure(
    session: AsyncSession, keyset: Keyset, connection: Connection, project: Project, *, rotate: bool
) -> None:
    """Link a repository, or change the link; a deploy key is created if there is none, or on rotation.

    Raises DbtNotSupported.
    """
    if not supported(connection):
        raise DbtNotSupported
    await hold(session, connection)  # the second of two concurrent requests finds the key of the first one
    now = clock.now()
    found = await repository(session, connection)
    if found is None:
        found = DbtRepository(
            id=str(uuid.uuid4()),
            organization_id=connection.organization_id,
            connection_id=connection.id,
            created_at=now,
            updated_at=now,
        )
        session.add(found)
    changed = {name: value for name, value in asdict(project).items() if value != getattr(found, name)}
    for name, value in changed.items():
        setattr(found, name, value)
    if rotate or found.private_key is None:
        _make_key(keyset, found)
        changed["private_key"] = None
    if changed:
        found.updated_at = now
    await session.flush()


def _make_key(keyset: Keyset, repository: DbtRepository) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    repository.public_key = f"{public.decode()} moorings"
    repository.private_key = keyset.seal(private, table="dbt_repositories", column="private_key", row=repository.id)


async def unlink(session: AsyncSession, connection: Connection) -> None:
    """Remove the link to a repository and its deploy key; environments stay. Raises DbtNotConfigured."""
    await hold(session, connection)
    found = await repository(session, connection)
    if found is None:
        raise DbtNotConfigured
    await session.delete(found)
    await session.flush()


async def erase(session: AsyncSession, connection: Connection) -> None:
    """Erase the deploy key and every secret variable permanently, because the connection is archived."""
    environments = select(DbtEnvironment.id).where(DbtEnvironment.connection_id == connection.id)
    await session.execute(
        update(DbtRepository)
        .where(DbtRepository.connection_id == connection.id)
        .values(public_key=None, private_key=None)
    )
    await session.execute(update(DbtVariable).where(DbtVariable.environment_id.in_(environments)).values(sealed=None))
