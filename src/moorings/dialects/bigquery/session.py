"""A session with BigQuery, which has no sessions itself: credentials, and jobs.

Imports the driver: only `connect` does.
"""

from __future__ import annotations

import contextlib
import math
import re
import uuid
from collections.abc import Generator, Iterator, Sequence
from typing import Any, cast

import grpc
import pyarrow as pa
from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
    ServiceUnavailable,
)
from google.cloud import bigquery

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.bigquery import introspection
from moorings.dialects.bigquery.config import Config, endpoint, storage_endpoint
from moorings.dialects.bigquery.login import credentials
from moorings.dialects.bigquery.types import column_type
from moorings.dialects.bigquery.wire import Wire, read, storage_channel
from moorings.dialects.introspection import Plan, Scope, Table

ONE = Statement("SELECT 1 AS one")
FIRST_PAGE = 1000
"""Rows in the answer that a job is done; a result with no more rows needs no further request."""
PAGE = 20_000
"""Rows of a page, if the API sends them as JSON."""
NO_STORAGE = (Forbidden, ServiceUnavailable, MethodNotImplemented)
"""Errors that rule out the Storage API for rows: no grant, not reachable, not found."""
WORDS: dict[type[Any], str] = {bool: "BOOL", int: "INT64", float: "FLOAT64", str: "STRING", type(None): "STRING"}
"""Types of parameters, as JSON has them."""


