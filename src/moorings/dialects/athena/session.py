"""A session with Athena, which has no sessions itself: a login, and statements.

Imports the driver: only `connect` does.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from botocore.exceptions import ClientError
from pyarrow import csv

from moorings import errors
from moorings.dialects.athena import introspection
from moorings.dialects.athena.config import ATHENA, CATALOG, S3, WORKGROUP, Config
from moorings.dialects.athena.faults import ExecutionError
from moorings.dialects.athena.login import Clients
from moorings.dialects.athena.read_only import reading
from moorings.dialects.athena.types import batch, column_type
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Plan, Scope, Table, joined
from moorings.dialects.statements import without_end

PAGE = 1000
"""Rows that come with one call; a larger result is read from S3."""
BLOCK_BYTES = 1 << 20
"""The bytes of a result's file that are read at once."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.05, 1.0
"""Seconds between two polls of a running statement."""


class AthenaSession(Session):
    """A login to one workgroup. Statements leave nothing behind: each is an execution of its own."""

    def __init__(self, config: Config, context: SessionContext) -> None:
        self._config = config
        self._application_name = context.application_name
        self._workgroup = config.warehouse or WORKGROUP
        self._catalog = config.database or CATALOG
        self._execution: str | None = None
        self._cancelled = threading.Event()
        self._rows: Generator[pa.RecordBatch] | None = None
        self._s3: Any = None
        self._clients = Clients(config, context)
        self._athena = self._clients.client(ATHENA)
        self.encrypted = self._athena.meta.endpoint_url.startswith("https:")
        try:
            self._look_around()
        except BaseException:
            self.close()
            raise

    def _look_around(self) -> None:
        """Check that the workgroup and the catalog exist, and that results have a location."""
        group = self._athena.get_work_group(WorkGroup=self._workgroup)["WorkGroup"]
        if group.get("State") == "DISABLED":
            raise errors.DatabaseForbidden(
                "warehouse", message="The workgroup is disabled. Enable it, or set warehouse to another workgroup."
            )
        settings = group.get("Configuration", {})
        place = self._config.results_location or settings.get("ResultConfiguration", {}).get("OutputLocation")
        if not place and not settings.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
            raise errors.DatabaseForbidden(
                "results_location",
                "warehouse",
                message="Athena has no location for results. Set resultsLocation, or a location for the workgroup.",
            )
        if self._catalog != CATALOG:
            self._athena.get_data_catalog(Name=self._catalog)

    def ping(self) -> None:
        """Ask for the workgroup; a statement would take a second and leave a file."""
        self._athena.get_work_group(WorkGroup=self._workgroup)

    def try_query(self) -> str:
        """Check that a statement runs and that its result can be read."""
        self.query(Statement("SELECT 1 AS one")).read_all()
        self.reset()
        return "A query ran, and its result was read."

    def check_schemas(self) -> str:
        """Look for the default schema, which is a database of the catalog, and the right to see it."""
        schema = self._config.default_schema
        if schema is None:
            return "The default schema is default."
        try:
            self._athena.get_database(CatalogName=self._catalog, DatabaseName=schema)
        except ClientError as error:
            denied = "AccessDenied" in error.response["Error"]["Code"] or "not authorized" in str(error)
            fault = errors.SchemaForbidden if denied else errors.SchemaNotFound
        else:
            return f"The default schema is {schema}."
        raise fault("default_schema")

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this catalog, and of the others that are included."""
        return introspection.tables(self._pages, scope, self._catalog)

    def _pages(self, operation: str, key: str, **request: Any) -> Iterable[Mapping[str, Any]]:
        for page in self._athena.get_paginator(operation).paginate(**request):
            yield from page.get(key, ())

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement; a small result comes from Athena, a large one is streamed from S3."""
        sql = reading(statement.sql) if statement.read_only else statement.sql
        execution = self._wait(self._start(sql, statement))
        page = self._athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"], MaxResults=PAGE)
        about = page["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", [])
        schema = pa.schema([pa.field(column["Name"], column_type(column)) for column in about])
        self._rows = self._batches(execution, page, schema, statement.batch_rows)
        return pa.RecordBatchReader.from_batches(schema, self._rows)

    def plan(self, statement: Statement) -> Plan:
        """EXPLAIN, which scans nothing."""
        bare = without_end(reading(statement.sql, explained=True))
        found = self.query(replace(statement, sql=f"EXPLAIN {bare}", read_only=False)).read_all()
        self.reset()
        return Plan(joined(zip(*(column.to_pylist() for column in found.columns), strict=True)))

    def _start(self, sql: str, statement: Statement) -> str:
        note = f"\n-- {self._application_name} {statement.note}" if statement.note else ""
        context = {"Catalog": self._catalog, "Database": self._config.default_schema or "default"}
        request: dict[str, Any] = {
            "QueryString": without_end(sql) + note,
            "ClientRequestToken": uuid.uuid4().hex,
            "QueryExecutionContext": context,
            "WorkGroup": self._workgroup,
        }
        if self._config.results_location:
            request["ResultConfiguration"] = {"OutputLocation": self._config.results_location.rstrip("/") + "/"}
        if statement.parameters:
            request["ExecutionParameters"] = [literal(value) for value in statement.parameters]
        self._cancelled.clear()
        self._execution = started = self._athena.start_query_execution(**request)["QueryExecutionId"]
        return started

    def _wait(self, started: str) -> Mapping[str, Any]:
        """Wait for the execution and return it; raises ExecutionError if it did not succeed."""
        pause = FIRST_WAIT_SECONDS
        while True:
            execution = self._athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
            status = execution["Status"]
            if status["State"] == "SUCCEEDED":
                return execution
            if status["State"] in ("FAILED", "CANCELLED"):
                raise ExecutionError(status["State"], status.get("StateChangeReason", ""))
            if self._cancelled.wait(pause):
                raise ExecutionError("CANCELLED", "stopped by Moorings")
            pause = min(pause * 2, MAX_WAIT_SECONDS)

    # ---- rows ---------------------------------------------------------------------------------------------------

    def _batches(
        self, execution: Mapping[str, Any], page: Mapping[str, Any], schema: pa.Schema, max_rows: int
    ) -> Generator[pa.RecordBatch]:
        place = execution.get("ResultConfiguration", {}).get("OutputLocation", "")
        file = self._file(place) if page.get("NextToken") and place.endswith(".csv") else None
        batches = _of_file(file, schema) if file is not None else self._of_pages(execution, page, schema)
        for each in batches if len(schema) else ():
            for start in range(0, each.num_rows, max_rows):
                yield each.slice(start, max_rows)

    def _file(self, place: str) -> Any:
        """The opened result file in S3; None if the login may not read it: then Athena sends the rows in pages."""
        parts = urlsplit(place)
        if self._s3 is None:
            self._s3 = self._clients.client(S3)
        try:
            return self._s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDenied", "NoSuchKey", "NoSuchBucket"):
                raise
            return None

    def _of_pages(
        self, execution: Mapping[str, Any], page: Mapping[str, Any], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        rows = page["ResultSet"].get("Rows", [])
        if rows and execution.get("StatementType") == "DML" and _texts_of(rows[0]) == schema.names:
            rows = rows[1:]  # the first row of a SELECT's result is its header
        while True:
            if rows:
                texts = zip(*map(_texts_of, rows), strict=True)
                yield batch((pa.array(values, pa.string()) for values in texts), schema)
            token = page.get("NextToken")
            if not token:
                return
            request = {"QueryExecutionId": execution["QueryExecutionId"], "MaxResults": PAGE, "NextToken": token}
            page = self._athena.get_query_results(**request)
            rows = page["ResultSet"].get("Rows", [])

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask Athena to stop the statement."""
        if self._execution is not None:
            self._athena.stop_query_execution(QueryExecutionId=self._execution)
            self._cancelled.set()

    def reset(self) -> bool:
        """Stop reading; there is no session state to reset."""
        self._execution = None
        if self._rows is not None:
            self._rows.close()
            self._rows = None
        return True

    def close(self) -> None:
        """Stop reading and hang up."""
        with contextlib.suppress(Exception):
            self.reset()
        for client in filter(None, (self._athena, self._s3, self._clients)):
            with contextlib.suppress(Exception):
                client.close()


def _of_file(file: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a result's file, block by block; an empty field without quotes is null."""
    names = [str(place) for place in range(len(schema))]  # names may repeat
    with contextlib.closing(file):
        reader = csv.open_csv(
            pa.PythonFile(file, mode="r"),
            csv.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=BLOCK_BYTES, use_threads=False),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for texts in reader:
            yield batch(iter(texts.columns), schema)


def _texts_of(row: Mapping[str, Any]) -> list[str | None]:
    return [cell.get("VarCharValue") for cell in row["Data"]]


def literal(value: Any) -> str:
    """A parameter as an SQL literal, the form that Athena accepts; raises ParametersRefused for values without one."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        return f"'{quoted}'"
    raise errors.ParametersRefused(message="Parameters must be strings, numbers, booleans or null.")
