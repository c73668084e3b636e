"""Routes: each is declared once, and defines both its endpoint and its entry in the OpenAPI document.

This module alone defines the checks of every request, in order: method, key, rate limit, body, path, visible,
role, archived. Then the handler runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from moorings.access.policy import Permission
from moorings.access.policy import Scope as KeyScope
from moorings.api.http import auth, exchange, problems
from moorings.api.http.bodies import decode, off_loop
from moorings.api.http.call import JSON, UUID, Call, Headers, Parameter, Rendered, Reply
from moorings.api.http.state import Services
from moorings.connections import service as connections
from moorings.connections.models import Connection
from moorings.db import UNREAD
from moorings.errors import (
    BodyTooLarge,
    BodyTooSlow,
    EmptyBody,
    InvalidId,
    InvalidJson,
    InvalidMethod,
    MooringsError,
    NotFound,
    UnknownKeys,
    WrongContentType,
)

log = structlog.get_logger(__name__)

PREFIX = "/api/v1"
BODY_LIMIT = 1024 * 1024
JSON_TYPES = ("application/json",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    `kind` is plain (one transaction around the handler, committed before the response is sent) or free (the handler
    opens its own units of work: it talks to a warehouse, or reads from memory). `permission` is required on the
    connection in the path's `{id}`; `admin` requires an organization admin. `answer` is a shape, a union of several, or
    None where the body is empty.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Callable[[Call], Awaitable[Any]]
    summary: str
    answer: Any
    scopes: tuple[KeyScope, ...]
    """The scopes of which a limited key needs one. Without any, a limited key cannot call the operation."""
    status: int = 200
    kind: Literal["plain", "free"] = "plain"
    permission: Permission | None = None
    admin: bool = False
    body: Callable[[], dict[str, Any]] | None = None
    """The JSON Schema of the body; a route without one takes none."""
    body_optional: bool = False
    """An empty body is allowed: the handler gets an empty object."""
    body_asks: bool = False
    """An empty object is refused before any field of the body or the query is checked."""
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[type[MooringsError], ...] = ()
    """The errors that the handler may raise, in addition to those of every route."""
    media_types: tuple[str, ...] = JSON_TYPES
    body_types: tuple[str, ...] = JSON_TYPES
    """The content types that the body may have."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Response header → its description."""
    prefix: str = PREFIX
    operation_id: str | None = None
    """The operation's id in the OpenAPI document: the published one where there is one, else made of file and handler.

    Generated clients name their functions after it.
    """
    description: str | None = None
    """The operation's description in the OpenAPI document. Default: the handler's docstring."""
    problem: type[msgspec.Struct] = problems.Problem
    """The body of its errors."""
    problem_type: str = "application/json"
    """The media type of its errors."""

    @property
    def location(self) -> str:
        """The whole path."""
        return self.prefix + self.path

    @property
    def writes(self) -> bool:
        """Whether the operation may change something."""
        return self.method != "GET"

    @property
    def path_parameters(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"{(\w+)}", self.path)


_encode = msgspec.json.Encoder().encode


class Endpoint:
    """Serves one path: all its methods, and the error for every other method."""

    def __init__(self, services: Services, location: str, routes: Iterable[Route]) -> None:
        self._services = services
        self._location = location
        self._routes = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        observed = exchange.of(scope)
        observed.route = self._location
        call = Call(self._services, scope, receive, send, auth.NOBODY, UNREAD)
        headers: Headers = []
        reply = await self._reply(call, headers)
        observed.actor, observed.ids = call.actor, call.ids
        await reply.send(call, headers + call.extra_headers)

    async def _reply(self, call: Call, headers: Headers) -> Reply:
        try:
            return await self._answer(call, headers)
        except MooringsError as refused:
            if problems.status(type(refused)) == problems.INTERNAL.status:
                log.error("request_failed", route=self._location, reason=refused.message)  # noqa: TRY400  # said in one line
            found = problems.problem(refused)
            return Rendered(_encode(found), found.status, problems.headers(refused))
        except Exception:  # the last handler: every exception becomes an error body of the contract
            log.exception("request_failed", route=self._location, method=call.scope["method"])
            return Rendered(_encode(problems.INTERNAL), problems.INTERNAL.status)

    async def _answer(self, call: Call, headers: Headers) -> Reply:
        route = self._routes.get(call.scope["method"])
        if route is None:
            raise InvalidMethod(self._routes)
        await auth.identify(call, headers, route.scopes)
        if route.body is not None:
            call.body = await _body(call, route)
        call.ids = _ids(call.scope.get("path_params", {}), route)
        async with _guarded(call, route):
            if route.body_asks and not call.body:
                raise EmptyBody
            _check_query(call, route)
            answer = await route.handler(call)
        return _as_reply(answer, route)


