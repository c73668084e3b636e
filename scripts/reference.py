"""Writes the pages of docs/ that are made from the code: settings, commands, errors, metrics, operations and dialects.

Run by `make reference`; a test compares the pages with what this makes of today's code.
"""

from __future__ import annotations

import functools
import html
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import typer.main
from typer.core import TyperGroup

from moorings import dialects, errors
from moorings.api.browser import assets
from moorings.api.http import openapi, problems
from moorings.app import ROUTES
from moorings.cli import app
from moorings.client.ascode.schema import schema
from moorings.client.cli import base, exits
from moorings.dialects.base import Dialect
from moorings.engine import probe
from moorings.engine.probe import DRIVER
from moorings.settings import Settings
from moorings.telemetry import metrics

DOCS = Path(__file__).parents[1] / "docs"

EVERY = tuple(dialects.named(name) for name in dialects.names())

COMMON = "postgres"
"""The dialect whose page shows the fields that all have, with the same meaning."""


STEPS = (DRIVER, *probe.STEPS)
"""The steps of a connection test, in their order."""

WIDE = "---\nhide:\n  - toc\n---\n\n"
"""The head of a page whose tables need the place of its table of contents."""

NOT_ANSWERED = (errors.OperatorError, errors.WarehouseError, errors.ConnectionChanged, errors.LeaseLost)
"""Errors that no caller sees as such."""


