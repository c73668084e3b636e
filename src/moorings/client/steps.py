"""What a method does, written once for both clients, without any input or output of its own.

A method is a generator: it yields the requests that it needs and gets their answers, so it may need several (the id of
a name, then the resource). `Client` sends them and waits, `AsyncClient` sends them and awaits.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload
from urllib.parse import quote

T = TypeVar("T")
P = ParamSpec("P")
S = TypeVar("S")

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to be sent; `path` is below /api/v1, or begins with /api/."""

    method: str
    path: str
    json: Any = field(default=None, repr=False)
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def whole_path(self) -> str:
        """The path as it is sent."""
        return self.path if self.path.startswith("/api/") else PREFIX + self.path


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds to wait."""

    seconds: float


Steps = Generator[Request | Pause, Any, T]
"""Yields what it needs, is sent the decoded answers (or an error is thrown into it), returns the method's result."""


@dataclass(frozen=True, slots=True)
class Pages(Generic[T]):
    """A list that arrives page by page."""

    request: Request
    turn: Callable[[Request, Any], tuple[list[T], Request | None]]
    """The records of a page, and the request for the next one."""


class Blocking(Protocol):
    """A resource of the client that waits."""

    def run_steps(self, steps: Steps[T], /) -> T:
        """Perform the steps of a method."""
        ...

    def iterate(self, steps: Steps[Pages[T]], /) -> Iterator[T]:
        """Every record of a list."""
        ...


class Awaiting(Protocol):
    """A resource of the client that is awaited."""

    async def run_steps_async(self, steps: Steps[T], /) -> T:
        """Perform the steps of a method."""
        ...

    def iterate_async(self, steps: Steps[Pages[T]], /) -> AsyncIterator[T]:
        """Every record of a list."""
        ...


class method(Generic[S, P, T]):  # noqa: N801 - a decorator
    """A method of a resource: it returns its result in `Client`, and an awaitable of it in `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[S, P], Steps[T]]) -> None:
        self._steps = steps
        functools.update_wrapper(cast("Any", self), steps)

    @overload
    def __get__(self, instance: Blocking, owner: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: object = None) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(self, instance: None, owner: object = None) -> method[S, P, T]: ...
    def __get__(self, instance: Any, owner: object = None) -> Any:
        """The method of one resource."""
        if instance is None:
            return self

        @functools.wraps(self._steps)
        def bound(*arguments: P.args, **named: P.kwargs) -> Any:
            steps = self._steps(instance, *arguments, **named)
            run = getattr(instance, "run_steps", None)
            return run(steps) if run else instance.run_steps_async(steps)

        return bound


class listing(Generic[S, P, T]):  # noqa: N801 - a decorator
    """A list of a resource: an iterator over every record in `Client`, an asynchronous one in `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[S, P], Steps[Pages[T]]]) -> None:
        self._steps = steps
        functools.update_wrapper(cast("Any", self), steps)

    @overload
    def __get__(self, instance: Blocking, owner: object = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: object = None) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, instance: None, owner: object = None) -> listing[S, P, T]: ...
    def __get__(self, instance: Any, owner: object = None) -> Any:
        """The list of one resource."""
        if instance is None:
            return self

        @functools.wraps(self._steps)
        def bound(*arguments: P.args, **named: P.kwargs) -> Any:
            steps = self._steps(instance, *arguments, **named)
            iterate = getattr(instance, "iterate", None)
            return iterate(steps) if iterate else instance.iterate_async(steps)

        return bound


def at(*parts: str) -> str:
    """A path of these parts, each of them quoted."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def given(**values: Any) -> dict[str, Any]:
    """The values that were given: those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def pages(path: str, key: str = "records", **params: Any) -> Pages[Any]:
    """A list in the API's own pages: `pageInfo`, and records under a key."""

    def turn(request: Request, answer: Any) -> tuple[list[Any], Request | None]:
        info = answer["pageInfo"]
        cursor = {**(request.params or {}), "cursor": info["nextCursor"]}
        following = Request(request.method, request.path, params=cursor) if info["hasNextPage"] else None
        return answer[key], following

    return Pages(Request("GET", path, params={"pageSize": 100} | given(**params)), turn)


def scim_pages(path: str, **params: Any) -> Pages[Any]:
    """A list in SCIM's pages: `startIndex` and `totalResults`."""
    return Pages(Request("GET", path, params={"startIndex": 1, "count": 100} | given(**params)), _next_scim_page)


def _next_scim_page(request: Request, answer: Any) -> tuple[list[Any], Request | None]:
    found = answer["Resources"]
    params = dict(request.params or {})
    after = params["startIndex"] + len(found)
    if not found or after > answer["totalResults"]:
        return found, None
    return found, Request(request.method, request.path, params=params | {"startIndex": after})
