"""GET /connections."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from moorings import dialects
from moorings.access.policy import Permission
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.resources import health
from moorings.api.resources.connections.shapes import (
    ConnectionList,
    ConnectionShape,
    connection_shape,
)
from moorings.api.resources.health import health_shape
from moorings.connections.listing import Filter, Listed, Snapshot, snapshot
from moorings.errors import (
    UnknownDialects,
)
from moorings.health.service import Health

SORT_FIELDS = ("database", "dialect", "name")
SORT_DIRECTIONS = ("asc", "desc")

_encode = msgspec.json.Encoder().encode


async def list_connections(call: Call) -> bytes:
    """The connections that the key may see. The list has no pages."""

    async def render() -> bytes:
        criteria = _filter(call.query())
        found = (await _snapshot(call)).select(call.actor, criteria)
        known = await health.of_organization(call)
        return _encode(ConnectionList([_listed(call, connection, known) for connection in found]))

    return await call.services.db.cached(
        ("list", call.actor.organization_id, call.actor.view, call.query_string), call.version, render
    )


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

    return await db.cached(("connections", organization_id), call.version.access, load)


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
