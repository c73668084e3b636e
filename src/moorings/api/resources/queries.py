"""The endpoints that run and cancel queries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moorings.access.policy import Permission, Scope
from moorings.api.http import exchange, schemas
from moorings.api.http.answers import Done, Shape
from moorings.api.http.bodies import LARGE, off_loop
from moorings.api.http.call import UUID, Call, Parameter, Reply
from moorings.api.http.fields import Fields
from moorings.api.http.negotiation import FILES, FORMATS, choose
from moorings.api.http.routing import Route
from moorings.api.resources import routed
from moorings.api.results import streams
from moorings.api.results.formats import encoder
from moorings.api.results.streams import QUERY_ID, ROW_LIMIT, TIMEOUT
from moorings.dialects.config.fields import is_numeric_as
from moorings.errors import (
    AccessLost,
    Fault,
    InvalidInput,
    NotAcceptable,
    ProtocolTooOld,
    QueryCancelled,
    QueryIdInUse,
    QueryNotFound,
    QueryTimeout,
    Saturated,
    WarehouseError,
)
from moorings.queries.query import QueryRequest
from moorings.queries.rights import Claim

SQL_LIMIT = 500_000
"""The most characters of a statement, and of one parameter."""


class ColumnShape(Shape):
    """A column of a result."""

    name: str
    type: str


class ResultShape(Shape):
    """The result of a query. `truncated` is true when rowLimit cut it off."""

    columns: list[ColumnShape]
    rows: list[list[Any]]
    row_count: int
    truncated: bool


class PlanShape(Shape, kw_only=True):
    """The query plan of a statement. `estimatedBytes` is null if the database gives no estimate."""

    dry_run: bool = True
    plan: str
    estimated_bytes: int | None


async def query(call: Call) -> Reply | PlanShape:
    """Run one SQL statement and stream its rows in the format that `Accept` names. Default: Arrow.

    With `dryRun=true` the statement is not run: the response is its query plan, as JSON.
    """
    if call.scope["http_version"] in OLD:
        raise ProtocolTooOld
    query = Fields(call.query(), ("dryRun", "environment", "bom", "escapeFormulas"))
    dry_run = query.flag("dryRun", default=False)
    csv = {"bom": query.flag("bom", default=False), "escape_formulas": query.flag("escapeFormulas", default=False)}
    environment = routed.chosen(query)
    query.done()
    request = await off_loop(int(call.header(b"content-length") or LARGE + 1), lambda: _read(call))
    _observe(call, request)
    chosen = None if dry_run else encoder(choose(_accept(call), _agent(call)), **csv)
    target = await routed.routed(call, Permission.QUERY, environment)
    claim = Claim(call.actor.key_id, call.connection.id, environment, target.connection_id)
    if chosen is None:
        plan = await call.services.queries.plan(call.actor, target, request, claim, call.version.access)
        return PlanShape(plan=plan.text, estimated_bytes=plan.estimated_bytes)
    request = replace(request, limited=chosen.limited, numeric_as=request.numeric_as or target.config.numeric_as)
    return await streams.opened(call, target, request, claim, chosen)


def _observe(call: Call, request: QueryRequest) -> None:
    """Add the query's details to the log line before it runs; its SQL only if the operator enabled that."""
    observed = exchange.of(call.scope)
    observed.query_id = request.query_id or ""
    if call.services.settings.log_sql:
        observed.sql = request.sql


OLD = ("0.9", "1.0", "1")
"""Versions of HTTP in which an interrupted stream looks like a complete one."""


async def cancel(call: Call) -> Done:
    """Cancel a running query in the database.

    Allowed for the caller who started it and for admins of its connection.
    """
    await call.services.queries.cancel(call.actor, call.ids["queryId"])
    return Done()


def _read(call: Call) -> QueryRequest:
    fields = Fields(call.body, ("sql", "parameters", "rowLimit", "timeoutSeconds", "numericAs", "readOnly"))
    sql = fields.string("sql", required=True, longest=SQL_LIMIT)
    parameters = fields.array("parameters") or []
    for position, value in enumerate(parameters):
        if isinstance(value, str):
            fields.fits(f"parameters.{position}", value, shortest=0, longest=SQL_LIMIT)
        elif isinstance(value, list | dict):
            fields.fault(f"parameters.{position}", "invalid")
    row_limit = fields.integer("rowLimit", least=1)
    timeout = fields.integer("timeoutSeconds", least=1)
    numeric_as = fields.string("numericAs")
    if numeric_as and not is_numeric_as(numeric_as):
        fields.fault("numericAs", "invalid")
    read_only = fields.boolean("readOnly") if fields.has("readOnly") else False
    fields.done()
    return QueryRequest(
        sql,
        parameters,
        row_limit,
        timeout,
        numeric_as=numeric_as,
        query_id=_chosen_id(call),
        read_only=bool(read_only),
    )


def _chosen_id(call: Call) -> str | None:
    """The id that the caller chose for its query, if any."""
    sent = (call.header(QUERY_ID.lower().encode()) or b"").decode("latin-1")
    if sent and not UUID.fullmatch(sent):
        raise InvalidInput([Fault(QUERY_ID, "uuid")])
    return sent.lower() or None


def _accept(call: Call) -> str:
    """The value of Accept; several headers are joined to one list."""
    return ", ".join(value.decode("latin-1") for name, value in call.scope["headers"] if name == b"accept")


def _agent(call: Call) -> str:
    return (call.header(b"user-agent") or b"").decode("latin-1")


ROUTES = (
    Route(
        method="POST",
        path="/connections/{id}/query",
        scopes=(Scope.QUERY,),
        handler=query,
        kind="free",
        permission=Permission.QUERY,
        summary="Run a query",
        answer=ResultShape | PlanShape,
        body=schemas.query,
        parameters=(
            routed.ENVIRONMENT,
            Parameter("dryRun", schemas.FLAG, "Return the query plan instead of running the statement."),
            Parameter("bom", schemas.FLAG, "Begin CSV with a byte order mark, so that Excel reads it as UTF-8."),
            Parameter("escapeFormulas", schemas.FLAG, "Put an apostrophe before CSV text that looks like a formula."),
            Parameter(
                QUERY_ID,
                {"type": "string", "format": "uuid"},
                "An id of your choice (a UUID) for the query, so that you can cancel it before the first rows arrive.",
                place="header",
            ),
        ),
        errors=(
            *routed.ERRORS,
            NotAcceptable,
            ProtocolTooOld,
            QueryIdInUse,
            Saturated,
            WarehouseError,
            QueryCancelled,
            AccessLost,
            QueryTimeout,
        ),
        media_types=FORMATS + FILES,
        headers={
            QUERY_ID: "The id of the query. DELETE /queries/{queryId} cancels it.",
            TIMEOUT: "The time limit of the statement in seconds.",
            ROW_LIMIT: "The most rows of the result, or `none` where there is no limit.",
            **routed.HEADERS,
        },
    ),
    Route(
        method="DELETE",
        path="/queries/{queryId}",
        scopes=(Scope.QUERY,),
        handler=cancel,
        kind="free",
        summary="Cancel a query",
        answer=Done,
        errors=(QueryNotFound,),
    ),
)
