"""`moorings jobs`: refreshes of catalogs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Connection
from moorings.client.cli.output import Columns, show, show_one

app = Commands("Show the jobs that read catalogs.")

Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")]

COLUMNS: Columns = {
    "STATUS": "status",
    "CREATED": "createdAt",
    "FINISHED": "finishedAt",
    "MS": "durationMs",
    "FOUND": lambda each: _found(each["result"]),
    "ERROR": "error.message",
    "ID": "job_id",
}


def _found(result: Any) -> str:
    return f"{result['tables']} tables, +{result['added']} ~{result['changed']} -{result['removed']}" if result else ""


@app.command("list")
def list_jobs(
    connection: Connection,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = 20,
) -> None:
    """List the jobs of a connection, newest first."""
    with client() as service:
        found = list(itertools.islice(service.jobs.list(connection), limit))
    show(found, COLUMNS, name="job_id")


@app.command("get")
def get(job: Job) -> None:
    """Show a job and its log."""
    with client() as service:
        found = service.jobs.get(job)
    _show(found)


@app.command("wait")
def wait(job: Job) -> None:
    """Wait until a job has ended. The exit code is 9 if it failed."""
    with client() as service:
        found = service.jobs.wait(job)
    _show(found)


def _show(found: Any) -> None:
    log = {f"log {number}": _line(each) for number, each in enumerate(found["log"], 1)}
    columns = {heading.lower(): source for heading, source in COLUMNS.items()}
    show_one(found, columns | {"connection": "connectionId", "attempt": "attempt"} | log, name="job_id")


def _line(entry: Any) -> Callable[[Any], str]:
    return lambda _: f"{entry['at']} {entry['message']}"
