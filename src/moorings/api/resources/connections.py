"""The endpoints of `/connections`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import dialects
from moorings.access import service as access
from moorings.access.policy import Permission
from moorings.api.http import idempotency, schemas
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Call, Parameter, Route
from moorings.api.resources import changes, details, health, moved, targets
from moorings.api.resources.shapes import (
    Archived,
    Changed,
    ConnectionList,
    ConnectionShape,
    Created,
    DependentsShape,
    OneConnection,
    StepShape,
    TestShape,
    connection_shape,
    health_shape,
)
from moorings.connections import service
from moorings.connections.listing import Filter, Listed, Snapshot, snapshot
from moorings.dbt import service as dbt
from moorings.dialects.config.connection import ConnectionConfig
from moorings.engine.service import TestReport
from moorings.environments import moves
from moorings.environments import service as environments
from moorings.errors import (
    ConnectionTestFailed,
    EmptyBody,
    NotArchived,
    PreconditionFailed,
    RepeatDiffers,
    Saturated,
    UnknownDialect,
    UnknownDialects,
    ValueInUse,
)
from moorings.health.service import Health, forget
from moorings.queries import service as queries
from moorings.schedules import service as schedules

SORT_FIELDS = ("database", "dialect", "name")
SORT_DIRECTIONS = ("asc", "desc")
REPOINTED = "whoever is routed to it reaches from now on what it points to now"
ARCHIVED = "whoever is routed to it gets 410 until it is restored"

_encode = msgspec.json.Encoder().encode


# ---- create -----------------------------------------------------------------------------------------------------


async def create(call: Call) -> bytes:
    """Store a new connection; with `test=true` only if it can be reached."""
    query = Fields(call.query(), ("test",))
    test_first = query.flag("test", default=False)
    query.done()
    config = dialects.read(call.body)
    call.services.engine.require_allowed(config)
    if test_first:
        async with call.services.db.reading() as session:
            if answer := await idempotency.earlier(call, session):
                return answer
        await _require_passing(call, config)
    async with call.services.db.unit_of_work() as session:
        return await idempotency.answered(call, session, lambda: _store(call, session, config))


async def _store(call: Call, session: AsyncSession, config: ConnectionConfig) -> Created:
    return Created(data=await service.create(session, call.services.keyset, call.actor, config))


async def _require_passing(call: Call, config: ConnectionConfig) -> None:
    report = await call.services.engine.test(dialects.named(config.dialect), config)
    for step in report.steps:
        if step.status == "failed":
            raise ConnectionTestFailed(step.name, step.message)


# ---- list and get -----------------------------------------------------------------------------------------------


async def list_connections(call: Call) -> bytes:
    """The list, rendered once for each version of the database, caller and query."""
    whose = None if call.actor.admin else call.actor.user_id

    async def render() -> bytes:
        wanted = _filter(call.query())
        found = (await _snapshot(call)).select(call.actor, wanted)
        known = await health.of_organization(call)
        return _encode(ConnectionList([_listed(call, connection, known) for connection in found]))

    return await call.services.db.kept((call.actor.organization_id, whose, call.query_string), call.version, render)


def _listed(call: Call, connection: Listed, known: Mapping[str, Health]) -> ConnectionShape:
    found = known.get(connection.id)
    if found is None:
        return connection_shape(connection)
    return connection_shape(connection, health_shape(found, words=call.actor.may(Permission.READ, connection)))


async def _snapshot(call: Call) -> Snapshot:
    db, organization_id = call.services.db, call.actor.organization_id

    async def load() -> Snapshot:
        async with db.reading() as session:
            return await snapshot(session, organization_id)

    return await db.kept(("connections", organization_id), call.version, load)


def _filter(query: Mapping[str, str]) -> Filter:
    fields = Fields(query, ("name", "database", "dialect", "sortField", "sortDirection", "includeDeleted"))
    sort_field = fields.choice("sortField", SORT_FIELDS)
    direction = fields.choice("sortDirection", SORT_DIRECTIONS)
    include_deleted = fields.flag("includeDeleted", default=False)
    fields.done()
    named = [name.strip() for name in query.get("dialect", "").split(",") if name.strip()]
    unknown = [name for name in named if name not in dialects.names()]
    if unknown:
        raise UnknownDialects(unknown)
    return Filter(
        name=query.get("name", ""),
        database=query.get("database", ""),
        dialects=frozenset(named),
        include_deleted=include_deleted,
        sort_field=sort_field or "name",
        descending=direction == "desc",
    )


async def get(call: Call) -> OneConnection:
    """One connection, with its settings and what may be said of its credentials."""
    return OneConnection(await details.details(call, call.session))


# ---- change -----------------------------------------------------------------------------------------------------


async def update(call: Call) -> Changed:
    """Change any setting, the credentials, the base role or the environment attribute of a connection, in place."""
    await service.hold(
        call.session, call.connection
    )  # two changes at once: the second is checked with what the first left
    wanted = await changes.read(call)
    await details.require_match(call)
    before = call.connection.revision
    places: moves.Places = await moves.places(call.session, call.connection) if wanted.environment is not None else {}
    changed = await service.change(call.session, call.services.keyset, call.connection, wanted)
    warnings: list[str] = []
    if call.connection.revision != before:
        _drop_sessions(call)
        await forget(call.session, call.connection.id)
        warnings += await _warnings(call, REPOINTED)
    if places:
        warnings += moved.sentences(call.actor, await moves.unmatched(call.session, call.connection, places))
    return Changed(message=changes.message(changed), warnings=warnings or msgspec.UNSET)


def _drop_sessions(call: Call) -> None:
    """Once the change is committed, let no session go on that was opened before it."""
    connection_id = call.connection.id
    call.after_commit.append(lambda: call.services.engine.drop(connection_id))


# ---- archive and restore ----------------------------------------------------------------------------------------


async def archive(call: Call) -> Archived:
    """Archive a connection: it leaves the lists, and its secrets are erased for good."""
    await details.require_match(call)
    await service.archive(call.session, call.connection, call.services.erasers)
    _drop_sessions(call)
    return Archived(warnings=await _warnings(call, ARCHIVED) or msgspec.UNSET)


async def _warnings(call: Call, consequence: str) -> list[str]:
    """What a change means for those who are routed to the connection as an environment."""
    bases = await environments.bases_of(call.session, call.connection)
    named = [f'"{base.name}"' if call.actor.may(Permission.SEE, base) else "another connection" for base in bases]
    return [f"This connection is an environment of {name}: {consequence}" for name in named]


async def restore(call: Call) -> OneConnection:
    """Bring an archived connection back, with its credentials in the body; without them it needs them later."""
    config = await changes.restored(call)
    await service.restore(call.session, call.services.keyset, call.connection, config)
    await forget(call.session, call.connection.id)
    return OneConnection(await details.details(call, call.session))


async def dependents(call: Call) -> DependentsShape:
    """What hangs on a connection, before it is archived."""
    below, above = await environments.dependents(call.session, call.connection)
    user_roles, group_roles = await access.roles_on(call.session, call.connection.id)
    return DependentsShape(
        environments=below,
        environment_of=above,
        dbt=await dbt.repository(call.session, call.connection) is not None,
        schedules=[schedule.id for schedule in await schedules.listed(call.session, call.connection)],
        user_roles=user_roles,
        group_roles=group_roles,
        running_queries=await queries.running_on(call.session, call.connection.id),
    )


# ---- test -------------------------------------------------------------------------------------------------------


async def test_unsaved(call: Call) -> TestShape:
    """Test a configuration without storing anything."""
    config = dialects.read(call.body)
    return test_shape(await call.services.engine.test(dialects.named(config.dialect), config))


async def test_saved(call: Call) -> TestShape:
    """Test a stored connection; of several environments the one that the caller gets."""
    query = Fields(call.query(), ("environment",))
    environment = targets.chosen(query)
    query.done()
    Fields(call.body, ()).done()
    target = await targets.routed(call, Permission.TEST, environment)
    report = await call.services.engine.test(target.dialect, target.config, target.connection_id)
    await health.record(call, target, report)
    return test_shape(report)


def test_shape(report: TestReport) -> TestShape:
    """A test's report as the wire shows it."""
    steps = [
        StepShape(step.name, step.status, step.duration_ms, step.message, step.code, list(step.fields))
        for step in report.steps
    ]
    return TestShape(report.success, steps)


