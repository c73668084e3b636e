"""The tools: what each one takes, which requests to the API it makes, and what it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moorings.mcp.api import Api, ToolFailed
from moorings.mcp.explaining import explained
from moorings.mcp.rendering import MAX_CHARACTERS, fitting, is_number, listing, marked, table

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
PAGE = 25
DEFAULT_ROWS, MAX_ROWS = 50, 1000
DEFAULT_SECONDS, MAX_SECONDS = 30, 300
MAX_BYTES = 100_000

NOT_FOUND = (
    "Nothing found. A connection is searched once its catalog was refreshed; describe_table looks in its database too."
)

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool. `schema` has the properties of its arguments."""

    name: str
    title: str
    description: str
    act: Callable[[Api, Arguments], Awaitable[str]]
    schema: Mapping[str, Any]
    required: tuple[str, ...] = ()
    open_world: bool = False
    """Whether it talks to a database, and not only to the service."""

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        return {
            "type": "object",
            "properties": dict(self.schema),
            "required": list(self.required),
            "additionalProperties": False,
        }


# ---- connections ------------------------------------------------------------------------------------------------


async def list_connections(api: Api, arguments: Arguments) -> str:
    """A page of the connections that the key sees."""
    found = (await api.get("/connections", name=arguments.get("search")))["connections"]
    page = arguments.get("page", 1)
    shown = found[(page - 1) * PAGE : page * PAGE]
    rows = [[each["id"], each["name"], each["dialect"], each["database"] or "", _health(each)] for each in shown]
    more = f"{_number(len(found), 'connection')}. Page {page} of {max(1, -(-len(found) // PAGE))}."
    return listing(table(["id", "name", "dialect", "database", "health"], rows), 2, more)


def _health(connection: Mapping[str, Any]) -> str:
    health: Mapping[str, Any] = connection.get("health") or {}
    return str(health.get("status", "unknown"))


