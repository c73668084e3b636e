"""The pages as HTML: a frame with our styles, the API console, and the plain page that needs no viewer."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from moorings.api.browser.assets import address


def page(title: str, body: str, head: str = "") -> str:
    """A page with our styles; `body` and `head` are HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{address("logo.svg")}"><link rel="stylesheet" href="{address("pages.css")}">{head}'
        f'</head><body><header><a href="/"><img src="{address("logo.svg")}" alt="" width="28" height="28">'
        f'<span>Moorings</span></a><nav><a href="/docs">API</a> <a href="/openapi.json">OpenAPI</a></nav></header>'
        f"<main>{body}</main></body></html>"
    )


def welcome(version: str) -> str:
    """The first page: where to go from here."""
    links = {
        "/docs": "API: read every operation and try it",
        "/openapi.json": "The OpenAPI document",
        "/health": "Health",
        "/metrics": "Metrics for Prometheus",
    }
    listed = "".join(f'<li><a href="{path}">{text}</a></li>' for path, text in links.items())
    return page("Moorings", f"<h1>Moorings</h1><p>Version {version} is running.</p><ul>{listed}</ul>")


def console() -> str:
    """The API console: the viewer shows `/openapi.json`, as `console.js` configures it."""
    styles = "".join(f'<link rel="stylesheet" href="{address(name)}">' for name in ("swagger-ui.css", "console.css"))
    scripts = "".join(
        f'<script src="{address(name)}" defer></script>' for name in ("swagger-ui-bundle.js", "console.js")
    )
    return page("Moorings API", '<div id="console"></div>', styles + scripts)


def plain(document: Mapping[str, Any]) -> str:
    """Every operation with its parameters, bodies and answers, without scripts."""
    operations = "".join(
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    intro = (
        "<h1>Moorings API</h1><p>Send a key with each request: <code>Authorization: Bearer &lt;key&gt;</code>. "
        "The API console is not installed. Run <code>sh scripts/api_pages.sh</code> with access to the npm registry, "
        "and restart the service.</p>"
    )
    return page("Moorings API", intro + operations)


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    parameters = "".join(
        _row(parameter["name"], parameter.get("description", "The id.")) for parameter in operation["parameters"]
    )
    answers = "".join(_row(code, answer["description"]) for code, answer in operation["responses"].items())
    body = "".join(_body(operation["requestBody"], document)) if "requestBody" in operation else ""
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<span class="method">{method.upper()}</span> <code>{path}</code> '
        f"— {html.escape(operation['summary'])}</summary><p>{html.escape(operation['description'])}</p>"
        f"<table>{parameters}</table>{body}<h4>Answers</h4><table>{answers}</table></details>"
    )


def _body(request: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """The schemas of a body; several are folded."""
    content = next(iter(request["content"].values()))
    choices = content["schema"].get("oneOf", [content["schema"]])
    shown: list[str] = []
    for choice in choices:
        schema = document["components"]["schemas"][choice["$ref"].rsplit("/", 1)[1]] if "$ref" in choice else choice
        text = f"<pre>{html.escape(json.dumps(schema, indent=2))}</pre>"
        title = html.escape(schema.get("title", "Body"))
        shown.append(f"<details><summary>{title}</summary>{text}</details>" if len(choices) > 1 else text)
    return shown


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(text)}</td></tr>"
