"""Environments of base connections."""

from __future__ import annotations

from collections.abc import Sequence

from moorings.client.names import connection_id, environment_id
from moorings.client.resources.base import Awaits, Waits
from moorings.client.shapes import Environment, EnvironmentChange, EnvironmentsCreated
from moorings.client.steps import Request, Steps, at, method

EnvironmentList = list[Environment]
Ids = list[str]


class EnvironmentMethods:
    """What both clients can do with environments. A method takes an id, or the id or name of its connection."""

    @method
    def list(self, *, base: str | None = None) -> Steps[EnvironmentList]:
        """All environments, or those of one base connection."""
        found = (yield from connection_id(base)) if base else None
        answer = yield Request("GET", "/connection-environments")
        return [each for each in answer["connectionEnvironments"] if found in (None, each["baseConnectionId"])]

    @method
    def create(self, base: str, connections: Sequence[str]) -> Steps[EnvironmentsCreated]:
        """Make connections environments of a base connection."""
        ids: Ids = []
        for connection in connections:
            ids.append((yield from connection_id(connection)))
        body = {"baseConnectionId": (yield from connection_id(base)), "environmentConnectionIds": ids}
        return (yield Request("POST", "/connection-environments", json=body))

    @method
    def update(self, environment: str, values: Sequence[str]) -> Steps[EnvironmentChange]:
        """Set the attribute values that route users to an environment."""
        found = yield from environment_id(environment)
        return (yield Request("PUT", at("connection-environments", found), json={"userAttributeValues": [*values]}))

    @method
    def delete(self, environment: str) -> Steps[EnvironmentChange]:
        """Remove an environment. Its connection stays."""
        found = yield from environment_id(environment)
        return (yield Request("DELETE", at("connection-environments", found)))


class Environments(EnvironmentMethods, Waits):
    """Environments, of `Client`."""


class AsyncEnvironments(EnvironmentMethods, Awaits):
    """Environments, of `AsyncClient`."""
