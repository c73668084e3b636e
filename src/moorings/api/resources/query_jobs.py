"""The published endpoints `/query/run` and `/query/wait`: SQL through a connection, as jobs with results in base64."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from moorings.access import service as access
from moorings.access.policy import Permission, Scope
from moorings.access.service import Actor
from moorings.api.http import schemas
from moorings.api.http.answers import Shape
from moorings.api.http.call import UUID, Call, Parameter, Rendered
from moorings.api.http.fields import Fields
from moorings.api.http.negotiation import ARROW, CSV, NDJSON, XLSX, Choice
from moorings.api.http.query_jobs import JobKey, QueryJob, QueryResult
from moorings.api.http.routing import Route
from moorings.api.resources import routed
from moorings.api.results.encoders import Encoder
from moorings.api.results.formats import encoder
from moorings.connections import service as connections
from moorings.dialects.config.fields import json_type
from moorings.environments import service as environments
from moorings.errors import (
    AccessLost,
    ConnectionNotFound,
    MooringsError,
    PermissionDenied,
    QueryCancelled,
    QueryNotFound,
    QueryTimeout,
    ResultTooLarge,
    Saturated,
    UserNotFound,
    WarehouseError,
)
from moorings.queries.query import QueryRequest
from moorings.queries.rights import Claim

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.engine.service import Target

SQL_LIMIT = 500_000
DEFAULT_ROWS = 1000
"""The default row limit of the published API; null means all rows."""
MOST_JOBS = 100
KNOWN = (
    "query",
    "resultType",
    "cache",
    "userId",
    "planOnly",
    "formatResults",
    "branchId",
    "connectionEnvironmentId",
)
CACHES = ("disabled", "normal", "refresh", "refresh_all")
RESULT_TYPES = {"csv": CSV, "json": NDJSON, "xlsx": XLSX}
NO_MODEL = "There is no semantic model here: send SQL in query.userEditedSQL"
NOT_DONE = "The query is not done yet. Ask for it with GET /query/wait"


class QueryPlan(Shape):
    """The plan of a query."""

    plan: str


class JobLine(Shape, kw_only=True):
    """One line of the answer: a job, its columns, and its result in base64 (Arrow) or as the requested text.

    The last line has `remaining_job_ids` and `timed_out` ("true" or "false") in place of these.
    """

    job_id: str
    status: str
    client_result_id: str
    summary: dict[str, Any]
    result: str


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The request of a body."""

    model_id: str
    sql: str
    rows: int | None
    result_type: str | None
    user_id: str | None
    environment: str | None
    plan_only: bool


async def run(call: Call) -> Rendered | QueryPlan:
    """Run SQL through the connection of a model. The answer is NDJSON: a line for the job, and a last one.

    A query that takes longer than a minute is answered with 408 and its job's id; get the result with `/query/wait`.
    """
    run = _read(call)
    target, claim = await _permitted(call, run)
    if run.plan_only:
        request = QueryRequest(run.sql)
        plan = await call.services.queries.plan(call.actor, target, request, claim, call.version.access)
        return QueryPlan(plan.text)
    job = await call.services.query_jobs.add(_key(call), run, _work(call, run, target, claim))
    return await _answer(call, [job])


async def wait(call: Call) -> Rendered:
    """Wait for jobs of queries, for a minute at most. A job whose result is no longer stored runs again."""
    query = Fields(call.query(), ("jobIds", "job_ids"))
    jobs = await call.services.query_jobs.find(_key(call), _job_ids(query), RunRequest)
    for job in jobs:
        if job.task is None:
            target, claim = await _permitted(call, job.request)
            await call.services.query_jobs.restart(job, _work(call, job.request, target, claim))
    return await _answer(call, jobs)


def _key(call: Call) -> JobKey:
    return JobKey(call.actor.key_id, call.actor.organization_id)


# ---- reading ----------------------------------------------------------------------------------------------------


