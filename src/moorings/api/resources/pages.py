"""Pages outside of the API, without a key: health, metrics, the OpenAPI document and a page that shows it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from starlette.types import Receive, Scope, Send

from moorings import __version__
from moorings.api.browser import assets, html
from moorings.api.http import auth, exchange, openapi, problems
from moorings.api.http.call import Call, Rendered
from moorings.api.http.routing import Route
from moorings.api.http.state import Services
from moorings.api.resources import monitoring
from moorings.db import UNREAD
from moorings.errors import InvalidMethod, NotFound

HTML = b"text/html; charset=utf-8"


MONITORING = {
    "/health": monitoring.health,
    "/livez": monitoring.livez,
    "/readyz": monitoring.readyz,
    "/metrics": monitoring.prometheus,
}

Answer = Callable[[Services], Awaitable[Rendered]]


class Page:
    """Serves one page to GET and HEAD."""

    def __init__(self, services: Services, answer: Answer) -> None:
        self._services = services
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        call = Call(self._services, scope, receive, send, auth.NOBODY, UNREAD)
        exchange.of(scope).route = scope["path"]
        if scope["method"] in {"GET", "HEAD"}:
            reply = await self._answer(self._services)
        else:
            wrong = InvalidMethod(("GET", "HEAD"), "Invalid method. This page takes GET and HEAD.")
            refused = problems.problem(wrong)
            reply = Rendered(msgspec.json.encode(refused), refused.status, problems.headers(wrong))
        await reply.send(call, [])


def pages(routes: Iterable[Route]) -> dict[str, Answer]:
    """Each path with its handler."""
    routes = tuple(routes)

    async def document(_: Services) -> Rendered:
        return Rendered(json.dumps(openapi.document(routes)).encode())

    async def reference(_: Services) -> Rendered:
        return _shown(html.console() if assets.has_viewer() else html.plain(openapi.document(routes)))

    served = {"/": welcome, "/openapi.json": document, "/docs": reference, **MONITORING}
    for_agents = {f"/{name}": _file(name) for name in assets.FOR_AGENTS}
    return served | for_agents | {f"/docs/{name}": _file(name) for name in assets.PLACES}


async def welcome(_: Services) -> Rendered:
    """The first page: links to the other pages."""
    return _shown(html.welcome(__version__))


def _shown(text: str) -> Rendered:
    return Rendered(text.encode(), headers=list(assets.SECURITY), media_type=HTML)


def _file(name: str) -> Answer:
    """A file that the pages load; 404 if it is not installed."""

    async def answer(_: Services) -> Rendered:
        found = assets.asset(name)
        if found is None:
            missing = problems.problem(NotFound())
            return Rendered(msgspec.json.encode(missing), missing.status)
        return Rendered(found.content, headers=[*assets.SECURITY, *assets.CACHED], media_type=found.media_type)

    return answer
