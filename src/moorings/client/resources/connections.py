"""Connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.client.names import connection_id
from moorings.client.resources.base import Awaits, Waits
from moorings.client.resources.handles import Asks, AsksAsync, AsyncConnectionHandle, ConnectionHandle
from moorings.client.resources.steps import details, health, refreshed, routed, tested, updated
from moorings.client.shapes import (
    Archived,
    Changed,
    Connection,
    ConnectionDetails,
    Dependents,
    HealthChange,
    HealthPage,
    RefreshStarted,
    Route,
    TestResult,
)
from moorings.client.steps import Pages, Request, Steps, at, given, listing, method, pages

ConnectionList = list[Connection]
Fingerprints = dict[str, str]
"""Field → fingerprint."""


class ConnectionMethods:
    """What both clients can do with connections."""

    @method
    def list(
        self,
        *,
        name: str | None = None,
        database: str | None = None,
        dialect: str | None = None,
        include_deleted: bool = False,
    ) -> Steps[ConnectionList]:
        """The connections that the key may see, by name. `name` and `database` are parts of those."""
        params = given(name=name, database=database, dialect=dialect, includeDeleted=include_deleted or None)
        answer = yield Request("GET", "/connections", params=params)
        return answer["connections"]

    @method
    def get(self, connection: str) -> Steps[ConnectionDetails]:
        """One connection with its settings and the etag that guards changes."""
        return (yield from details(connection))

    @method
    def create(self, fields: Mapping[str, Any], *, test: bool = False) -> Steps[ConnectionDetails]:
        """Create a connection from the API's fields. With `test` it is only stored if its test succeeds."""
        made = yield Request("POST", "/connections", json=dict(fields), params=given(test=test or None))
        return (yield from details(made["data"]))

    @method
    def update(
        self, connection: str, fields: Mapping[str, Any], *, if_match: str | None = None, test: bool = False
    ) -> Steps[Changed]:
        """Change the given fields. With `if_match`, an etag, only if nobody else changed the connection meanwhile."""
        return (yield from updated(connection, fields, if_match=if_match, test=test))

    @method
    def archive(self, connection: str, *, if_match: str | None = None) -> Steps[Archived]:
        """Archive a connection. Its secrets are erased."""
        found = yield from connection_id(connection)
        return (yield Request("DELETE", at("connections", found), headers=given(**{"If-Match": if_match})))

    @method
    def restore(self, connection: str, secrets: Mapping[str, Any] | None = None) -> Steps[ConnectionDetails]:
        """Restore an archived connection; `secrets` are the fields that were erased, such as passwordUnencrypted."""
        found = yield from connection_id(connection, archived=True)
        answer = yield Request("POST", at("connections", found, "restore"), json=dict(secrets or {}))
        return answer["connection"]

    @method
    def dependents(self, connection: str) -> Steps[Dependents]:
        """What depends on a connection."""
        found = yield from connection_id(connection)
        return (yield Request("GET", at("connections", found, "dependents")))

    @method
    def fingerprints(self, connection: str, secrets: Mapping[str, str]) -> Steps[Fingerprints]:
        """The fingerprints that secrets would have; equal ones are stored already if `credentials` have the same."""
        found = yield from connection_id(connection)
        return (yield Request("POST", at("connections", found, "fingerprints"), json=dict(secrets)))["fingerprints"]

    @method
    def test(self, connection: str, *, environment: str | None = None) -> Steps[TestResult]:
        """Test a stored connection, step by step. A failed test is a result, not an error."""
        return (yield from tested(connection, environment))

    @method
    def test_unsaved(self, fields: Mapping[str, Any]) -> Steps[TestResult]:
        """Test fields that are not stored."""
        return (yield Request("POST", "/connections/test", json=dict(fields)))

    @method
    def refresh(self, connection: str, *, hard: bool = False, wait: bool = False) -> Steps[RefreshStarted]:
        """Read the catalog of a connection now. With `wait`, return when it is read; raises JobFailed."""
        return (yield from refreshed(connection, hard=hard, wait=wait))

    @method
    def route(self, connection: str, *, user: str | None = None) -> Steps[Route]:
        """Which connection a user gets through a base connection, and why."""
        return (yield from routed(connection, user))

    @method
    def health(self, connection: str) -> Steps[HealthPage]:
        """The health of a connection and the newest changes of it."""
        return (yield from health(connection))

    @listing
    def health_changes(self, connection: str) -> Steps[Pages[HealthChange]]:
        """Every recorded change of a connection's health, newest first."""
        found = yield from connection_id(connection)
        return pages(at("connections", found, "health"))


class Connections(ConnectionMethods, Waits):
    """Connections, of `Client`. `connections["Shop"]` is one of them, by its name or id."""

    def __init__(self, client: Asks) -> None:
        super().__init__(client)
        self._asks = client

    def __getitem__(self, name: str) -> ConnectionHandle:
        return ConnectionHandle(self._asks, name)


class AsyncConnections(ConnectionMethods, Awaits):
    """Connections, of `AsyncClient`. `connections["Shop"]` is one of them, by its name or id."""

    def __init__(self, client: AsksAsync) -> None:
        super().__init__(client)
        self._asks = client

    def __getitem__(self, name: str) -> AsyncConnectionHandle:
        return AsyncConnectionHandle(self._asks, name)
