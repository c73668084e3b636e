"""The client that is awaited."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self, TypeVar, Unpack, cast

import httpx

from moorings.client.core import Core, prepared, read, refusal, repeatable, unreachable
from moorings.client.errors import ClientError
from moorings.client.queries import (
    MEDIA_TYPES,
    Format,
    Query,
    QueryOptions,
    asked,
    cancelled,
    facts,
    has_pyarrow,
    planned,
    read_timeout,
)
from moorings.client.resources.access import AsyncAttributes, AsyncGroups, AsyncKeys, AsyncUsers
from moorings.client.resources.catalog import AsyncCatalog, AsyncDialects
from moorings.client.resources.connections import AsyncConnections
from moorings.client.resources.environments import AsyncEnvironments
from moorings.client.resources.integrations import AsyncDbtProjects, AsyncWebhooks
from moorings.client.resources.schedules import AsyncJobs, AsyncSchedules
from moorings.client.results.awaiting import AsyncDownload, AsyncResult, Opening
from moorings.client.retries import Retries
from moorings.client.shapes import Plan, Whoami
from moorings.client.steps import Pages, Pause, Request, Steps

T = TypeVar("T")


class AsyncClient:
    """A client of one service, with one key, for asyncio. Its methods are those of `Client`, awaited.

    Without `url` and `key` it takes MOORINGS_URL and MOORINGS_KEY, then the profile of `moorings login`. `timeout` is
    in seconds, for each request; queries have the limit of their connection. `transport` replaces httpx's own.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        profile: str | None = None,
        timeout: float | None = 30,
        retries: int | Retries = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._core = Core(url, key, profile, timeout, retries)
        self._http = httpx.AsyncClient(**self._core.options, transport=transport)
        self.connections = AsyncConnections(self)
        self.environments = AsyncEnvironments(self)
        self.attributes = AsyncAttributes(self)
        self.schedules = AsyncSchedules(self)
        self.users = AsyncUsers(self)
        self.groups = AsyncGroups(self)
        self.keys = AsyncKeys(self)
        self.webhooks = AsyncWebhooks(self)
        self.jobs = AsyncJobs(self)
        self.catalog = AsyncCatalog(self)
        self.dialects = AsyncDialects(self)
        self.dbt = AsyncDbtProjects(self)

    def __repr__(self) -> str:
        return f"AsyncClient({self._core.url!r})"

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._core.url

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send any request of the API; `path` is below /api/v1. Returns the decoded answer; raises ClientError."""
        return await self._exchange(Request(method, path, json, params, headers))

    async def whoami(self) -> Whoami:
        """Whom the key acts as."""
        return cast("Whoami", await self.request("GET", "/whoami"))

    def query(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        **options: Unpack[QueryOptions],
    ) -> Opening[AsyncResult]:
        """Run a statement: `async with client.query(…) as result`, or `await` it.

        Without `connection` it runs on the one of the profile, or on the only one that the key sees.
        """
        query = Query(sql=sql, connection=connection, parameters=parameters, **options)

        async def opened() -> AsyncResult:
            return AsyncResult(await self._opened(query, "arrow" if has_pyarrow() else "json"))

        return Opening(opened)

    def download(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        *,
        format: Format = "csv",  # noqa: A002 - what everybody calls it
        **options: Unpack[QueryOptions],
    ) -> Opening[AsyncDownload]:
        """Run a statement; its rows arrive as bytes in one of the API's formats."""
        query = Query(sql=sql, connection=connection, parameters=parameters, **options)
        return Opening(lambda: self._opened(query, format))

    async def plan(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        **options: Unpack[QueryOptions],
    ) -> Plan:
        """The query plan of a statement, which is not run."""
        query = Query(sql=sql, connection=connection, parameters=parameters, **options)
        return await self.run_steps_async(planned(query, self._core.connection))

    async def cancel(self, query_id: str) -> None:
        """Cancel a query in the database; nothing happens if it has ended."""
        await self.run_steps_async(cancelled(query_id))

    async def _opened(self, query: Query, form: Format) -> AsyncDownload:
        request = await self.run_steps_async(asked(query, MEDIA_TYPES[form], self._core.connection))
        arguments = prepared(request) | {"timeout": read_timeout(query, self._core.timeout)}
        response = await self._sent(arguments, stream=True)  # a cancelled task closes it, which cancels the query
        return AsyncDownload(response, facts(query, response, self._core.connection), self.cancel)

    async def close(self) -> None:
        """Close the connections to the service."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run_steps_async(self, steps: Steps[T], /) -> T:
        """Perform the steps of a method."""
        answer: Any = None
        failed: ClientError | None = None
        while True:
            try:
                asked_for = steps.throw(failed) if failed else steps.send(answer)
            except StopIteration as ended:
                return ended.value
            answer, failed = None, None
            if isinstance(asked_for, Pause):
                await asyncio.sleep(asked_for.seconds)
                continue
            try:
                answer = await self._exchange(asked_for)
            except ClientError as refused:
                failed = refused

    async def iterate_async(self, steps: Steps[Pages[T]], /) -> AsyncIterator[T]:
        """Every record of a list."""
        found = await self.run_steps_async(steps)
        request: Request | None = found.request
        while request is not None:
            records, request = found.turn(request, await self._exchange(request))
            for record in records:
                yield record

    async def _exchange(self, request: Request) -> Any:
        return read(await self._sent(prepared(request)))

    async def _sent(self, arguments: Mapping[str, Any], *, stream: bool = False) -> httpx.Response:
        """A successful answer to a request, after as many retries as it takes."""
        for attempt in itertools.count():
            try:
                return await self._once(arguments, stream=stream)
            except ClientError as failed:
                pause = self._core.retries.pause(failed, attempt, repeatable=repeatable(arguments))
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError

    async def _once(self, arguments: Mapping[str, Any], *, stream: bool) -> httpx.Response:
        try:
            response = await self._http.send(self._http.build_request(**arguments), stream=stream)
            if stream and not response.is_success:
                await response.aread()
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            raise unreachable(self.url, failed) from failed
        if (error := refusal(response)) is not None:
            raise error
        return response
