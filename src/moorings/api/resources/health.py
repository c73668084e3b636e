"""The health of connections: in lists, and in full from `/connections/{id}/health`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.access.policy import Permission, Scope
from moorings.api.http import pagination
from moorings.api.http.answers import Shape, instant
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.connections.service import opened
from moorings.engine.service import Target, TestReport
from moorings.health import service
from moorings.health.models import HealthChange
from moorings.health.probing import is_probed
from moorings.health.service import Health


class HealthErrorShape(Shape):
    """The fault of a failing connection: the failed step of the test and its error code.

    `message` is included for users who may read the connection.
    """

    step: str
    code: str | None
    message: str | None


class HealthShape(Shape):
    """The health of a connection: `healthy`, `failing`, or `unknown` if it was never tested."""

    status: str
    since: str | None
    error: HealthErrorShape | None


UNKNOWN = HealthShape("unknown", None, None)


class HealthChangeShape(Shape):
    """A change of health: from this time on the connection was healthy, or failed with this error."""

    at: str
    status: str
    error: HealthErrorShape | None


class HealthPage(Shape, kw_only=True):
    """The current health of a connection, its next probe, and its history, newest first."""

    health: HealthShape
    probed: bool
    checked_at: str | None
    next_probe_at: str | None
    page_info: PageInfo
    records: list[HealthChangeShape]


def health_shape(found: Health | None, *, words: bool) -> HealthShape:
    """The health of a connection; without `words`, the failure's message is omitted."""
    if found is None:
        return UNKNOWN
    return HealthShape(found.status, instant(found.since), error_shape(found.error, words=words))


def error_shape(error: Mapping[str, Any] | None, *, words: bool) -> HealthErrorShape | None:
    """The failure of an unhealthy connection."""
    return HealthErrorShape(error["step"], error["code"], error["message"] if words else None) if error else None


async def of_organization(call: Call) -> Mapping[str, Health]:
    """Connection → its health, for lists; cached like them."""
    db, organization_id = call.services.db, call.actor.organization_id

    async def load() -> Mapping[str, Health]:
        async with db.reading() as session:
            return await service.of_organization(session, organization_id)

    return await db.cached(("health", organization_id), call.version, load)


async def record(call: Call, target: Target, report: TestReport) -> None:
    """Store the result of a connection's test as if a probe had found it."""
    webhook = call.services.settings.webhook_url is not None
    async with call.services.db.unit_of_work() as session:
        await service.record(session, target.connection_id, target.revision, report, webhook=webhook)


async def show(call: Call) -> HealthPage:
    """The current health of a connection, and its history."""
    query = Fields(call.query(), ("cursor", "pageSize"))
    page = pagination.page_request(query)
    query.done()
    connection = call.connection
    found, total = await service.history(call.session, connection.id, page.after, page.size + 1)
    probe = await service.probes(call.session, connection.id)
    probed = await _probed(call)
    return HealthPage(
        health=health_shape(await service.of_connection(call.session, connection.id), words=True),
        probed=probed,
        checked_at=instant(probe.checked_at) if probe and probe.checked_at else None,
        next_probe_at=instant(probe.next_at) if probe and probed else None,
        page_info=pagination.info([(change.at, change.id) for change in found], page, total),
        records=[_change(change) for change in found[: page.size]],
    )


async def _probed(call: Call) -> bool:
    """Whether a connection is probed: probes are enabled, it is not archived, and it has credentials."""
    connection = call.connection
    if not call.services.settings.health_probe_seconds or connection.deleted_at is not None:
        return False
    if not is_probed(connection):
        return False
    return not (await opened(call.session, call.services.keyset, connection)).config.lacks_credentials


def _change(change: HealthChange) -> HealthChangeShape:
    return HealthChangeShape(instant(change.at), change.status, error_shape(change.error, words=True))


ROUTES = (
    Route(
        method="GET",
        path="/connections/{id}/health",
        scopes=(Scope.READ,),
        handler=show,
        permission=Permission.READ,
        summary="Get a connection's health",
        answer=HealthPage,
        parameters=pagination.PARAMETERS,
    ),
)
