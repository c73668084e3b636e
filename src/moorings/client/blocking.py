"""The client that waits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
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
from moorings.client.resources.access import Attributes, Groups, Keys, Users
from moorings.client.resources.catalog import Catalog, Dialects
from moorings.client.resources.connections import Connections
from moorings.client.resources.environments import Environments
from moorings.client.resources.integrations import DbtProjects, Webhooks
from moorings.client.resources.schedules import Jobs, Schedules
from moorings.client.results.blocking import Download, Result
from moorings.client.retries import Retries
from moorings.client.shapes import Plan, Whoami
from moorings.client.steps import Pages, Pause, Request, Steps

T = TypeVar("T")


class Client:
    """A client of one service, with one key.

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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._core = Core(url, key, profile, timeout, retries)
        self._http = httpx.Client(**self._core.options, transport=transport)
        self.connections = Connections(self)
        self.environments = Environments(self)
        self.attributes = Attributes(self)
        self.schedules = Schedules(self)
        self.users = Users(self)
        self.groups = Groups(self)
        self.keys = Keys(self)
        self.webhooks = Webhooks(self)
        self.jobs = Jobs(self)
        self.catalog = Catalog(self)
        self.dialects = Dialects(self)
        self.dbt = DbtProjects(self)

    def __repr__(self) -> str:
        return f"Client({self._core.url!r})"

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._core.url

    @property
    def connection(self) -> str | None:
        """The connection of the profile, for queries that name none."""
        return self._core.connection

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send any request of the API; `path` is below /api/v1. Returns the decoded answer; raises ClientError."""
        return self._exchange(Request(method, path, json, params, headers))

    def whoami(self) -> Whoami:
        """Whom the key acts as."""
        return cast("Whoami", self.request("GET", "/whoami"))

    def query(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        **options: Unpack[QueryOptions],
    ) -> Result:
        """Run a statement; its rows arrive while the result is read.

        Without `connection` it runs on the one of the profile, or on the only one that the key sees.
        """
        query = Query(sql=sql, connection=connection, parameters=parameters, **options)
        return Result(self._opened(query, "arrow" if has_pyarrow() else "json"))

    def download(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        *,
        format: Format = "csv",  # noqa: A002 - what everybody calls it
        **options: Unpack[QueryOptions],
    ) -> Download:
        """Run a statement; its rows arrive as bytes in one of the API's formats."""
        return self._opened(Query(sql=sql, connection=connection, parameters=parameters, **options), format)

    def plan(
        self,
        sql: str,
        connection: str | None = None,
        parameters: Sequence[Any] = (),
        **options: Unpack[QueryOptions],
    ) -> Plan:
        """The query plan of a statement, which is not run."""
        query = Query(sql=sql, connection=connection, parameters=parameters, **options)
        return self.run_steps(planned(query, self._core.connection))

    def cancel(self, query_id: str) -> None:
        """Cancel a query in the database; nothing happens if it has ended."""
        self.run_steps(cancelled(query_id))

    def _opened(self, query: Query, form: Format) -> Download:
        request = self.run_steps(asked(query, MEDIA_TYPES[form], self._core.connection))
        arguments = prepared(request) | {"timeout": read_timeout(query, self._core.timeout)}
        try:
            response = self._sent(arguments, stream=True)
        except KeyboardInterrupt:
            self.cancel(query.id)
            raise
        return Download(response, facts(query, response, self._core.connection), self.cancel)

    def close(self) -> None:
        """Close the connections to the service."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_steps(self, steps: Steps[T], /) -> T:
        """Perform the steps of a method."""
        answer: Any = None
        failed: ClientError | None = None
        while True:
            try:
                asked = steps.throw(failed) if failed else steps.send(answer)
            except StopIteration as ended:
                return ended.value
            answer, failed = None, None
            if isinstance(asked, Pause):
                time.sleep(asked.seconds)
                continue
            try:
                answer = self._exchange(asked)
            except ClientError as refused:
                failed = refused

    def iterate(self, steps: Steps[Pages[T]], /) -> Iterator[T]:
        """Every record of a list."""
        found = self.run_steps(steps)
        request: Request | None = found.request
        while request is not None:
            records, request = found.turn(request, self._exchange(request))
            yield from records

    def _exchange(self, request: Request) -> Any:
        return read(self._sent(prepared(request)))

    def _sent(self, arguments: Mapping[str, Any], *, stream: bool = False) -> httpx.Response:
        """A successful answer to a request, after as many retries as it takes."""
        for attempt in itertools.count():
            try:
                return self._once(arguments, stream=stream)
            except ClientError as failed:
                pause = self._core.retries.pause(failed, attempt, repeatable=repeatable(arguments))
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError

    def _once(self, arguments: Mapping[str, Any], *, stream: bool) -> httpx.Response:
        try:
            response = self._http.send(self._http.build_request(**arguments), stream=stream)
            refused = not response.is_success
            if stream and refused:
                response.read()
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            raise unreachable(self.url, failed) from failed
        if (error := refusal(response)) is not None:
            raise error
        return response
