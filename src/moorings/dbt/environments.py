"""The environments of a dbt project: the schemas to build in, and their variables."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock, db
from moorings.access.models import User
from moorings.connections.models import Connection
from moorings.dbt.models import DbtEnvironment, DbtVariable
from moorings.dbt.service import hold, supported
from moorings.errors import DbtEnvironmentNotFound, DbtNotSupported, Fault, InvalidInput
from moorings.secrets import Keyset


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a request. With an id, it exists already; a name or value of None stays as it is."""

    id: str | None
    name: str | None
    secret: bool
    value: str | None


@dataclass(frozen=True, slots=True)
class EnvironmentInput:
    """The requested environment: all its columns and all its variables."""

    columns: Mapping[str, str | int | None]
    variables: Sequence[Variable] = ()


async def by_name(
    session: AsyncSession, connection: Connection, after: tuple[Any, ...] | None, number: int, *, descending: bool
) -> tuple[list[DbtEnvironment], int]:
    """Environments by name, after the name and id of one; and the number of all of them."""
    own = select(DbtEnvironment).where(DbtEnvironment.connection_id == connection.id)
    return await db.page(session, own, [(DbtEnvironment.name, descending), (DbtEnvironment.id, False)], after, number)


async def find(
    session: AsyncSession, connection: Connection, environment_id: str, *, to_change: bool = False
) -> DbtEnvironment:
    """An environment of a connection, locked if it is to be changed; raises DbtEnvironmentNotFound."""
    environment = await session.get(DbtEnvironment, environment_id, with_for_update=to_change or None)
    if environment is None or environment.connection_id != connection.id:
        raise DbtEnvironmentNotFound
    return environment


async def default(session: AsyncSession, connection: Connection) -> DbtEnvironment | None:
    """The default environment: the oldest one."""
    own = select(DbtEnvironment).where(DbtEnvironment.connection_id == connection.id)
    return await session.scalar(own.order_by(DbtEnvironment.created_at, DbtEnvironment.id).limit(1))


async def variables(session: AsyncSession, environments: Sequence[DbtEnvironment]) -> dict[str, list[DbtVariable]]:
    """Environment → its variables, in their order."""
    ids = [environment.id for environment in environments]
    found: dict[str, list[DbtVariable]] = {environment_id: [] for environment_id in ids}
    rows = await session.scalars(
        select(DbtVariable).where(DbtVariable.environment_id.in_(ids)).order_by(DbtVariable.position, DbtVariable.id)
    )
    for variable in rows:
        found[variable.environment_id].append(variable)
    return found


async def owners(session: AsyncSession, environments: Sequence[DbtEnvironment]) -> dict[str, str]:
    """Environment → the user it belongs to; a deleted user owns nothing."""
    ids = {environment.owner_id for environment in environments if environment.owner_id is not None}
    live = set(await session.scalars(select(User.id).where(User.id.in_(ids), User.deleted_at.is_(None))))
    return {each.id: each.owner_id for each in environments if each.owner_id and each.owner_id in live}


async def create(
    session: AsyncSession, keyset: Keyset, connection: Connection, requested: EnvironmentInput
) -> DbtEnvironment:
    """Add an environment; raises DbtNotSupported, or InvalidInput for an invalid owner or variable."""
    if not supported(connection):
        raise DbtNotSupported
    await hold(session, connection)
    now = clock.now()
    environment = DbtEnvironment(
        id=str(uuid.uuid4()),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        created_at=now,
        updated_at=now,
    )
    await _set_columns(session, environment, requested.columns)
    session.add(environment)
    await session.flush()
    await _set_variables(session, keyset, environment, requested.variables)
    return environment


