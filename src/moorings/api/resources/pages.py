"""What is served beside the API, without a key: health, metrics, the OpenAPI document and a page to read it."""

from __future__ import annotations

import html
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from moorings import __version__
from moorings.api.http import auth, metrics, openapi, problems
from moorings.api.http.answers import Shape
from moorings.api.http.call import Call, Rendered
from moorings.api.http.routing import Route
from moorings.api.http.state import Services
from moorings.db import UNREAD
from moorings.db.connecting import AWAY
from moorings.errors import InvalidMethod, OperatorError
from moorings.health.service import live

HTML = b"text/html; charset=utf-8"
PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


class Health(Shape):
    """Whether the service can answer."""

    status: str
    version: str


Answer = Callable[[Services], Awaitable[Rendered]]


class Page:
    """Serves one page to GET and HEAD."""

    def __init__(self, services: Services, answer: Answer) -> None:
        self._services = services
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        call = Call(self._services, scope, receive, send, auth.NOBODY, UNREAD)
        if scope["method"] in {"GET", "HEAD"}:
            reply = await self._answer(self._services)
        else:
            refused = problems.problem(InvalidMethod())
            reply = Rendered(msgspec.json.encode(refused), refused.status)
        await reply.send(call, [])


def pages(routes: Iterable[Route]) -> dict[str, Answer]:
    """Each path and what answers there."""
    routes = tuple(routes)

    async def document(_: Services) -> Rendered:
        return Rendered(json.dumps(openapi.document(routes)).encode())

    async def reference(_: Services) -> Rendered:
        return Rendered(_reference(openapi.document(routes)).encode(), media_type=HTML)

    return {"/": welcome, "/health": health, "/metrics": prometheus, "/openapi.json": document, "/docs": reference}


async def health(services: Services) -> Rendered:
    """200 when the metadata database answers, else 503."""
    try:
        await services.db.version()
    except OperatorError:
        return Rendered(msgspec.json.encode(Health("database unreachable", __version__)), 503)
    return Rendered(msgspec.json.encode(Health("ok", __version__)))


async def prometheus(services: Services) -> Rendered:
    """Everything that is counted, for Prometheus to scrape."""
    engine, running = services.engine, services.queries.count()
    body = metrics.render(engine.sessions(), running, await _health(services), engine.abandoned())
    return Rendered(body, media_type=PROMETHEUS)


async def _health(services: Services) -> Mapping[str, bool]:
    """Connection → whether it is well, of live ones; what Prometheus asks again and again is read once a version."""

    async def load() -> Mapping[str, bool]:
        async with services.db.reading() as session:
            return await live(session)

    try:
        return await services.db.kept(("healthy",), await services.db.version(), load)
    except AWAY:  # the rest can be told without the metadata database
        return {}


async def welcome(_: Services) -> Rendered:
    """Where to go from here."""
    links = {
        "/docs": "The API, operation by operation",
        "/openapi.json": "Its OpenAPI document",
        "/health": "Health",
        "/metrics": "Metrics",
    }
    listed = "".join(f'<li><a href="{path}">{text}</a></li>' for path, text in links.items())
    return Rendered(
        _page("Moorings", f"<p>Version {__version__}. It runs.</p><ul>{listed}</ul>").encode(), media_type=HTML
    )


STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow: auto; max-height: 24rem; border-radius: .4rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
"""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1>{body}</body></html>"
    )


def _reference(document: dict[str, Any]) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    intro = (
        "<p>Send a key with each request: <code>Authorization: Bearer &lt;key&gt;</code>. "
        'The same as data: <a href="/openapi.json">/openapi.json</a>.</p>'
    )
    return _page("Moorings API", intro + operations)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        _row(parameter["name"], parameter.get("description", "The id.")) for parameter in operation["parameters"]
    )
    responses = "".join(_row(code, response["description"]) for code, response in operation["responses"].items())
    body = ""
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = "".join(
            f"<pre>{html.escape(json.dumps(variant, indent=2))}</pre>" for variant in schema.get("oneOf", [schema])
        )
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<span class="method">{method.upper()}</span> <code>{path}</code> '
        f"— {html.escape(operation['summary'])}</summary><p>{html.escape(operation['description'])}</p>"
        f"<table>{parameters}</table>{body}<h4>Answers</h4><table>{responses}</table></details>"
    )


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(text)}</td></tr>"
