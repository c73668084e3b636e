"""The endpoints of `/connections`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from moorings import dialects
from moorings.access.policy import Permission, Role
from moorings.api import schemas, targets
from moorings.api.fields import Fields
from moorings.api.routing import Call, Parameter, Route
from moorings.api.shapes import (
    Changed,
    ConnectionList,
    Created,
    OneConnection,
    StepShape,
    TestShape,
    connection_shape,
)
from moorings.connections import service
from moorings.connections.listing import Filter, Snapshot, snapshot
from moorings.connections.service import Changes, EnvironmentAttribute
from moorings.dialects.config import ConnectionConfig
from moorings.engine.service import TestReport
from moorings.errors import (
    ConnectionNotFound,
    ConnectionTestFailed,
    EmptyBody,
    Fault,
    InvalidInput,
    Saturated,
    UnknownDialect,
    UnknownDialects,
    ValueInUse,
)

ROLES = tuple(role.name for role in Role)
ROLE_ALIASES = {"QUERY_TOPICS": "RESTRICTED_QUERIER"}
SORT_FIELDS = ("database", "dialect", "name")
SORT_DIRECTIONS = ("asc", "desc")

_encode = msgspec.json.Encoder().encode


# ---- create -----------------------------------------------------------------------------------------------------


async def create(call: Call) -> Created:
    """Store a new connection; with `test=true` only if it can be reached."""
    query = Fields(call.query(), ("test",))
    test_first = query.flag("test", default=False)
    query.done()
    config = dialects.read(call.body)
    if test_first:
        await _require_passing(call, config)
    async with call.services.db.unit_of_work() as session:
        created = await service.create(session, call.services.keyset, call.actor, config)
    return Created(data=created)


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
        return _encode(ConnectionList([connection_shape(listed) for listed in found]))

    return await call.services.db.kept((call.actor.organization_id, whose, call.query_string), call.version, render)


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
    """One connection."""
    found = next((listed for listed in (await _snapshot(call)).connections if listed.id == call.connection.id), None)
    if found is None:  # deleted between the check and now
        raise ConnectionNotFound
    return OneConnection(connection_shape(found))


# ---- change -----------------------------------------------------------------------------------------------------


async def update(call: Call) -> Changed:
    """Change the base role, the environment attribute or the credentials of a connection."""
    changes = await _changes(call)
    connection_id = call.connection.id
    changed = await service.change(call.session, call.services.keyset, call.connection, changes)
    if "credentials" in changed:
        call.after_commit.append(lambda: call.services.engine.drop(connection_id))
    return Changed(message=MESSAGES[changed])


MESSAGES: dict[tuple[str, ...], str] = {
    (): "No updates were made to the connection.",
    ("role",): "Updated connection default role.",
    ("environment",): "Updated environment user attribute settings.",
    ("role", "environment"): "Updated connection default role and user attribute settings.",
    ("credentials",): "Updated connection credentials.",
    ("credentials", "role"): "Updated connection credentials and default role.",
    ("credentials", "environment"): "Updated connection credentials and user attribute settings.",
    ("credentials", "role", "environment"): "Updated connection credentials, default role and user attribute settings.",
}
"""What really changed → the sentence for it."""

CREDENTIALS = ("passwordUnencrypted", "privateKey")
OLD_NAME, OLD_VALUES = "userAttributeNameForConnectionEnvironments", "userAttributeValuesForDefaultEnvironment"


async def _changes(call: Call) -> Changes:
    fields = Fields(call.body, ("baseRole", "environmentUserAttribute", *CREDENTIALS, OLD_NAME, OLD_VALUES))
    role = fields.choice("baseRole", (*ROLES, *ROLE_ALIASES), short=True)
    environment = _environment(fields, call.connection.environment_attribute)
    credentials, following = await _credentials(call, fields)
    fields.done()
    return Changes(Role[ROLE_ALIASES.get(role, role)] if role else None, environment, credentials or None, following)


def _environment(fields: Fields, attribute_now: str | None) -> tuple[EnvironmentAttribute | None] | None:
    if fields.has(OLD_NAME) or fields.has(OLD_VALUES):
        if fields.has("environmentUserAttribute"):
            fields.fault("environmentUserAttribute", "invalid")  # said twice, in two spellings
        return _environment_in_old_spelling(fields, attribute_now)
    if not fields.has("environmentUserAttribute"):
        return None
    sent = fields.raw("environmentUserAttribute")
    if sent is None:
        return (None,)
    if not isinstance(sent, dict):
        fields.object_expected("environmentUserAttribute")
        return None
    nested = fields.nested("environmentUserAttribute", ("attributeName", "defaultValues"))
    name = nested.string("attributeName", required=True)
    if not nested.has("defaultValues"):
        nested.fault("defaultValues", "required")
    values = nested.array("defaultValues") if nested.raw("defaultValues") is not None else []
    return (EnvironmentAttribute(name, read_values(nested, "defaultValues", values or [])),)


def _environment_in_old_spelling(fields: Fields, attribute_now: str | None) -> tuple[EnvironmentAttribute | None]:
    """The seed's guide spells the attribute as two flat fields; the one that is not sent stays as it is."""
    name = attribute_now
    if fields.has(OLD_NAME):
        name = None if fields.raw(OLD_NAME) is None else fields.string(OLD_NAME)
    elif name is None:
        fields.fault(OLD_NAME, "required")
    values = read_value_list(fields, OLD_VALUES) if fields.has(OLD_VALUES) else None
    if name is None and values and fields.has(OLD_NAME):
        fields.fault(OLD_VALUES, "invalid")  # values of an attribute that is to be removed
    return (EnvironmentAttribute(name, values) if name is not None else None,)