async def change(
    session: AsyncSession,
    keyset: Keyset,
    connection: Connection,
    environment: DbtEnvironment,
    requested: EnvironmentInput,
) -> Sequence[str]:
    """Replace an environment; returns the names of the secrets that this removed.

    Raises what `create` does.
    """
    await hold(session, connection)
    await _set_columns(session, environment, requested.columns)
    removed = await _set_variables(session, keyset, environment, requested.variables)
    environment.updated_at = clock.now()
    await session.flush()
    return removed


async def remove(session: AsyncSession, environment: DbtEnvironment) -> None:
    """Remove an environment, with its variables."""
    await session.execute(delete(DbtVariable).where(DbtVariable.environment_id == environment.id))
    await session.delete(environment)
    await session.flush()


async def _set_columns(
    session: AsyncSession, environment: DbtEnvironment, columns: Mapping[str, str | int | None]
) -> None:
    owner = columns.get("owner_id")
    if owner is not None:
        user = await session.get(User, owner)
        if user is None or user.deleted_at is not None or user.organization_id != environment.organization_id:
            raise InvalidInput([Fault("ownerId", "custom", {"reason": "User not found"})])
    for name, value in columns.items():
        setattr(environment, name, value)


async def _set_variables(
    session: AsyncSession, keyset: Keyset, environment: DbtEnvironment, requested: Sequence[Variable]
) -> Sequence[str]:
    known = {each.id: each for each in (await variables(session, [environment]))[environment.id]}
    _check(requested, known)
    rows = [
        _row(keyset, environment, position, variable, known.get(variable.id or ""))
        for position, variable in enumerate(requested)
    ]
    # All rows are deleted before any is added: two of them may have swapped their names.
    await session.execute(delete(DbtVariable).where(DbtVariable.environment_id == environment.id))
    session.add_all(rows)
    await session.flush()
    kept = {row.id for row in rows}
    return [each.name for each in known.values() if each.is_secret and each.id not in kept]


def _check(requested: Sequence[Variable], known: Mapping[str, DbtVariable]) -> None:
    """Raise InvalidInput for ids of other environments, duplicate ids and names, and missing values."""
    faults: list[Fault] = []
    ids, names = set[str](), set[str]()
    for place, variable in enumerate(requested):
        field = f"variables.{place}"
        before = known.get(variable.id or "")
        if variable.id is not None and (before is None or variable.id in ids):
            faults.append(
                Fault(f"{field}.id", "custom", {"reason": "Unknown variable id. Leave the id out to add a variable"})
            )
        name = variable.name or (before.name if before is not None else "")
        if name in names:
            faults.append(
                Fault(f"{field}.name", "custom", {"reason": "Another variable has this name. Names must be unique"})
            )
        if variable.value is None and (before is None or (before.is_secret and not variable.secret)):
            faults.append(Fault(f"{field}.value", "required"))
        ids.add(variable.id or "")
        names.add(name)
    if faults:
        raise InvalidInput(faults)


def _row(
    keyset: Keyset, environment: DbtEnvironment, position: int, variable: Variable, before: DbtVariable | None
) -> DbtVariable:
    """The row of a variable; an existing one keeps its id, because its secret is encrypted for this id."""
    row = variable.id or str(uuid.uuid4())
    sealed = before.sealed if before is not None else None
    value = variable.value
    if value is None and before is not None:
        value = before.value
    if variable.secret and value is not None:
        sealed = keyset.seal(value, table="dbt_variables", column="sealed", row=row)
    return DbtVariable(
        id=row,
        organization_id=environment.organization_id,
        environment_id=environment.id,
        name=variable.name or (before.name if before is not None else ""),
        is_secret=int(variable.secret),
        value=None if variable.secret else value,
        sealed=sealed if variable.secret else None,
        position=position,
    )


def opened(keyset: Keyset, variable: DbtVariable) -> str | None:
    """A variable's value in the clear; None for a secret that was erased."""
    if not variable.is_secret or variable.sealed is None:
        return variable.value
    return keyset.open(variable.sealed, table="dbt_variables", column="sealed", row=variable.id)
