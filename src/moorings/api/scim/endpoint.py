"""Everything below `/api/scim/v2`: keys, roles, limits and bodies as for all operations, then the library."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from moorings.access import attributes
from moorings.access.service import Actor
from moorings.api.http import auth, exchange
from moorings.api.http import problems as problems_of
from moorings.api.http.call import UUID, Call, Headers, Rendered
from moorings.api.http.routing import received
from moorings.api.http.state import Services
from moorings.api.scim import problems
from moorings.api.scim.routes import PREFIX, ROUTES, SCOPES
from moorings.api.scim.vocabulary import LIST, MEDIA_TYPE
from moorings.db import UNREAD
from moorings.errors import EmbedUserNotFound, MooringsError, NotFound

if TYPE_CHECKING:
    from scim2_server.responses import ScimResponse

log = structlog.get_logger(__name__)

THREADS = 4
"""How many requests run at once, including their time in the database."""

EMBED = "/embed/Users"
"""The published path of embed users. There are none here: the list is empty."""

NAMES = {
    name.lower(): name
    for name in ("Users", "Groups", "Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search")
}
"""First part of a path in lower case → as the standard writes it. Published clients send `/users`."""

NO_EMBED_USERS = {"schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []}

METHODS: dict[str, list[str]] = {}
"""Path, with `{id}` for an id → the methods that are served there."""

for _route in ROUTES:
    METHODS.setdefault(_route.path or "/", []).append(_route.method)

_encode = msgspec.json.Encoder().encode


def before(default: ASGIApp, services: Services) -> ASGIApp:
    """Serve every path below the prefix, in any spelling; `default` serves the others."""
    endpoint = Endpoint(services)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        is_scim = scope["type"] == "http" and (scope["path"] + "/").startswith(PREFIX + "/")
        await (endpoint if is_scim else default)(scope, receive, send)

    return serve


class Endpoint:
    """Serves SCIM; loads the library with the first request."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="scim")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        observed = exchange.of(scope)
        call = Call(self._services, scope, receive, send, auth.NOBODY, UNREAD)
        headers: Headers = []
        path, label = _path(scope)
        observed.route = PREFIX + label.removesuffix("/") if label != PREFIX else PREFIX
        reply = await self._reply(call, path, label, headers)
        observed.actor, observed.ids = call.actor, call.ids
        await reply.send(call, headers)

    async def _reply(self, call: Call, path: str, label: str, headers: Headers) -> Rendered:
        try:
            return await self._answer(call, path, label, headers)
        except MooringsError as refused:
            status, scim_type, detail = problems.parts(refused)
            if status == 500:
                log.error("request_failed", route=label, reason=refused.message)  # noqa: TRY400  # said in one line
            return _problem(status, detail, scim_type, problems_of.headers(refused))
        except Exception:  # the last handler: every exception becomes an error body of the standard
            log.exception("request_failed", route=label, method=call.scope["method"])
            return _problem(500, problems_of.INTERNAL.detail)

    async def _answer(self, call: Call, path: str, label: str, headers: Headers) -> Rendered:
        method = "GET" if call.scope["method"] == "HEAD" else call.scope["method"]
        served = METHODS.get(label)
        if served is None:
            raise NotFound
        if method not in served:
            allowed = [(b"allow", ", ".join(served).encode())]
            return _problem(405, "The endpoint does not support this method", None, allowed)
        await auth.identify(call, headers, SCOPES)
        body = b"" if method == "GET" else await received(call)
        call.actor.require_directory()
        if label == EMBED:
            return Rendered(_encode(NO_EMBED_USERS), media_type=MEDIA_TYPE.encode())
        if label.startswith(EMBED):
            raise EmbedUserNotFound
        if label in ("/Users/{id}", "/Groups/{id}") and UUID.fullmatch(path.rpartition("/")[2]):
            call.ids = {"id": path.rpartition("/")[2].lower()}
        async with call.services.db.reading() as session:
            known = await attributes.defined(session, call.actor.organization_id)
        loop = asyncio.get_running_loop()
        serve = functools.partial(
            _serve, call.services, loop, call.actor, known, method, path, call.query(), _headers(call), body
        )
        return await loop.run_in_executor(self._threads, serve)


def _path(scope: Scope) -> tuple[str, str]:
    """The path below the prefix, its first part as the standard writes it, and the matching key of `METHODS`.

    For unknown paths, metrics and log show only the prefix.
    """
    path: str = scope["path"].removeprefix(PREFIX)
    parts = path.removeprefix("/").split("/")
    if [part.lower() for part in parts[:2]] == ["embed", "users"]:
        parts = [EMBED.removeprefix("/"), *parts[2:]]
    parts[0] = NAMES.get(parts[0].lower(), parts[0])
    path = "/" + "/".join(parts)
    label = path if path in METHODS or len(parts) != 2 or not parts[1] else f"/{parts[0]}/{{id}}"
    return path, label if label in METHODS and scope["path"] != PREFIX + "/" else PREFIX


def _headers(call: Call) -> list[tuple[str, str]]:
    forwarded = (b"content-type", b"if-match", b"if-none-match")
    return [(name.decode(), value.decode("latin-1")) for name, value in call.scope["headers"] if name in forwarded]


def _problem(status: int, detail: str, scim_type: str | None = None, headers: Iterable[Any] = ()) -> Rendered:
    body = problems.body(status, detail, scim_type)
    return Rendered(_encode(body), status, list(headers), MEDIA_TYPE.encode())


def _rendered(answer: ScimResponse) -> Rendered:
    skipped = {"content-type"}
    headers = [
        (name.lower().encode(), value.encode()) for name, value in answer.headers.items() if name.lower() not in skipped
    ]
    if answer.body is None:
        return _Empty(b"", int(answer.status), headers)
    return Rendered(_encode(answer.body), int(answer.status), headers, MEDIA_TYPE.encode())


class _Empty(Rendered):
    """An answer without a body: 204 and 304."""

    async def send(self, call: Call, headers: Headers) -> None:
        """Send status and headers."""
        await call.send({"type": "http.response.start", "status": self.status, "headers": self.headers + headers})
        await call.send({"type": "http.response.body", "body": b""})


# ---- in a thread ------------------------------------------------------------------------------------------------


def _serve(
    services: Services,
    loop: asyncio.AbstractEventLoop,
    actor: Actor,
    known: list[Any],
    method: str,
    path: str,
    query: dict[str, str],
    headers: list[tuple[str, str]],
    body: bytes,
) -> Rendered:
    """One request through the library."""
    from scim2_server.handler import ScimHandler
    from scim2_server.requests import ScimRequest

    from moorings.api.scim.models import addressable
    from moorings.api.scim.service import service_for
    from moorings.api.scim.storage import Storage

    defined = addressable(known)
    service = service_for(defined)
    names = {each.name for each in defined}
    request: ScimRequest = ScimRequest(method, PREFIX, path, query, headers, body, actor)
    storage = Storage(
        services.db,
        loop,
        actor,
        service.served,
        {each.name: each for each in known if each.name in names},
        writes=method != "GET" and not path.endswith(".search"),
    )
    try:
        return _rendered(ScimHandler(service, storage).handle(request))
    except Exception as refused:
        if service.error_of(refused).status == 500:
            raise
        return _rendered(service.error_response(refused))
