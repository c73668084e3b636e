"""One connection, by its name or id: `client.connections["Shop"]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from moorings.client.names import connection_id
from moorings.client.queries import Format, QueryOptions
from moorings.client.resources.base import Awaits, Waits
from moorings.client.shapes import (
    CatalogTable,
    Changed,
    ConnectionDetails,
    HealthPage,
    Plan,
    RefreshStarted,
    Route,
    TestResult,
)
from moorings.client.steps import Awaiting, Blocking, Pages, Steps, listing, method

if TYPE_CHECKING:
    from moorings.client.results.awaiting import AsyncDownload, AsyncResult, Opening
    from moorings.client.results.blocking import Download, Result

from moorings.client.resources import steps


class HandleMethods:
    """What both clients can do with one connection; `client.connections` has the rest."""

    name: str

    @method
    def id(self) -> Steps[str]:
        """The id of the connection."""
        return (yield from connection_id(self.name))

    @method
    def get(self) -> Steps[ConnectionDetails]:
        """The connection with its settings and its etag."""
        return (yield from steps.details(self.name))

    @method
    def update(self, fields: Mapping[str, Any], *, if_match: str | None = None, test: bool = False) -> Steps[Changed]:
        """Change the given fields."""
        return (yield from steps.updated(self.name, fields, if_match=if_match, test=test))

    @method
    def test(self, *, environment: str | None = None) -> Steps[TestResult]:
        """Test the connection, step by step."""
        return (yield from steps.tested(self.name, environment))

    @method
    def refresh(self, *, hard: bool = False, wait: bool = False) -> Steps[RefreshStarted]:
        """Read the catalog of the connection now."""
        return (yield from steps.refreshed(self.name, hard=hard, wait=wait))

    @method
    def health(self) -> Steps[HealthPage]:
        """The health of the connection."""
        return (yield from steps.health(self.name))

    @method
    def route(self, *, user: str | None = None) -> Steps[Route]:
        """Which connection a user gets through this one, and why."""
        return (yield from steps.routed(self.name, user))

    @listing
    def tables(self, *, schema: str | None = None, environment: str | None = None) -> Steps[Pages[CatalogTable]]:
        """The tables and views, read from the database now."""
        return (yield from steps.tables(self.name, schema, environment))


class Asks(Blocking, Protocol):
    """A client that waits and runs queries."""

    def query(
        self, sql: str, connection: str | None = None, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]
    ) -> Result:
        """Run a statement."""
        ...

    def download(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        *,
        format: Format = "csv",  # noqa: A002 - as in Client
        **options: Unpack[QueryOptions],
    ) -> Download:
        """Run a statement, for bytes."""
        ...

    def plan(
        self, sql: str, connection: str | None = None, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]
    ) -> Plan:
        """Plan a statement."""
        ...


class AsksAsync(Awaiting, Protocol):
    """A client that is awaited and runs queries."""

    def query(
        self, sql: str, connection: str | None = None, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]
    ) -> Opening[AsyncResult]:
        """Run a statement."""
        ...

    def download(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        *,
        format: Format = "csv",  # noqa: A002 - as in AsyncClient
        **options: Unpack[QueryOptions],
    ) -> Opening[AsyncDownload]:
        """Run a statement, for bytes."""
        ...

    async def plan(
        self, sql: str, connection: str | None = None, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]
    ) -> Plan:
        """Plan a statement."""
        ...


class ConnectionHandle(HandleMethods, Waits):
    """A connection, of `Client`."""

    def __init__(self, client: Asks, name: str) -> None:
        super().__init__(client)
        self._asks = client
        self.name = name

    def __repr__(self) -> str:
        return f"connections[{self.name!r}]"

    def query(self, sql: str, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]) -> Result:
        """Run a statement; its rows arrive while the result is read."""
        return self._asks.query(sql, self.name, parameters, **options)

    def download(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        *,
        format: Format = "csv",  # noqa: A002 - as in Client
        **options: Unpack[QueryOptions],
    ) -> Download:
        """Run a statement; its rows arrive as bytes in one of the API's formats."""
        return self._asks.download(sql, self.name, parameters, format=format, **options)

    def plan(self, sql: str, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]) -> Plan:
        """The query plan of a statement, which is not run."""
        return self._asks.plan(sql, self.name, parameters, **options)


class AsyncConnectionHandle(HandleMethods, Awaits):
    """A connection, of `AsyncClient`."""

    def __init__(self, client: AsksAsync, name: str) -> None:
        super().__init__(client)
        self._asks = client
        self.name = name

    def __repr__(self) -> str:
        return f"connections[{self.name!r}]"

    def query(self, sql: str, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]) -> Opening[AsyncResult]:
        """Run a statement; its rows arrive while the result is read."""
        return self._asks.query(sql, self.name, parameters, **options)

    def download(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        *,
        format: Format = "csv",  # noqa: A002 - as in AsyncClient
        **options: Unpack[QueryOptions],
    ) -> Opening[AsyncDownload]:
        """Run a statement; its rows arrive as bytes in one of the API's formats."""
        return self._asks.download(sql, self.name, parameters, format=format, **options)

    async def plan(self, sql: str, parameters: Sequence[Any] = (), **options: Unpack[QueryOptions]) -> Plan:
        """The query plan of a statement, which is not run."""
        return await self._asks.plan(sql, self.name, parameters, **options)
