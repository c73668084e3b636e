"""The steps of methods that several resources have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.client.errors import JobFailed
from moorings.client.names import connection_id, user_id
from moorings.client.shapes import (
    CatalogTable,
    Changed,
    ConnectionDetails,
    HealthPage,
    Job,
    RefreshStarted,
    Route,
    TestResult,
)
from moorings.client.steps import Pages, Pause, Request, Steps, at, given, pages


def details(connection: str) -> Steps[ConnectionDetails]:
    """One connection."""
    answer = yield Request("GET", at("connections", (yield from connection_id(connection))))
    return answer["connection"]


def health(connection: str) -> Steps[HealthPage]:
    """The health of a connection."""
    found = yield from connection_id(connection)
    return (yield Request("GET", at("connections", found, "health")))


def tested(connection: str, environment: str | None) -> Steps[TestResult]:
    """The test of a stored connection."""
    found = yield from connection_id(connection)
    params = given(environment=(yield from chosen_environment(environment)))
    return (yield Request("POST", at("connections", found, "test"), json={}, params=params))


def chosen_environment(environment: str | None) -> Steps[str | None]:
    """The id of the connection of an environment that a caller chose."""
    return (yield from connection_id(environment)) if environment else None


def refreshed(connection: str, *, hard: bool, wait: bool) -> Steps[RefreshStarted]:
    """A refresh, to its end if `wait`."""
    found = yield from connection_id(connection)
    body = {"hardRefresh": True} if hard else {}
    started: RefreshStarted = yield Request("POST", at("connections", found, "refresh"), json=body)
    if wait:
        yield from finished(started["jobId"])
    return started


def finished(job: str) -> Steps[Job]:
    """A job, once it has ended. Raises JobFailed."""
    seconds = 0.1
    while True:
        found: Job = yield Request("GET", at("jobs", job, "status"))
        if found["status"] != "IN_PROGRESS":
            break
        yield Pause(seconds)
        seconds = min(seconds * 1.5, 5)
    if found["error"] is not None:
        raise JobFailed(found)
    return found


def updated(connection: str, fields: Mapping[str, Any], *, if_match: str | None, test: bool) -> Steps[Changed]:
    """A change of a connection."""
    found = yield from connection_id(connection)
    headers, params = given(**{"If-Match": if_match}), given(test=test or None)
    return (yield Request("PATCH", at("connections", found), json=dict(fields), headers=headers, params=params))


def routed(connection: str, user: str | None) -> Steps[Route]:
    """Which connection a user gets through a base connection."""
    found = yield from connection_id(connection)
    params = given(userId=(yield from user_id(user)) if user else None)
    return (yield Request("GET", at("connections", found, "route"), params=params))


def tables(connection: str, schema: str | None, environment: str | None) -> Steps[Pages[CatalogTable]]:
    """The tables of a connection, from the database."""
    found, chosen = (yield from connection_id(connection)), (yield from chosen_environment(environment))
    return pages(at("connections", found, "tables"), "tables", schema=schema, environment=chosen)
