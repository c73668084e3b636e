"""CONTRACT section 0: what is checked first, every pair of it.

unknown path 404 → wrong method 400 → key → rate limit → body size 413, content type 415 → JSON → path UUID 400 →
visible? 404 → role 403 → archived 410 → empty body → fields.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from moorings.access.policy import Role

UNKNOWN_KEY = "moo_osk_never_made"
UNKNOWN = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
"""An id of nothing; the same in every run, since it is part of a test's name."""


class Violation(NamedTuple):
    """One thing wrong with a request: what it sets, each in a slot of its own, and the answer to it alone."""

    name: str
    sets: dict[str, Any]
    status: int
    detail: str


BIG = b'{"baseRole": "' + b"x" * 1024 * 1024 + b'"}'
IN_ORDER = [
    Violation("unknown path", {"prefix": "/connectionz"}, 404, "Not found"),
    Violation("trailing slash", {"suffix": "/"}, 404, "Not found"),
    Violation("wrong method", {"method": "PUT"}, 400, "Invalid method"),
    Violation("OPTIONS", {"method": "OPTIONS"}, 400, "Invalid method"),
    Violation("no key", {"key": None}, 401, "Authentication required"),
    Violation("unknown key", {"key": UNKNOWN_KEY}, 403, "Invalid bearer token"),
    Violation("rate limit", {"limited": True}, 429, "Too many requests"),
    Violation("too large", {"content": BIG}, 413, "Request body is too large"),
    Violation("content type", {"type": "text/plain"}, 415, "Content type must be application/json"),
    Violation("JSON", {"content": b"{"}, 400, "Bad Request: Invalid JSON"),
    Violation("no object", {"content": b"[]"}, 400, "Bad Request: Expected object, received array"),
    Violation("UUID", {"target": "x"}, 400, "Bad Request: id: Invalid uuid"),
    Violation("unknown id", {"target": UNKNOWN}, 404, "Connection not found"),
    Violation("invisible", {"key": "stranger"}, 404, "Connection not found"),
    Violation("role", {"key": "viewer"}, 403, "Permission denied"),
    Violation("archived", {"target": "archived"}, 410, "Connection is archived"),
    Violation("empty object", {"content": b"{}"}, 400, "Bad Request: Empty request body"),
    Violation("zero bytes", {"content": b""}, 400, "Bad Request: Empty request body"),
    Violation(
        "unknown parameter", {"query": "?x=1"}, 400, "Bad Request: formErrors: Unrecognized key(s) in object: 'x'"
    ),
    Violation(
        "unknown field",
        {"content": b'{"a": 1, "baseRole": "x"}'},
        400,
        "Bad Request: formErrors: Unrecognized key(s) in object: 'a'",
    ),
    Violation("field", {"content": b'{"baseRole": "x"}'}, 400, "Bad Request: baseRole: Invalid enum value"),
]
PAIRS = [
    (first, second)
    for first, second in itertools.combinations(IN_ORDER, 2)
    if not first.sets.keys() & second.sets.keys()
]


class World(NamedTuple):
    service: Any
    names: dict[str, str]


def world(service: Any) -> World:
    """A connection, an archived one, and the keys of two members."""
    usual = service.create(baseRole="NO_ACCESS")
    archived = service.create(baseRole="NO_ACCESS")
    service.archive(archived)
    viewer = service.member(**{usual: Role.VIEWER, archived: Role.VIEWER})
    return World(service, {"usual": usual, "archived": archived, "viewer": viewer, "stranger": service.member()})


@pytest.fixture(scope="module")
def unlimited(service: Any) -> World:
    return world(service)


@pytest.fixture(scope="module")
def limited(serve: Callable[..., Any]) -> World:
    """A service whose keys have used up their requests of the day."""
    made = world(serve(rate_limit="2/day", failed_key_limit="10000/day"))
    for key in (None, made.names["viewer"], made.names["stranger"]):
        for _ in range(3):
            made.service.request("GET", "/connections", **({"key": key} if key else {}))
    return made


def send(unlimited: World, limited: World, *violations: Violation) -> Any:
    usual = {
        "prefix": "/connections",
        "suffix": "",
        "query": "",
        "method": "PATCH",
        "key": "admin",
        "limited": False,
        "content": b'{"baseRole": "VIEWER"}',
        "type": "application/json",
        "target": "usual",
    }
    for violation in violations:
        usual |= violation.sets
    service, names = limited if usual["limited"] else unlimited
    path = f"{usual['prefix']}/{names.get(usual['target'], usual['target'])}{usual['suffix']}{usual['query']}"
    key = {} if usual["key"] == "admin" else {"key": names.get(usual["key"], usual["key"])}
    return service.request(
        usual["method"], path, content=usual["content"], headers={"content-type": usual["type"]}, **key
    )


def titled(violations: tuple[Violation, ...]) -> str:
    return " before ".join(violation.name for violation in violations)


class TestOrder:
    @pytest.mark.parametrize("violation", IN_ORDER, ids=lambda violation: violation.name)
    def test_alone(self, unlimited: World, limited: World, violation: Violation) -> None:
        answer = send(unlimited, limited, violation)
        assert (answer.status_code, answer.json()) == (
            violation.status,
            {"detail": violation.detail, "status": violation.status},
        )

    @pytest.mark.parametrize("pair", PAIRS, ids=titled)
    def test_pair(self, unlimited: World, limited: World, pair: tuple[Violation, Violation]) -> None:
        answer = send(unlimited, limited, *pair)
        assert (answer.status_code, answer.json()["detail"]) == (pair[0].status, pair[0].detail)

    def test_nothing_wrong(self, unlimited: World, limited: World) -> None:
        assert send(unlimited, limited).status_code == 200

    def test_pairs_are_many(self) -> None:
        assert len(PAIRS) > 100


