"""`moorings schedules`: when catalogs are refreshed."""

from __future__ import annotations

from typing import Annotated

import typer

from moorings.client.cli.base import Commands, client
from moorings.client.cli.connections import Connection, Yes, confirm
from moorings.client.cli.output import Columns, done, show, show_one

app = Commands("Manage the schedules of catalog refreshes.")

Schedule = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Id of the schedule, as listed.")]
Cron = Annotated[
    str, typer.Argument(metavar="CRON", help="Six fields as in AWS EventBridge, five as in Unix cron, or @daily.")
]
TimeZone = Annotated[str, typer.Option("--timezone", metavar="ZONE", help="An IANA name, such as Europe/Berlin.")]
Hard = Annotated[bool, typer.Option("--hard", help="Also remove tables that the database dropped.")]


@app.command("list")
def list_schedules(connection: Connection) -> None:
    """List the schedules of a connection."""
    with client() as service:
        found = service.schedules.list(connection)
    columns: Columns = {
        "WHEN": "description",
        "CRON": "schedule",
        "TIME ZONE": "timezone",
        "HARD": lambda each: "yes" if each["hardRefresh"] else "",
        "DISABLED": "disabledAt",
        "ID": "scheduleId",
    }
    show(found, columns, name="scheduleId")


@app.command("get")
def get(connection: Connection, schedule: Schedule) -> None:
    """Show a schedule and the times of its next runs."""
    with client() as service:
        found = service.schedules.get(connection, schedule)
    columns: Columns = {
        "id": "scheduleId",
        "when": "description",
        "cron": "schedule",
        "time zone": "timezone",
        "hard": "hardRefresh",
        "disabled": "disabledAt",
        "next runs": lambda each: "  ".join(each.get("nextRuns") or ()),
    }
    show_one(found, columns, name="scheduleId")


@app.command("create")
def create(connection: Connection, cron: Cron, timezone: TimeZone = "UTC", hard: Hard = False) -> None:
    """Refresh the catalog of a connection on a schedule."""
    with client() as service:
        found = service.schedules.create(connection, cron, timezone=timezone, hard_refresh=hard)
    done(f"{found['description']} ({found['scheduleId']})", found, identity=found["scheduleId"])


@app.command("edit")
def edit(
    connection: Connection, schedule: Schedule, cron: Cron, timezone: TimeZone = "UTC", hard: Hard = False
) -> None:
    """Replace a schedule."""
    with client() as service:
        found = service.schedules.update(connection, schedule, cron, timezone=timezone, hard_refresh=hard)
    done(f"{found['description']} ({found['scheduleId']})", found, identity=found["scheduleId"])


@app.command("delete")
def delete(connection: Connection, schedule: Schedule, yes: Yes = False) -> None:
    """Delete a schedule."""
    confirm(f"Delete the schedule {schedule}?", yes=yes)
    with client() as service:
        answer = service.schedules.delete(connection, schedule)
    done("Deleted the schedule.", answer, identity=schedule)
