"""ministack with what its Athena lacks; run by its own interpreter, in place of its own program.

It adds ExecutionParameters, which ministack ignores; a stop that ends the statement in DuckDB, which ministack lets run
on; decimals with their places and timestamps with their zone, which ministack forgets; and Athena's way to write bytes.
"""

from __future__ import annotations

import contextvars
import json
import re
from typing import Any

import duckdb
from ministack import app
from ministack.services import athena

RUNNING: dict[str, Any] = {}
"""Execution → its connection to DuckDB."""
TYPES: dict[str, list[str]] = {}
"""Execution → DuckDB's types of its columns."""
STOPPED: set[str] = set()
EXECUTION = contextvars.ContextVar("execution", default="")

connect, start, execute = duckdb.connect, athena._start_query_execution, athena._execute_query
stop, results, duckdb_type = athena._stop_query_execution, athena._get_query_results, athena._duckdb_type


class Connection:
    """A connection to DuckDB that remembers what it ran."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def execute(self, sql: str) -> Connection:
        self.real.execute(sql)
        TYPES[EXECUTION.get()] = [str(column[1]) for column in self.real.description or ()]
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(map(written, row)) for row in self.real.fetchall()]


def written(value: Any) -> Any:
    """A value as Athena writes it."""
    return value.hex(" ") if isinstance(value, bytes) else value


def connected(*args: Any, **how: Any) -> Any:
    real = connect(*args, **how)
    real.execute("SET TimeZone = 'UTC'")
    RUNNING[EXECUTION.get()] = real
    return Connection(real)


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
        RUNNING.pop(query_id, None)
        if query_id in STOPPED:
            athena._executions[query_id]["Status"]["State"] = "CANCELLED"


def stopped(data: dict[str, Any]) -> Any:
    STOPPED.add(data["QueryExecutionId"])
    if connection := RUNNING.get(data["QueryExecutionId"]):
        connection.interrupt()
    return stop(data)


def answered(data: dict[str, Any]) -> Any:
    """Answer with a page of results, whose columns have their exact types."""
    status, headers, body = results(data)
    told = json.loads(body)
    columns = told.get("ResultSet", {}).get("ResultSetMetadata", {}).get("ColumnInfo", [])
    for column, kind in zip(columns, TYPES.get(data["QueryExecutionId"], []), strict=False):
        if found := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind):
            column |= {"Type": "decimal", "Precision": int(found[1]), "Scale": int(found[2])}
        elif kind == "TIMESTAMP WITH TIME ZONE":
            column["Type"] = "timestamp with time zone"
    return status, headers, json.dumps(told).encode()


def exact(column: dict[str, Any]) -> str:
    """DuckDB's type of a table's column."""
    declared = str(column.get("Type", ""))
    return declared.upper() if declared.lower().startswith("decimal(") else duckdb_type(column)


duckdb.connect = connected
athena._start_query_execution, athena._execute_query = started, executed
athena._stop_query_execution, athena._get_query_results, athena._duckdb_type = stopped, answered, exact
app.main()