NO_HEADERS = ["", "Bearer", "Bearer ", "Basic x", "x", "Bearer a b"]


class TestKeys:
    """Missing or malformed header: 401. Unknown, disabled or revoked key: 403 `Invalid bearer token`."""

    @pytest.mark.parametrize("header", NO_HEADERS)
    def test_malformed_header(self, service: Any, header: str) -> None:
        answer = service.request("GET", "/connections", key=None, headers={"authorization": header})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Authentication required", "status": 401})

    @pytest.mark.parametrize("key", ["x", "moo_osk_", "moo_pat_" + "a" * 43, "\xff"])
    def test_unknown_key(self, service: Any, key: str) -> None:
        headers = {"authorization": f"Bearer {key}".encode("latin-1")}
        answer = service.request("GET", "/connections", key=None, headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"detail": "Invalid bearer token", "status": 403})

    def test_scheme_in_any_case(self, service: Any) -> None:
        from_header = service.request("GET", "/connections").request.headers["authorization"]
        lower = from_header.replace("Bearer", "bearer")
        assert service.request("GET", "/connections", key=None, headers={"authorization": lower}).status_code == 200

    def test_members_may_not_create(self, service: Any) -> None:
        answer = service.request("POST", "/connections", key=service.member(), json={"dialect": "nonsense"})
        assert (answer.status_code, answer.json()) == (403, {"detail": "Permission denied", "status": 403})


PATHS = ["", "/", "/connection", "/connections/", "/connections/x/y", "/Connections", "/connections//", "/%00"]
METHODS = [
    ("PUT", "/connections"),
    ("DELETE", "/connections"),
    ("PATCH", "/connections"),
    ("OPTIONS", "/connections"),
    ("TRACE", "/connections"),
    ("BREW", "/connections"),
    ("POST", f"/connections/{UNKNOWN}"),
    ("PUT", "/connections/x"),
    ("OPTIONS", "/connections/x"),
    ("GET", "/connections/test"),
]


class TestPathsAndMethods:
    """unknown path 404 `Not found`; a trailing slash is an unknown path, no redirects; wrong method 400."""

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_unknown_path(self, service: Any, method: str, path: str) -> None:
        answer = service.request(method, path, key=None)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found", "status": 404})

    @pytest.mark.parametrize(("method", "path"), METHODS)
    def test_wrong_method(self, service: Any, method: str, path: str) -> None:
        answer = service.request(method, path, key=None)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid method", "status": 400})

    def test_head_goes_with_get(self, service: Any) -> None:
        got, head = (service.request(method, "/connections") for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


class TestContentTypes:
    @pytest.mark.parametrize("given", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
    def test_json(self, service: Any, given: str) -> None:
        answer = service.request("POST", "/connections", content=b"{}", headers={"content-type": given})
        assert answer.json()["detail"] == "Bad Request: dialect: Required"

    @pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "x"])
    def test_others(self, service: Any, given: str) -> None:
        answer = service.request("POST", "/connections", content=b"{}", headers={"content-type": given})
        assert answer.status_code == 415

    def test_a_body_of_one_mebibyte_is_read(self, service: Any) -> None:
        content = b'{"dialect": "x"' + b" " * (1024 * 1024 - 16) + b"}"
        assert len(content) == 1024 * 1024
        answer = service.request("POST", "/connections", content=content, headers={"content-type": "application/json"})
        assert answer.json()["detail"] == "Invalid connection dialect"


class TestRateLimit:
    """429 `Too many requests`, with `Retry-After` (seconds) and `RateLimit-Limit/-Remaining/-Reset`."""

    def test_over_it(self, serve: Callable[..., Any]) -> None:
        service = serve(rate_limit="3/day")
        left = [service.request("GET", "/connections").headers["ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        answer = service.request("GET", "/connections")
        assert (answer.status_code, answer.json()) == (429, {"detail": "Too many requests", "status": 429})
        assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == ("3", "0")
        assert 28_000 < int(answer.headers["retry-after"]) <= 28_800  # the next one of three a day
        assert 86_000 < int(answer.headers["ratelimit-reset"]) <= 86_400  # all of them

    def test_failed_keys_are_limited_and_hold_back_no_valid_one(self, serve: Callable[..., Any]) -> None:
        service = serve(rate_limit="10/day", failed_key_limit="2/day")
        statuses = [service.request("GET", "/connections", key=f"guess-{number}").status_code for number in range(4)]
        assert statuses == [403, 403, 429, 429]
        assert service.request("GET", "/connections").status_code == 200

    def test_each_key_has_its_own(self, serve: Callable[..., Any]) -> None:
        service = serve(rate_limit="1/day")
        other = service.member()
        statuses = [
            service.request("GET", "/connections", **key).status_code
            for key in ({}, {}, {"key": other}, {"key": other})
        ]
        assert statuses == [200, 429, 200, 429]

    def test_off(self, service: Any) -> None:
        answer = service.request("GET", "/connections")
        assert not [name for name in answer.headers if name.startswith("ratelimit")]