def table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = [list(names), ["---"] * len(list(names)), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(value: object) -> str:
    """One cell: nothing for None, and no character that ends it; in code, Markdown would show an escaping backslash."""
    text = "" if value is None else str(value).replace("\n", " ")
    return re.sub(r"`([^`]*\|[^`]*)`", _code_with_pipes, text).replace("|", "\\|")


def _code_with_pipes(found: re.Match[str]) -> str:
    return f"<code>{html.escape(found[1]).replace('|', '&#124;')}</code>"


def code(value: object) -> str:
    """A value as it is written, or nothing."""
    return "" if value is None or value == "" else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings() -> str:
    """Every setting."""
    rows = (
        (code(f"MOORINGS_{name.upper()}"), code(None if field.default_factory else field.default), field.description)
        for name, field in Settings.model_fields.items()
    )
    return f"""{WIDE}# Settings

Set a setting as an environment variable, or as a line of a `.env` file in the folder where Moorings starts. If both
are set, the environment variable counts. If a setting is invalid, Moorings does not start and prints one line that
names the setting, without its value.

{table(["Setting", "Default", "What it does"], rows)}
"""


def commands() -> str:
    """Every command of the CLI."""
    root = typer.main.get_command(app)
    own = set(cast("TyperGroup", root).commands)
    found = list(_commands(root, "moorings"))
    of_service = "\n\n".join(_command(name, command) for name, command in found if name.split()[1] in own)
    of_client = [(name, command) for name, command in found if name.split()[1] not in own]
    sections = "\n\n".join(_command(name, command, without=SHARED) for name, command in of_client)
    whole = next(command for name, command in of_client if name == "moorings connections list")
    shared = [(code(_written(each)), each.help) for each in whole.params if each.name in SHARED]
    return f"""# Command line

The commands of the **service** run on its machine. They read the same [settings](settings.md) as the service, and you
can use them while the service runs. In a checkout the command is `.venv/bin/moorings`.

The commands of a **client** use the API from any machine. They need an address and a key: `moorings login` stores both.
[The command line](../guides/command-line.md) shows how to use them.

`-h` or `--help` explains a command, `--version` prints the version.

## Commands of the service

If a command fails, it prints one line on stderr and exits with code 1.

{of_service}

## Commands of a client

All of these commands have these options:

{table(["Option", "Meaning"], shared)}

The address and the key come from the options and `--profile`, else from the variables `MOORINGS_URL` and
`MOORINGS_KEY`, else from the profile in use. A name works wherever an id does. If several
things have the same name, the command lists their ids.

Colours appear only in a terminal, and not if the variable `NO_COLOR` is set.

### Exit codes

If a command fails, it prints one line on stderr that says what to do next. The exit code says why. The codes do not
change between versions.

{table(["Exit code", "Meaning"], exits.MEANINGS.items())}

{sections}
"""


SHARED = ("profile", "url", "output", "json")
"""The options that every command of the client has."""


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command(name: str, command: Any, *, without: Iterable[str] = ()) -> str:
    hidden = set(without) - ({"output"} if _has_own_formats(command) else set())
    shown = [each for each in command.params if _shown(each) and each.name not in hidden]
    rows = [(code(_written(parameter)), parameter.help) for parameter in shown]
    arguments = f"\n\n{table(['Argument or option', 'Meaning'], rows)}" if rows else ""
    return f"### `{name}`\n\n{command.help}{arguments}"


def _has_own_formats(command: Any) -> bool:
    """Whether -o takes other formats than for most commands."""
    return getattr(command, "formats", ()) not in ((), base.ClientCommand.formats)


def _shown(parameter: Any) -> bool:
    return parameter.name != "help" and not getattr(parameter, "hidden", False)


def _written(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return ", ".join(parameter.opts)
    return parameter.metavar or parameter.name.upper()


def faults() -> str:
    """Every error code, and every status."""
    codes = _kinds(errors.WarehouseError)
    # A kind that has its parent's code is another wording of it.
    distinct = {kind.code: kind for kind in reversed(codes)}.values()
    ordered = sorted(distinct, key=lambda kind: (STEPS.index(kind.step), kind.code))
    found = ((code(kind.code), code(kind.step), problems.status(kind), _message(kind)) for kind in ordered)
    others = [kind for kind in _kinds(errors.MooringsError) if kind not in codes and kind not in NOT_ANSWERED]
    statuses = sorted({(problems.status(kind), _message(kind)) for kind in others})
    return f"""{WIDE}# Errors

Every error has the same body: `{{"detail": "<what is wrong>", "status": <the HTTP status>}}`.

If a request is not valid HTTP, the server answers it with an empty body and closes the connection:

| Status | Cause |
| --- | --- |
| 400 | The path is not UTF-8, or the method, the version or a header cannot be parsed. |
| 400 | `Content-Length` is not a number or has two values, or `Transfer-Encoding` is not `chunked`. |
| 414 | The address is longer than 64 KiB. |
| 431 | The headers are too large, there are more than 100, or `Content-Length` is too large. |

If a body ends before its declared end, nothing is changed. A client that is still connected gets 400 `Bad Request:
Invalid JSON`.

[Troubleshooting](../operate/troubleshooting.md) has causes and fixes.

## Codes of connection tests

`POST /connections/{{id}}/test` and `POST /connections/test` run the steps of a test in order. The step that fails has
a code, the fields to check, and a message that says what to do next. A failed test answers 200 with `"success":
false`. If a query fails for the same reason, the message is its `detail`, and the header `Moorings-Error-Code` has
the code.

{table(["Code", "Step", "Status of a query", "Message"], found)}

## All other errors

{table(["Status", "Message or cause"], statuses)}
"""


def _message(kind: type[Any]) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split())


def _kinds(kind: type[Any]) -> list[type[Any]]:
    return [found for child in kind.__subclasses__() for found in (child, *_kinds(child))]


def routes() -> str:
    """Every operation of the API, in the groups that the API console shows."""
    sections: dict[str, list[tuple[object, ...]]] = {}
    for route in ROUTES:
        row = (code(f"{route.method} {route.location}"), route.summary, route.status)
        sections.setdefault(openapi.tag(route), []).append(row)
    return "\n\n".join(
        f"### {name}\n\n{table(['Operation', 'What it does', 'Status'], rows)}" for name, rows in sections.items()
    )


def api() -> str:
    """The API's page: its operations, between what the template says."""
    return (DOCS / "templates" / "api.md").read_text().replace("{routes}", routes())


def warehouses() -> str:
    """The dialects: what connects, how, and the fields that all have."""
    rows = (
        (
            f"[{dialect.title}](dialects/{dialect.name}.md)",
            code(dialect.name),
            tested_against(dialect),
            dialect.default_port,
            code(dialect.PARAMETERS),
            code(dialect.extra),
        )
        for dialect in EVERY
    )
    overview = table(["Warehouse", "`dialect`", "Tested against", "Default port", "Parameters", "Extra"], rows)
    return (
        (DOCS / "templates" / "dialects.md")
        .read_text()
        .replace("{overview}", overview)
        .replace("{common}", _fields(dialects.named(COMMON), lambda field: field.required != "always"))
    )


def tested_against(dialect: Dialect) -> str:
    """The first, bold words of the section that says so on the dialect's page; `-` where it has no such section."""
    written = DOCS / "templates" / "dialects" / f"{dialect.name}.md"
    found = (
        re.search(r"^## Tested against\n\n\*\*(.+?)\.?\*\*", written.read_text(), re.MULTILINE)
        if written.exists()
        else None
    )
    return found.group(1) if found else "-"


def warehouse(dialect: Dialect) -> str:
    """One dialect's page: its fields, and what was written by hand about it."""
    common = {field.wire: field.default for field in dialects.named(COMMON).Config.fields()}
    own = _fields(dialect, lambda field: bool(field.required) or (field.wire, field.default) not in common.items())
    logins = [code(login.name) for login in dialect.Config.LOGINS if login.name]
    ways = f"\n\n`authenticationType`: {', '.join(logins)} (the first is the default)." if logins else ""
    written = DOCS / "templates" / "dialects" / f"{dialect.name}.md"
    rest = f"\n\n{written.read_text().strip()}" if written.exists() else ""
    return f"""# {dialect.title}

{_introduction(dialect)}

## Fields

This table has the fields that the dialect requires, that only this dialect has, or whose default is different. The
[common fields](../dialects.md#fields) can be set too.

{own}{ways}{rest}
"""


def _introduction(dialect: Dialect) -> str:
    driver = f" The driver is in the extra `{dialect.extra}`." if dialect.extra else ""
    marks = f" Write parameters as {code(dialect.PARAMETERS)}." if dialect.PARAMETERS else ""
    return f'`"dialect": "{dialect.name}"`.{driver}{marks}'


def _fields(dialect: Dialect, shown: Callable[[Any], bool]) -> str:
    fields = [field for field in dialect.Config.fields() if field.field not in {"dialect", "name"} and shown(field)]
    return table(["Field", "Kind", "Required", "Default", "Meaning"], map(_field, fields))


def _field(field: Any) -> list[object]:
    kind = f"{field.kind}, secret" if field.secret else field.kind
    return [code(field.wire), kind, field.required, code(_default(field)), field.description]


def _default(field: Any) -> object:
    return None if field.required == "always" else field.default


def document() -> str:
    """The OpenAPI document that a running service serves, so that a change of the API is seen as one."""
    return json.dumps(openapi.document(ROUTES), indent=1, ensure_ascii=False) + "\n"


def as_code() -> str:
    """The JSON Schema of the files that `moorings plan` reads."""
    described = json.loads(json.dumps([_dialect_of_the_api(dialect) for dialect in EVERY]))
    return json.dumps(schema(described), indent=2, ensure_ascii=False) + "\n"


def _dialect_of_the_api(dialect: Dialect) -> dict[str, Any]:
    fields = [{"name": facts.wire, "secret": facts.secret} for facts in dialect.Config.fields()]
    return {"name": dialect.name, "fields": fields, "schema": dialect.Config.json_schema()}


def measured() -> str:
    """Every metric."""
    rows = (
        (code(found.name), found.kind, ", ".join(code(label) for label in found.labels), found.text)
        for found in metrics.DEFINED.values()
    )
    return f"""# Metrics

`/metrics` needs no key and answers in the text format of Prometheus. With `MOORINGS_WORKERS` above 1, each answer holds
the metrics of all worker processes: counters, histograms and gauges are added up, unless one value is true for all.

Names follow the conventions of Prometheus and, where there is one,
[OpenTelemetry](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/). `connection` is the id of a connection.
`deploy/` has a dashboard for Grafana and alerts for Prometheus that use these metrics.

{table(["Metric", "Type", "Labels", "What it counts"], rows)}

A histogram `x` has the series `x_bucket`, `x_sum` and `x_count`.
"""


PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings,
    "reference/cli.md": commands,
    "reference/errors.md": faults,
    "reference/metrics.md": measured,
    "reference/api.md": api,
    "reference/openapi.json": document,
    "reference/moorings.schema.json": as_code,
    "reference/dialects.md": warehouses,
    "llms.txt": (assets.OURS / "llms.txt").read_text,
    **{f"reference/dialects/{dialect.name}.md": functools.partial(warehouse, dialect) for dialect in EVERY},
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page())