def read_value_list(fields: Fields, name: str) -> tuple[str, ...]:
    """User attribute values, as `"a,b"` or `["a", "b"]`; null and the empty string are none."""
    sent = fields.raw(name)
    if isinstance(sent, str):
        return read_values(fields, name, [value.strip() for value in sent.split(",")] if sent else [])
    return () if sent is None else read_values(fields, name, fields.array(name) or [])


def read_values(fields: Fields, name: str, values: Sequence[Any]) -> tuple[str, ...]:
    """User attribute values: 1–255 characters, no comma, no duplicate."""
    read: list[str] = []
    for position, value in enumerate(values):
        place = f"{name}.{position}"
        if not fields.fits(place, value):
            continue
        if "," in value or value in read:
            fields.fault(place, "invalid")
        read.append(value)
    return tuple(read)


async def _credentials(call: Call, fields: Fields) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """New credentials by the Config's fields, checked as at the creation, and what else follows from them.

    Notes what is wrong with them.
    """
    sent = {name: fields.raw(name) for name in CREDENTIALS if fields.has(name)}
    if not sent:
        return {}, {}
    target = await service.opened(call.session, call.services.keyset, call.connection)
    found: list[Fault] = []
    own = Fields(sent, CREDENTIALS, faults=found)
    if own.has("privateKey") and not target.dialect.abilities.key_pair:
        own.fault("privateKey", "said", reason="Only Snowflake connections have a private key")
        del sent["privateKey"]
    strings = {name: value for name, value in sent.items() if own.fits(name, value, longest=100_000)}
    read: Mapping[str, str] = {}
    try:
        read = target.config.read_credentials(strings) if strings else {}
    except InvalidInput as refused:
        found += refused.faults
    fields.add(sorted(found, key=lambda fault: fault.field != CREDENTIALS[0]))
    return read, target.config.followed(read)


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
    return test_shape(await call.services.engine.test(target.dialect, target.config))


def test_shape(report: TestReport) -> TestShape:
    """A test's report as the wire shows it."""
    steps = [
        StepShape(step.name, step.status, step.duration_ms, step.message, step.code, list(step.fields))
        for step in report.steps
    ]
    return TestShape(report.success, steps)


_TEXT = {"type": "string"}

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
        parameters=(Parameter("test", schemas.FLAG, "Store it only if its test passes."),),
        errors=(UnknownDialect, ConnectionTestFailed, Saturated),
    ),
    Route(
        method="GET",
        path="/connections/{id}",
        handler=get,
        kind="free",
        permission=Permission.READ,
        summary="Get a connection",
        answer=OneConnection,
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
        errors=(EmptyBody, ValueInUse),
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
