"""ministack with an Athena that does what ministack's leaves out; run by ministack's own interpreter.

Statements take ExecutionParameters, end in DuckDB when they are stopped, and run in UTC; results have exact types, are
where they are said to be in S3, and are written as Athena writes them. Pages end after 5,000 rows: the rest is in S3
alone. Keys all have the secret that SECRET names.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import duckdb
from ministack import app
from ministack.services import athena, iam, s3, sts

MAX_ROWS = 5_000
RUNNING: dict[str, Any] = {}
"""Execution → its connection to DuckDB."""
TYPES: dict[str, list[str]] = {}
"""Execution → DuckDB's types of its columns."""
FILES: dict[str, bytes] = {}
"""Execution → its result as CSV, where it has more rows than pages show."""
STOPPED: set[str] = set()
EXECUTION = contextvars.ContextVar("execution", default="")

start, execute, stop = athena._start_query_execution, athena._execute_query, athena._stop_query_execution
results, duckdb_type = athena._get_query_results, athena._duckdb_type


def started(data: dict[str, Any]) -> Any:
    """Start a statement with its parameters written into it."""
    given, sql = data.get("ExecutionParameters", []), data.get("QueryString", "")
    if given and len(given) != sql.count("?"):
        message = f"Incorrect number of parameters: expected {sql.count('?')} but found {len(given)}"
        return athena.error_response_json("InvalidRequestException", message, 400)
    values = iter(given)
    return start(data | {"QueryString": re.sub(r"\?", lambda _: next(values), sql) if given else sql})


async def executed(query_id: str, *how: Any) -> None:
    """Run a statement; one that was stopped is cancelled, however it ended."""
    EXECUTION.set(query_id)
    try:
        await execute(query_id, *how)
    finally:
        if query_id in STOPPED:
            athena._executions[query_id]["Status"]["State"] = "CANCELLED"


async def run(query: str, database: str, catalog: str | None = None) -> dict[str, Any]:
    sql, _, folders = await athena._rewrite_data_paths(query, database, catalog)
    try:
        return await asyncio.to_thread(fetched, EXECUTION.get(), sql)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def fetched(execution: str, sql: str) -> dict[str, Any]:
    """Run a statement in DuckDB; its columns, their types, and as many rows as pages show."""
    with duckdb.connect() as connection:
        RUNNING[execution] = connection
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET threads = 1")  # statements that are slow on purpose leave a processor to the rest
        connection.execute(sql)
        about = connection.description or []
        TYPES[execution] = [str(column[1]) for column in about]
        rows = connection.fetchmany(MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            FILES[execution] = exported(connection, sql)
        del RUNNING[execution]
    kinds = [athena._DUCKDB_TYPE_MAP.get(kind.split("(")[0], "varchar") for kind in TYPES[execution]]
    texts = [[value.hex(" ") if isinstance(value, bytes) else value for value in row] for row in rows[:MAX_ROWS]]
    return {"columns": [column[0] for column in about], "column_types": kinds, "rows": texts}


def exported(connection: Any, sql: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.csv"
        connection.execute(f"COPY ({sql}\n) TO '{path}' (FORMAT csv, HEADER, FORCE_QUOTE *)")
        return path.read_bytes()


def stopped(data: dict[str, Any]) -> Any:
    STOPPED.add(data["QueryExecutionId"])
    if connection := RUNNING.get(data["QueryExecutionId"]):
        connection.interrupt()
    return stop(data)


def answered(data: dict[str, Any]) -> Any:
    """Answer with a page of results, whose columns have their exact types."""
    status, headers, body = results(data)
    reply = json.loads(body)
    columns = reply.get("ResultSet", {}).get("ResultSetMetadata", {}).get("ColumnInfo", [])
    for column, kind in zip(columns, TYPES.get(data["QueryExecutionId"], []), strict=False):
        if found := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind):
            column |= {"Type": "decimal", "Precision": int(found[1]), "Scale": int(found[2])}
    return status, headers, json.dumps(reply).encode()


async def saved(query_id: str) -> None:
    """Write a result to its place: what is null is empty, all else in quotes."""
    execution = athena._executions[query_id]
    found, place = execution["_results"], execution["ResultConfiguration"]["OutputLocation"]
    text = "".join(",".join(map(quoted, row)) + "\n" for row in (found["columns"], *found["rows"]))
    bucket, _, key = place.removeprefix("s3://").partition("/")
    content = FILES.pop(query_id, text.encode())
    status = s3._put_object(bucket, key, content, {"content-type": "text/csv"})[0]
    if status >= 300:
        execution["Status"] |= {"State": "FAILED", "StateChangeReason": f"Error writing to S3: {status}"}


def quoted(value: Any) -> str:
    if value is None:
        return ""
    text = athena._datum_text(value).replace('"', '""')
    return f'"{text}"'


def exact(column: dict[str, Any]) -> str:
    """DuckDB's type of a table's column."""
    declared = str(column.get("Type", ""))
    return declared.upper() if declared.lower().startswith("decimal(") else duckdb_type(column)


athena._start_query_execution, athena._execute_query, athena._run_duckdb = started, executed, run
athena._stop_query_execution, athena._get_query_results, athena._duckdb_type = stopped, answered, exact
athena._save_query_results = saved
iam._gen_secret = lambda: os.environ["SECRET"]
assert sts._gen_secret is not iam._gen_secret  # answers of STS would break on what SECRET holds
app.main()
