"""`moorings catalog`: the stored tables of connections."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import typer

from moorings.client.cli import exits
from moorings.client.cli.base import Commands, asked, client
from moorings.client.cli.connections import Connection, Environment
from moorings.client.cli.output import Columns, show, show_one
from moorings.client.cli.text import amount

app = Commands("Search and read the stored catalogs. Reading them does not wake a database.")

Limit = Annotated[int, typer.Option("--limit", min=1, help="How many to list.")]


def qualified(table: Any) -> str:
    """The name of a table with its catalog and schema."""
    name = table["table"] if "table" in table else table["name"]
    return ".".join(part for part in (table.get("catalog"), table.get("schema"), name) if part)


@app.command("search")
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A part of a name or comment, in any case.")],
    limit: Limit = 100,
) -> None:
    """Search tables, columns and comments of all catalogs."""
    with client() as service:
        found = list(itertools.islice(service.catalog.search(text), limit))
    columns: Columns = {
        "CONNECTION": "connectionName",
        "TABLE": qualified,
        "KIND": "kind",
        "FOUND IN": lambda each: ", ".join(_match(match) for match in each["matches"]),
    }
    show(found, columns)


def _match(found: Any) -> str:
    where = f"column {found['column']}" if found["column"] else "table"
    return f"{where} ({found['text']})" if found["kind"] == "comment" else where


@app.command("tables")
def tables(
    connection: Connection,
    table: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Only tables with this name; * is a wildcard.")
    ] = None,
    schema: Annotated[str | None, typer.Option(metavar="NAMES", help="Only these schemas, comma-separated.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Read the database instead of the stored catalog.")] = False,
    environment: Environment = None,
    limit: Limit = 1000,
) -> None:
    """List the tables and views of a connection."""
    with client() as service:
        if fresh and table:
            raise exits.UsageError("--fresh takes no pattern", "Use --schema.")
        listed: Any = (
            service.catalog.tables(connection, schema=schema, environment=environment)
            if fresh
            else service.catalog.stored(connection, schema=schema, table=table, environment=environment)
        )
        found: list[Any] = list(itertools.islice(listed, limit))
    columns: Columns = {
        "TABLE": qualified,
        "KIND": "kind",
        "COLUMNS": lambda each: len(each["columns"]),
        "ROWS": "rowCount",
        "COMMENT": "comment",
    }
    show(found, columns)


@app.command("get")
def get(
    connection: Connection,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table, with its schema if there are several.")],
    environment: Environment = None,
) -> None:
    """Show the columns, keys and comments of a table."""
    schema, _, name = table.rpartition(".")
    with client() as service:
        found = list(
            service.catalog.stored(
                connection, schema=schema.rpartition(".")[2] or None, table=name, environment=environment
            )
        )
    if len(found) != 1:
        listed = ", ".join(map(qualified, found[:5]))
        reason = f"{amount(len(found), 'table')} of the stored catalog match {table}"
        step = (
            f"Name the schema: {listed}."
            if found
            else "List them: moorings catalog tables. Or read them again: moorings connections refresh."
        )
        raise exits.Failed(reason, step, code=exits.NOT_FOUND)
    if asked.output != "table":
        show_one(found[0], {})
        return
    columns: Columns = {
        "COLUMN": "name",
        "TYPE": "nativeType",
        "NULL": lambda each: "" if each["nullable"] else "not null",
        "KEY": lambda each: "primary" if each["name"] in found[0]["primaryKey"] else "",
        "COMMENT": "comment",
    }
    show(found[0]["columns"], columns)


@app.command("changes")
def changes(
    connection: Connection,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only since this time, such as 2026-01-31T00:00:00Z.")
    ] = None,
    environment: Environment = None,
    limit: Limit = 100,
) -> None:
    """List what refreshes found changed, newest first."""
    with client() as service:
        found = list(itertools.islice(service.catalog.changes(connection, since=since, environment=environment), limit))
    columns: Columns = {
        "AT": "at",
        "CHANGE": "change",
        "TABLE": qualified,
        "COLUMN": "column",
        "BEFORE": "before",
        "AFTER": "after",
    }
    show(found, columns, name="table")