def _read(call: Call) -> RunRequest:
    fields = Fields(call.body, KNOWN)
    result_type = fields.choice("resultType", tuple(RESULT_TYPES)) if fields.raw("resultType") is not None else None
    fields.choice("cache", CACHES)
    for flag in ("planOnly", "formatResults"):
        if fields.has(flag):
            fields.boolean(flag)
    user_id, environment = (_uuid(fields, name) for name in ("userId", "connectionEnvironmentId"))
    _uuid(fields, "branchId")
    model_id, sql, rows = _read_query(fields)
    fields.done()
    return RunRequest(model_id, sql, rows, result_type, user_id, environment, fields.raw("planOnly") is True)


def _read_query(fields: Fields) -> tuple[str, str, int | None]:
    """The model, the SQL and the row limit of the query; its other fields belong to a semantic model."""
    sent = fields.raw("query")
    if not isinstance(sent, dict):
        if fields.has("query"):
            fields.fault("query", "type", expected="object", received=json_type(sent))
        else:
            fields.fault("query", "required")
        return "", "", 0
    inner = fields.nested("query", tuple(cast("dict[str, Any]", sent)))
    model_id = _uuid(inner, "modelId")
    if model_id is None and not inner.raw("modelId"):
        inner.fault("modelId", "required")
    sql = inner.string("userEditedSQL", longest=SQL_LIMIT) if inner.raw("userEditedSQL") else None
    if not inner.raw("userEditedSQL"):
        fields.fault("query", "custom", reason=NO_MODEL)
    unlimited = inner.has("limit") and inner.raw("limit") is None
    rows = None if unlimited else inner.integer("limit", least=1) or DEFAULT_ROWS
    return model_id or "", sql or "", rows


def _uuid(fields: Fields, name: str) -> str | None:
    sent = fields.string(name, shortest=0) if fields.raw(name) is not None else None
    if sent and not UUID.fullmatch(sent):
        fields.fault(name, "uuid")
    return sent.lower() if sent else None


def _job_ids(query: Fields) -> list[str]:
    """The ids in `jobIds=a,b`, or in `job_ids=["a", "b"]`, as the Python SDK sends them."""
    name = "job_ids" if query.raw("job_ids") else "jobIds"
    sent = str(query.raw(name) or "")
    try:
        listed: Any = json.loads(sent) if sent.lstrip().startswith("[") else sent.split(",")
    except ValueError:
        listed = []
    ids = [str(each).strip().lower() for each in cast("list[Any]", listed) if str(each).strip()]
    if not ids:
        query.fault(name, "required")
    elif len(ids) > MOST_JOBS or not all(map(UUID.fullmatch, ids)):
        query.fault(name, "uuid")
    query.done()
    return list(dict.fromkeys(ids))


# ---- running ----------------------------------------------------------------------------------------------------


async def _permitted(call: Call, run: RunRequest) -> tuple[Target, Claim]:
    """The target of the query, for the caller or for the user that an organization key names."""
    environment = run.environment
    async with call.services.db.reading() as session:
        call.subject = await connections.permitted(session, call.actor, run.model_id, Permission.QUERY)
        if run.user_id is not None and run.user_id != call.actor.user_id:
            actor = await _acting_as(call, run.user_id)
            base = await connections.permitted(session, actor, run.model_id, Permission.QUERY)
            environment = (await environments.permitted(session, actor, base, Permission.QUERY, environment)).id
    target = await routed.routed(call, Permission.QUERY, environment)
    return target, Claim(call.actor.key_id, call.connection.id, environment, target.connection_id)


async def _acting_as(call: Call, user_id: str) -> Actor:
    if call.actor.user_id is not None:
        raise PermissionDenied
    async with call.services.db.reading() as session:
        return await access.acting_as(session, call.actor, user_id)


async def _work(call: Call, run: RunRequest, target: Target, claim: Claim) -> QueryResult:
    """The whole result; raises ResultTooLarge for one that may not be held in memory."""
    most = call.services.settings.max_buffer_bytes
    written = _Columns(encoder(Choice(RESULT_TYPES.get(run.result_type or "", ARROW))))
    request = QueryRequest(
        run.sql, row_limit=run.rows, limited=run.rows is not None, numeric_as=target.config.numeric_as
    )
    parts, size = list[bytes](), 0
    running = call.services.queries.running(call.actor, target, request, claim, call.version.access)
    async with contextlib.AsyncExitStack() as resources:
        resources.callback(written.close)
        query = await resources.enter_async_context(running)
        query.begin(request, written, read_only=target.config.read_only)
        part: bytes | None = await query.first(written)
        while part is not None:
            parts.append(part)
            size += len(part)
            if size > most:
                raise ResultTooLarge.of("the result", most)
            part = await query.next(written)
    return QueryResult(b"".join(parts), written.fields)