_TEXT = {"type": "string"}

ETAG = {"ETag": "What If-Match takes to guard a change."}

ROUTES = (
    Route(
        method="GET",
        path="/connections",
        handler=list_connections,
        kind="free",
        summary="List connections",
        answer=ConnectionList,
        parameters=(
            Parameter("name", _TEXT, "Only those whose name contains this, in any case."),
            Parameter("database", _TEXT, "Only those whose database contains this, in any case."),
            Parameter("dialect", schemas.DIALECT_LIST, "Only these dialects, comma-separated."),
            Parameter("sortField", {"enum": list(SORT_FIELDS)}, "What to sort by; `name` unless said."),
            Parameter("sortDirection", {"enum": list(SORT_DIRECTIONS)}, "`asc` unless said."),
            Parameter("includeDeleted", schemas.FLAG, "Archived ones too."),
        ),
        errors=(UnknownDialects,),
    ),
    Route(
        method="POST",
        path="/connections",
        handler=create,
        kind="free",
        admin=True,
        summary="Create a connection",
        answer=Created,
        status=201,
        body=schemas.connection,
        parameters=(Parameter("test", schemas.FLAG, "Store it only if its test passes."), idempotency.KEY),
        headers=idempotency.HEADERS,
        errors=(UnknownDialect, ConnectionTestFailed, Saturated, RepeatDiffers),
    ),
    Route(
        method="GET",
        path="/connections/{id}",
        handler=get,
        permission=Permission.READ,
        summary="Get a connection",
        answer=OneConnection,
        headers=ETAG,
    ),
    Route(
        method="PATCH",
        path="/connections/{id}",
        handler=update,
        permission=Permission.CHANGE,
        summary="Update a connection",
        answer=Changed,
        body=schemas.connection_changes,
        body_optional=True,
        body_asks=True,
        parameters=(details.IF_MATCH,),
        errors=(EmptyBody, ValueInUse, PreconditionFailed),
    ),
    Route(
        method="DELETE",
        path="/connections/{id}",
        handler=archive,
        permission=Permission.ARCHIVE,
        summary="Archive a connection",
        answer=Archived,
        parameters=(details.IF_MATCH,),
        errors=(PreconditionFailed,),
    ),
    Route(
        method="POST",
        path="/connections/{id}/restore",
        handler=idempotency.once(restore),
        permission=Permission.RESTORE,
        summary="Restore an archived connection",
        answer=OneConnection,
        body=schemas.credentials,
        body_optional=True,
        parameters=(idempotency.KEY,),
        headers=ETAG | idempotency.HEADERS,
        errors=(NotArchived, RepeatDiffers),
    ),
    Route(
        method="GET",
        path="/connections/{id}/dependents",
        handler=dependents,
        permission=Permission.OVERSEE,
        summary="List what hangs on a connection",
        answer=DependentsShape,
    ),
    Route(
        method="POST",
        path="/connections/test",
        handler=test_unsaved,
        kind="free",
        admin=True,
        summary="Test a configuration",
        answer=TestShape,
        body=schemas.connection,
        errors=(UnknownDialect, Saturated),
    ),
    Route(
        method="POST",
        path="/connections/{id}/test",
        handler=test_saved,
        kind="free",
        permission=Permission.TEST,
        summary="Test a connection",
        answer=TestShape,
        body=schemas.nothing,
        body_optional=True,
        parameters=(targets.ENVIRONMENT,),
        headers=targets.HEADERS,
        errors=(*targets.ERRORS, Saturated),
    ),
)