def _as_reply(answer: Any, route: Route) -> Reply:
    if isinstance(answer, msgspec.Struct):
        return Rendered(_encode(answer), route.status)
    if isinstance(answer, bytes):
        return Rendered(answer, route.status)
    return answer


async def _body(call: Call, route: Route) -> Mapping[str, Any]:
    raw = await received(call)
    media_type = (call.header(b"content-type") or JSON).partition(b";")[0].strip().lower()
    if media_type.decode("latin-1") not in route.body_types:
        raise WrongContentType
    if not raw and route.body_optional:
        return {}
    return await off_loop(len(raw), lambda: decode(raw))


async def received(call: Call) -> bytes:
    """The whole body; raises BodyTooSlow, BodyTooLarge, and InvalidJson for one that ends before its length."""
    try:
        async with asyncio.timeout(call.services.settings.body_seconds):
            return await _received(call)
    except TimeoutError:
        raise BodyTooSlow from None


async def _received(call: Call) -> bytes:
    """The complete body; a body that ends early is refused, even if its first part is valid."""
    declared = call.header(b"content-length") or b"0"
    # 64-bit numbers have at most 20 digits, and Python parses only a few thousand
    if declared.isdigit() and int(declared[:20]) > BODY_LIMIT:
        raise BodyTooLarge
    raw = bytearray()
    more = True
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise InvalidJson  # a client that disconnected gets no response; one that only stopped sending gets one
        raw += message.get("body", b"")
        more = message.get("more_body", False)
        if len(raw) > BODY_LIMIT:
            raise BodyTooLarge
    return bytes(raw)


def _ids(path_parameters: Mapping[str, str], route: Route) -> Mapping[str, str]:
    """The path's UUIDs in lower case; the wire calls the last one `id`, those before it `connectionId`."""
    names = route.path_parameters
    for name in names:
        if not UUID.fullmatch(path_parameters[name]):
            raise InvalidId("id" if name == names[-1] else "connectionId")
    return {name: value.lower() for name, value in path_parameters.items()}


def _check_query(call: Call, route: Route) -> None:
    """Raise UnknownKeys for query parameters that the route does not declare, so that typos are reported."""
    if call.query_string:
        known = {parameter.name for parameter in route.parameters if parameter.place == "query"}
        unknown = [name for name in call.query() if name not in known]
        if unknown:
            raise UnknownKeys(unknown)


@contextlib.asynccontextmanager
async def _guarded(call: Call, route: Route) -> AsyncGenerator[None]:
    """The context of the handler: the route's transaction, with its permission checked."""
    if route.admin:
        call.actor.require_admin()
    if route.kind == "free":
        if route.permission is not None:
            found = await connections.kept(call.services.db, call.version.access, call.ids["id"])
            call.subject = connections.require(call.actor, found, route.permission)
        yield
        return
    db = call.services.db
    async with db.unit_of_work() if route.writes else db.reading() as session:
        call.transaction = session
        if route.permission is not None:
            call.subject = await _permitted(call, route, session)
        yield
    for act in call.after_commit:
        await act()


async def _permitted(call: Call, route: Route, session: AsyncSession) -> Connection:
    assert route.permission is not None  # noqa: S101
    return await connections.permitted(session, call.actor, call.ids["id"], route.permission)


def endpoints(services: Services, routes: Iterable[Route]) -> list[StarletteRoute]:
    """The declared routes, as Starlette serves them: one endpoint a path."""
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.location, []).append(route)
    # Paths without parameters first: `/connections/test` is not the id of a connection.
    ordered = sorted(by_path.items(), key=lambda item: item[0].count("{"))
    return [StarletteRoute(path, Endpoint(services, path, found)) for path, found in ordered]


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """The response for every unknown path, for any method and key."""
    if scope["type"] == "http":
        found = problems.problem(NotFound())
        headers = [(b"content-type", JSON)]
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else _encode(found)})