class _Columns:
    """An encoder that remembers the columns."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.fields: dict[str, str] = {}

    @property
    def exact(self) -> bool:
        return self._encoder.exact

    def start(self, schema: pa.Schema) -> bytes:
        self.fields = {field.name: str(field.type) for field in schema}
        return self._encoder.start(schema)

    def batch(self, batch: pa.RecordBatch) -> bytes:
        return self._encoder.batch(batch)

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        return self._encoder.end(truncated=truncated, row_count=row_count)

    @property
    def pending(self) -> bool:
        return self._encoder.pending

    def more(self) -> bytes:
        return self._encoder.more()

    def close(self) -> None:
        self._encoder.close()


# ---- answering --------------------------------------------------------------------------------------------------


async def _answer(call: Call, jobs: list[QueryJob]) -> Rendered:
    remaining = await call.services.query_jobs.wait(jobs)
    ended = [job for job in jobs if job not in remaining]
    lines = [_line(job, alone=len(jobs) == 1) for job in ended]
    last: dict[str, Any] = {
        "remaining_job_ids": [job.id for job in remaining],
        "timed_out": "true" if remaining else "false",
    }
    if not ended:
        last = {"detail": NOT_DONE, "status": 408} | last
    body = "".join(f"{json.dumps(line)}\n" for line in (*lines, last)).encode()
    return Rendered(body, 200 if ended else 408, media_type=NDJSON.encode())


def _line(job: QueryJob, *, alone: bool) -> dict[str, Any]:
    """The line of a job that has ended; raises the job's error if the request names no other job."""
    assert job.task is not None, "jobs that have ended have a task"  # noqa: S101
    try:
        result = job.task.result()
    except MooringsError as failed:
        if alone:
            raise
        return {"job_id": job.id, "status": "FAILED", "client_result_id": job.id, "error": failed.message}
    columns = {name: {"name": name, "data_type": kind} for name, kind in result.fields.items()}
    return {
        "job_id": job.id,
        "status": "COMPLETE",
        "client_result_id": job.id,
        "summary": {"fields": columns},
        "result": _text(job.request, result.content),
    }


def _text(run: RunRequest, content: bytes) -> str:
    if run.result_type in (None, "xlsx"):
        return base64.b64encode(content).decode()
    text = content.decode()
    return f"[{','.join(text.splitlines())}]" if run.result_type == "json" else text


ROUTES = (
    Route(
        method="POST",
        path="/query/run",
        scopes=(Scope.QUERY,),
        operation_id="queryRun",
        handler=run,
        kind="free",
        summary="Run SQL as a job",
        answer=JobLine | QueryPlan,
        body=schemas.query_job,
        media_types=(NDJSON, "application/json"),
        headers=routed.HEADERS,
        errors=(
            *routed.ERRORS,
            ConnectionNotFound,
            PermissionDenied,
            UserNotFound,
            Saturated,
            WarehouseError,
            QueryCancelled,
            AccessLost,
            QueryTimeout,
        ),
    ),
    Route(
        method="GET",
        path="/query/wait",
        scopes=(Scope.QUERY,),
        operation_id="queryWait",
        handler=wait,
        kind="free",
        summary="Wait for jobs of queries",
        answer=JobLine,
        parameters=(
            Parameter("jobIds", {"type": "string"}, "Ids of jobs, comma-separated."),
            Parameter("job_ids", {"type": "string"}, "The same as a JSON array."),
        ),
        media_types=(NDJSON,),
        errors=(
            *routed.ERRORS,
            QueryNotFound,
            ConnectionNotFound,
            PermissionDenied,
            Saturated,
            WarehouseError,
            QueryCancelled,
            AccessLost,
            QueryTimeout,
        ),
    ),
)
