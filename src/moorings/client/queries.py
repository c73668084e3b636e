"""Queries: how they are asked for, the same way for both clients."""

from __future__ import annotations

import datetime as dt
import importlib.util
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypedDict

import httpx

from moorings.client.errors import ClientError, UnknownName
from moorings.client.names import connection_id
from moorings.client.results.arrow import ArrowDecoder
from moorings.client.results.text import JsonDecoder
from moorings.client.shapes import Plan
from moorings.client.steps import Request, Steps, at, given

Format = Literal["arrow", "json", "ndjson", "csv", "parquet", "xlsx"]
MEDIA_TYPES: Mapping[Format, str] = {
    "arrow": "application/vnd.apache.arrow.stream",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
UNLIMITED = 2**53 - 1
"""The rowLimit of JSON results, which would have the service's own limit without one."""


class QueryOptions(TypedDict, total=False):
    """How a query is to run."""

    row_limit: int | None
    """The most rows. Without it a result has all of them."""
    timeout_seconds: int | None
    """The time limit of the statement. The connection's own is the upper bound."""
    numeric_as: str | None
    """The type of numbers without a declared precision: `text`, `double` or `decimal(p,s)`."""
    environment: str | None
    """The environment to use: the id or name of its connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One statement and how it is to run: QueryOptions, and which connection runs it."""

    sql: str
    connection: str | None = None
    parameters: Sequence[Any] = ()
    row_limit: int | None = None
    timeout_seconds: int | None = None
    numeric_as: str | None = None
    environment: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class Facts:
    """What is known of a running query."""

    query_id: str
    connection_id: str
    connection: str
    """As the caller named it."""
    row_limit: int | None
    timeout_seconds: int | None
    media_type: str
    started: float = field(default_factory=time.perf_counter)


def has_pyarrow() -> bool:
    """Whether pyarrow is installed; this does not import it."""
    return importlib.util.find_spec("pyarrow") is not None


def decoder(media_type: str) -> ArrowDecoder | JsonDecoder:
    """The decoder for a format of results."""
    return ArrowDecoder() if media_type == MEDIA_TYPES["arrow"] else JsonDecoder()


def asked(query: Query, accept: str, default: str | None, params: Mapping[str, Any] | None = None) -> Steps[Request]:
    """The request of a query, once its connection is known. `default` is the connection if it names none."""
    chosen = query.connection or default
    found = (yield from connection_id(chosen)) if chosen else (yield from _only_connection())
    environment = (yield from connection_id(query.environment)) if query.environment else None
    unlimited = UNLIMITED if accept == MEDIA_TYPES["json"] else None
    body = given(
        sql=query.sql,
        parameters=[parameter(value) for value in query.parameters] or None,
        rowLimit=query.row_limit or unlimited,
        timeoutSeconds=query.timeout_seconds,
        numericAs=query.numeric_as,
    )
    headers = {"Accept": accept, "Moorings-Query-Id": query.id}
    path = at("connections", found, "query")
    return Request("POST", path, json=body, params=given(environment=environment, **(params or {})), headers=headers)


def planned(query: Query, default: str | None) -> Steps[Plan]:
    """The query plan of a statement, which is not run."""
    return (yield (yield from asked(query, "application/json", default, {"dryRun": True})))


def cancelled(query_id: str) -> Steps[None]:
    """Cancel a query in the database; nothing happens if it has ended."""
    try:
        yield Request("DELETE", at("queries", query_id))
    except ClientError:
        return


def facts(query: Query, response: httpx.Response, default: str | None) -> Facts:
    """What the headers of an answer say."""
    headers = response.headers
    return Facts(
        headers.get("moorings-query-id", query.id),
        headers.get("moorings-connection-id", ""),
        query.connection or default or headers.get("moorings-connection-id", ""),
        _number(headers.get("moorings-row-limit")),
        _number(headers.get("moorings-timeout-seconds")),
        headers.get("content-type", "").partition(";")[0].strip(),
    )


def read_timeout(query: Query, timeout: float | None) -> httpx.Timeout:
    """The time limits of a query's exchange: the service ends long statements, so an answer may take as long as one."""
    return httpx.Timeout(timeout, read=(query.timeout_seconds or 3600) + 60)


def _only_connection() -> Steps[str]:
    answer = yield Request("GET", "/connections")
    known = answer["connections"]
    if len(known) == 1:
        return known[0]["id"]
    names = ", ".join(f'"{each["name"]}" ({each["id"]})' for each in known[:20]) or "none"
    raise UnknownName("The query names no connection", f"Use connection=…, with one of: {names}.")


def parameter(value: Any) -> Any:
    """A parameter as the API takes it: text for what JSON does not have."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | uuid.UUID) else value


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