class BigQuerySession(Session):
    """A login to one project. Statements leave nothing behind: each is a job of its own."""

    def __init__(self, config: Config, context: SessionContext) -> None:
        if not config.database:
            raise errors.DatabaseNotFound(
                "database", message="Set database to the id of the project that runs queries."
            )
        self._config = config
        self._context = context
        self._seconds = context.connect_timeout_seconds
        self._application_name = context.application_name
        self._credentials = credentials(config, context)
        self._job_id: str | None = None
        self._pieces: Generator[Any] | None = None
        self._channel: grpc.Channel | None = None
        self._storage_url = None if config.trust_server_certificate else storage_endpoint(config)
        self._wire = self._fresh_wire()
        self._client = self._wire.client
        self.encrypted = endpoint(config).startswith("https:")
        try:
            self._credentials.refresh(self._wire.request)
            self.ping()
        except BaseException:
            self.close()
            raise

    def _fresh_wire(self) -> Wire:
        return Wire(self._config, self._credentials, self._context)

    def ping(self) -> None:
        """Validate a statement by a dry run; running one would take a second."""
        self._dry_run(ONE, self._seconds)

    def try_query(self) -> str:
        """Run a statement, and report the estimate of a dry run."""
        self._client.query(ONE.sql, self._settings(ONE), retry=None, job_retry=None, timeout=self._seconds).result()
        estimate = self._dry_run(ONE, self._seconds).total_bytes_processed or 0
        return f"A query ran; a dry run estimates {estimate} bytes."

    def check_schemas(self) -> str:
        """Look for the default schema, which is a dataset, and the right to see it."""
        if self._dataset is None:
            return "There is no default schema: names are written with their dataset."
        try:
            self._client.get_dataset(self._dataset, retry=None, timeout=self._seconds)
        except NotFound:
            fault: errors.WarehouseError = errors.SchemaNotFound("default_schema")
        except Forbidden:
            fault = errors.SchemaForbidden("default_schema")
        else:
            return f"The default schema is {self._config.default_schema}."
        raise fault

    @property
    def _dataset(self) -> bigquery.DatasetReference | None:
        """The default schema: a dataset of this project, or `project.dataset`."""
        schema = self._config.default_schema
        return bigquery.DatasetReference.from_string(schema, self._config.database) if schema else None

    # ---- what there is ------------------------------------------------------------------------------------------

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this project, and of the others that are included, in the connection's region."""
        datasets = [
            (project, dataset.dataset_id)
            for project in self._projects(scope)
            for dataset in self._client.list_datasets(project, retry=None)
            if scope.takes(dataset.dataset_id) and self._is_here(dataset)
        ]
        return introspection.tables(self._ask, datasets)

    def _projects(self, scope: Scope) -> Sequence[str]:
        own = self._client.project
        if any("*" in pattern for pattern in scope.catalogs):
            found = [project.project_id for project in self._client.list_projects(retry=None)]
            return [own, *(project for project in found if project != own and scope.takes_catalog(project, own))]
        return list(dict.fromkeys([own, *scope.catalogs]))

    def _is_here(self, dataset: Any) -> bool:
        """Whether a dataset is where our jobs run; a job cannot read across regions."""
        location = dataset._properties.get("location", self._config.region)  # noqa: SLF001  # said nowhere else
        return location.lower() == (self._config.region or location).lower()

    def _ask(self, sql: str, *, needed: bool = False) -> Sequence[Sequence[Any]]:
        try:
            job = self._client.query(sql, retry=None, job_retry=None)
            return [row.values() for row in job.result()]
        except GoogleAPICallError:
            if needed:
                raise
            return []  # comments, sizes and keys take grants of their own

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement as a job; its rows come from the Storage API, or from the API if that is not possible."""
        if statement.read_only:
            self._see_that_it_reads(statement)
        job = self._start(statement)
        rows = job.result(page_size=FIRST_PAGE, job_retry=None)
        schema = pa.schema([pa.field(field.name, column_type(field)) for field in rows.schema])
        self._pieces = self._batches(job, rows, schema, statement.batch_rows)
        return pa.RecordBatchReader.from_batches(schema, self._pieces)

    def _start(self, statement: Statement) -> bigquery.QueryJob:
        """Send the job with an id of ours, so that it can be cancelled before BigQuery has answered."""
        self._job_id = job_id = f"moorings_{uuid.uuid4().hex}"
        return self._client.query(statement.sql, self._settings(statement), job_id=job_id, retry=None, job_retry=None)

    def _see_that_it_reads(self, statement: Statement) -> None:
        """Raise for statements whose type BigQuery does not report as SELECT."""
        kind = self._dry_run(statement).statement_type
        if kind in (None, "SCRIPT"):
            raise errors.StatementRefused(message="A read-only connection allows exactly one SELECT, and no script.")
        if kind != "SELECT":
            raise errors.ReadOnly

    def _dry_run(self, statement: Statement, seconds: float | None = None) -> bigquery.QueryJob:
        settings = self._settings(statement)
        settings.dry_run, settings.use_query_cache = True, False
        return self._client.query(statement.sql, settings, retry=None, job_retry=None, timeout=seconds or 60)

    def plan(self, statement: Statement) -> Plan:
        """The result of a dry run: the kind of statement, the tables that it reads, and the bytes."""
        job = self._dry_run(statement)
        size = job.total_bytes_processed or 0
        read = ", ".join(f"{table.project}.{table.dataset_id}.{table.table_id}" for table in job.referenced_tables)
        return Plan(f"{job.statement_type}: would read {size} bytes of {read or 'no table'}.", size)

    def _settings(self, statement: Statement) -> bigquery.QueryJobConfig:
        config = self._config
        labels = {"application": self._application_name, "moorings_query_id": statement.query_id}
        labels["traceparent"] = statement.traceparent
        settings = bigquery.QueryJobConfig(
            labels={key: _label(value) for key, value in labels.items() if value},
            connection_properties=[bigquery.ConnectionProperty("time_zone", config.session_zone)],
            query_parameters=[_parameter(value) for value in statement.parameters],
            job_timeout_ms=max(1, math.ceil(statement.timeout_seconds * 1000)),
        )
        if self._dataset is not None:
            settings.default_dataset = self._dataset
        if config.max_billing_bytes is not None:
            settings.maximum_bytes_billed = int(config.max_billing_bytes)
        return settings

    # ---- rows ---------------------------------------------------------------------------------------------------

    def _batches(
        self, job: bigquery.QueryJob, rows: Any, schema: pa.Schema, max_rows: int
    ) -> Generator[pa.RecordBatch]:
        if not len(schema):
            return
        for batch in self._arriving(job, rows, min(max_rows, PAGE)):
            for start in range(0, batch.num_rows, max_rows):
                yield _in(schema, batch.slice(start, max_rows))

    def _arriving(self, job: bigquery.QueryJob, rows: Any, page_size: int) -> Iterator[pa.RecordBatch]:
        """The rows: all in the first page, or from the Storage API, or page by page."""
        if rows.total_rows <= FIRST_PAGE:
            return rows.to_arrow_iterable()
        streamed = self._by_storage(job)
        return job.result(page_size=page_size, job_retry=None).to_arrow_iterable() if streamed is None else streamed

    def _by_storage(self, job: bigquery.QueryJob) -> Iterator[pa.RecordBatch] | None:
        """The rows in one ordered stream; None if the Storage API cannot be reached."""
        if self._channel is None and self._storage_url is not None:
            network = self._context.network
            self._channel = storage_channel(
                network, self._storage_url, self._config, self._credentials, self._wire.request
            )
        if self._channel is None or self._storage_url is None:
            return None
        try:
            grpc.channel_ready_future(self._channel).result(timeout=self._seconds)
            return read(self._channel, job, self._seconds, self._context.limits.buffer)
        except (*NO_STORAGE, grpc.FutureTimeoutError):
            self._storage_url = None  # checked once, not for every statement
            return None

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel the job over separate connections, and end the stream of rows."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        if self._job_id is None:
            return
        with contextlib.closing(self._fresh_wire()) as wire:
            wire.client.cancel_job(self._job_id, retry=None, timeout=self._seconds)

    def reset(self) -> bool:
        """Stop reading; there is no session state to reset."""
        self._job_id = None
        if self._pieces is not None:
            self._pieces.close()
            self._pieces = None
        return True

    def close(self) -> None:
        """Stop reading and hang up."""
        with contextlib.suppress(Exception):
            self.reset()
        with contextlib.suppress(Exception):
            if self._channel is not None:
                self._channel.close()
        self._wire.close()


def _in(schema: pa.Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch in the promised types; both services leave some types open."""
    described = zip(batch.columns, schema, strict=True)
    columns = [found if found.type == field.type else found.cast(field.type) for found, field in described]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _label(value: str) -> str:
    """A value in the form of labels."""
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:63]


def _parameter(value: Any) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    """A value for a `?`; raises ParametersRefused for one without a BigQuery type."""
    values = cast("list[object]", value) if isinstance(value, list) else [cast("object", value)]
    kinds = {WORDS.get(type(each)) for each in values}
    if len(kinds) != 1 or None in kinds:
        message = "Parameters are texts, numbers, booleans, nulls, or lists of one of them."
        raise errors.ParametersRefused(message=message)
    word = WORDS[type(values[0])]
    if isinstance(value, list):
        return bigquery.ArrayQueryParameter(None, word, values)
    return bigquery.ScalarQueryParameter(None, word, value)