async def describe_connection(api: Api, arguments: Arguments) -> str:
    """The settings of a connection, its health, and the size of its stored catalog."""
    connection_id = await _connection_id(api, arguments["connection"])
    found = (await api.get(f"/connections/{connection_id}"))["connection"]
    catalog = await api.get(f"/connections/{connection_id}/catalog", pageSize=1)
    facts = {
        "id": found["id"],
        "name": found["name"],
        "dialect": found["dialect"],
        "database": found["database"],
        "default schema": found.get("defaultSchema"),
        "settings": _told(found.get("settings") or {}),
        "health": found.get("health"),
        "tables in the stored catalog": catalog["tableCount"],
        "catalog refreshed at": catalog["refreshedAt"] or "never",
    }
    lines = [f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in facts.items()]
    return listing(lines, 0)


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were made: defaults that are false or absent tell an agent nothing."""
    return {name: value for name, value in settings.items() if value not in (None, False, [], "")}


async def _connection_id(api: Api, id_or_name: str) -> str:
    if UUID.fullmatch(id_or_name):
        return id_or_name.lower()
    found = (await api.get("/connections", name=id_or_name))["connections"]
    named = [each["id"] for each in found if each["name"].casefold() == id_or_name.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        raise ToolFailed("Several connections have this name. Use an id.", "\n".join(named))
    raise ToolFailed("No connection has this name or id. Use list_connections to find it.")


# ---- catalogs ---------------------------------------------------------------------------------------------------


async def search_catalog(api: Api, arguments: Arguments) -> str:
    """Tables with a text in their name, columns or comments."""
    text, cursor = arguments["text"], arguments.get("cursor")
    if arguments.get("connection"):
        connection_id = await _connection_id(api, arguments["connection"])
        path, query = f"/connections/{connection_id}/catalog", {"search": text, "cursor": cursor, "pageSize": PAGE}
    else:
        connection_id, path, query = "", "/catalog", {"search": text, "cursor": cursor, "pageSize": PAGE}
    found = await api.get(path, **query)
    rows = [
        [each.get("connectionName", connection_id), _full_name(each), each["kind"], _matches(each)]
        for each in found["records"]
    ]
    note = _more(found["pageInfo"]) if rows else NOT_FOUND
    return listing(table(["connection", "table", "kind", "matches"], rows), 2, note)


def _full_name(found: Mapping[str, Any]) -> str:
    return ".".join(part for part in (found["catalog"], found["schema"], found["name"]) if part)


def _matches(found: Mapping[str, Any]) -> str:
    matches: list[Mapping[str, Any]] = found.get("matches") or []
    return ", ".join(f"{each['kind']} {each['column'] or each['text']}" for each in matches[:5])


def _more(page: Mapping[str, Any]) -> str:
    said = f"{page['totalRecords']} in all."
    return f"{said} For the next page: cursor={page['nextCursor']}" if page["hasNextPage"] else said


async def describe_table(api: Api, arguments: Arguments) -> str:
    """The columns, keys and comments of the tables with a name."""
    connection_id = await _connection_id(api, arguments["connection"])
    *place, name = arguments["table"].split(".")
    query = {"table": name, "schema": place[-1] if place else None}
    stored = await api.get(f"/connections/{connection_id}/catalog", **query, pageSize=5)
    found, note = stored["records"], f"From the catalog, refreshed at {stored['refreshedAt']}."
    if stored["refreshedAt"] is None:
        found, note = await _live(api, connection_id, name, place), "From the database, as it is now."
    if not found:
        raise ToolFailed("No table has this name. Use search_catalog to find it.")
    lines = [line for each in found[:5] for line in _described(each)]
    return listing(lines, 0, note)


async def _live(api: Api, connection_id: str, name: str, place: list[str]) -> list[Any]:
    """The tables with a name, of a connection whose catalog was never read."""
    found = await api.get(f"/connections/{connection_id}/tables", schema=place[-1] if place else None)
    return [each for each in found["tables"] if each["name"].casefold() == name.casefold()]


def _described(found: Mapping[str, Any]) -> list[str]:
    head = f"{found['kind']} {_full_name(found)}"
    if found.get("rowCount") is not None:
        head += f", about {found['rowCount']} rows"
    if found.get("missingSince"):
        head += f", missing since {found['missingSince']}"
    rows = [
        [each["name"], each["nativeType"], "" if each["nullable"] else "not null", each["comment"] or ""]
        for each in found["columns"]
    ]
    lines = [head, *([f"comment: {found['comment']}"] if found["comment"] else [])]
    lines += table(["column", "type", "null", "comment"], rows)
    if found["primaryKey"]:
        lines.append(f"primary key: {', '.join(found['primaryKey'])}")
    for key in found["foreignKeys"]:
        referred = ".".join(part for part in (key["schema"], key["table"]) if part)
        lines.append(f"foreign key: {', '.join(key['columns'])} → {referred} ({', '.join(key['referredColumns'])})")
    return [*lines, ""]


# ---- queries ----------------------------------------------------------------------------------------------------


async def query(api: Api, arguments: Arguments) -> str:
    """The rows of one read-only statement, as a text table or JSON; its plan before them if asked for."""
    connection_id = await _connection_id(api, arguments["connection"])
    path, environment = f"/connections/{connection_id}/query", arguments.get("environment")
    body = {"sql": arguments["sql"], "readOnly": True}
    body["timeoutSeconds"] = arguments.get("timeout_seconds", DEFAULT_SECONDS)
    if arguments.get("parameters"):
        body["parameters"] = arguments["parameters"]
    parts: list[str] = []
    most = arguments.get("max_bytes", MAX_CHARACTERS)
    explain = arguments.get("explain", "no")
    if explain != "no":
        plan = await api.post(path, body, dryRun="true", environment=environment)
        parts.append(
            f"Plan, estimated bytes {plan['estimatedBytes']}:\n{listing(plan['plan'].splitlines(), 0, most=most)}"
        )
    if explain != "only":
        body["rowLimit"] = arguments.get("row_limit", DEFAULT_ROWS)
        found = await api.post(path, body, environment=environment)
        parts.append(_as_json(found, most) if arguments.get("format") == "json" else _as_table(found, most))
    return "\n\n".join(parts)


def _as_table(found: Mapping[str, Any], most: int) -> str:
    names = [each["name"] for each in found["columns"]]
    right = [is_number(each["type"]) for each in found["columns"]]
    return listing(table(names, found["rows"], right), 2, _counted(found), most)


def _as_json(found: Mapping[str, Any], most: int) -> str:
    names = [each["name"] for each in found["columns"]]
    rows = fitting([json.dumps(row, ensure_ascii=False) for row in found["rows"]], most)
    text = f'{{"columns": {json.dumps(names, ensure_ascii=False)},\n "rows": [\n' + ",\n".join(rows) + "\n]}"
    left = len(found["rows"]) - len(rows)
    cut = f"\n{left} rows are not shown: the answer would be too long." if left else ""
    return f"{marked(text)}{cut}\n{_counted(found)}"


def _counted(found: Mapping[str, Any]) -> str:
    rows = _number(found["rowCount"], "row")
    if found["truncated"]:
        return f"{rows}. There are more: raise row_limit (at most {MAX_ROWS}), or aggregate in SQL."
    return f"{rows}."


def _number(count: int, of: str) -> str:
    return f"{count} {of}" if count == 1 else f"{count} {of}s"


async def explain_error(api: Api, arguments: Arguments) -> str:  # each tool has both
    """What an error means, and what to do next."""
    return explained(arguments["error"])


CONNECTION = {"type": "string", "minLength": 1, "maxLength": 255, "description": "Id or name of the connection."}
CURSOR = {
    "type": "string",
    "maxLength": 4000,
    "description": "The cursor of the next page, as the last answer named it.",
}


def _integer(default: int, most: int, description: str, least: int = 1) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default, "description": description}


def _text(description: str, most: int = 255) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most, "description": description}


TOOLS = (
    ToolSpec(
        "list_connections",
        "List connections",
        f"List the database connections that you can use, {PAGE} on a page. Start here.",
        list_connections,
        {"search": _text("A part of the name."), "page": _integer(1, 10_000, "The number of the page.")},
    ),
    ToolSpec(
        "describe_connection",
        "Describe a connection",
        "Show a connection's dialect, settings and health, and how many tables its stored catalog has.",
        describe_connection,
        {"connection": CONNECTION},
        ("connection",),
    ),
    ToolSpec(
        "search_catalog",
        "Search tables and columns",
        "Find tables by a text in their name, columns or comments, in all connections or in one. Reads the stored"
        " catalog, not the database.",
        search_catalog,
        {"text": _text("The text to find, in any case."), "connection": CONNECTION, "cursor": CURSOR},
        ("text",),
    ),
    ToolSpec(
        "describe_table",
        "Describe a table",
        "Show the columns, types, comments and keys of a table. Use it before you write SQL.",
        describe_table,
        {"connection": CONNECTION, "table": _text("The table: `name`, `schema.name` or `catalog.schema.name`.", 800)},
        ("connection", "table"),
        open_world=True,
    ),
    ToolSpec(
        "query",
        "Run a read-only SQL statement",
        "Run one SQL statement in the connection's own dialect and show its rows. It can only read, also on writable"
        " connections. Aggregate and filter in SQL: answers are cut.",
        query,
        {
            "connection": CONNECTION,
            "sql": _text("One statement.", 100_000),
            "parameters": {
                "type": "array",
                "items": {"type": ["string", "number", "boolean", "null"]},
                "description": "Values for the placeholders of the statement, in the dialect's own syntax.",
            },
            "row_limit": _integer(DEFAULT_ROWS, MAX_ROWS, "The most rows."),
            "max_bytes": _integer(MAX_CHARACTERS, MAX_BYTES, "The most characters of the answer.", 1000),
            "timeout_seconds": _integer(DEFAULT_SECONDS, MAX_SECONDS, "When the statement is cancelled."),
            "explain": {
                "enum": ["no", "first", "only"],
                "default": "no",
                "description": "`first`: show the query plan before the rows. `only`: show the plan, run nothing.",
            },
            "format": {"enum": ["table", "json"], "default": "table", "description": "`json` does not cut long cells."},
            "environment": {"type": "string", "description": "Id of an environment of the connection, to choose it."},
        },
        ("connection", "sql"),
        open_world=True,
    ),
    ToolSpec(
        "explain_error",
        "Explain an error",
        "Explain an error code, status or message of this service, and what to do next.",
        explain_error,
        {"error": _text("The code, status or message.", 10_000)},
        ("error",),
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
