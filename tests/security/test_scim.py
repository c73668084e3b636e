"""Hostile SCIM requests: each is refused in the standard's form, and none is a fault of the service."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access import groups
from moorings.access import service as access
from moorings.access.models import Organization

SCIM = "/api/scim/v2"
KEY = "organization-key-of-the-tests"
ERROR = ["urn:ietf:params:scim:api:messages:2.0:Error"]
EXTENSION = "urn:omni:params:1.0:UserAttribute"


@pytest.fixture(scope="module")
def service(serve: Any) -> Any:
    return serve(rate_limit="0")


def send(service: Any, method: str, path: str, body: Any = None) -> Any:
    token = service.settings.bootstrap_token.get_secret_value()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/scim+json"}
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    return service.run(service.client.request(method, SCIM + path, headers=headers, content=content))


def new_user(service: Any) -> dict[str, Any]:
    return send(service, "POST", "/Users", {"userName": f"{uuid.uuid4()}@example.com"}).json()


def refused(answer: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or (400,)), answer.text[:500]
    assert answer.json()["schemas"] == ERROR
    assert answer.headers["content-type"] == "application/scim+json"


LONG = "x" * 900_000
BODIES: dict[str, Any] = {
    "deep": b'{"userName": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "deep array": b"[" * 100_000,
    "not an object": b"[]",
    "no JSON": b"{",
    "nothing": b"",
    "no UTF-8": b'{"userName": "\xff"}',
    "key twice": b'{"userName": "a@example.com", "userName": "b@example.com"}',
    "key twice in another case": {"userName": "a@example.com", "USERNAME": "b@example.com"},
    "key twice with its schema": {
        "userName": "a@example.com",
        "urn:ietf:params:scim:schemas:core:2.0:User:userName": "b@example.com",
    },
    "NUL": {"userName": "a\0@example.com"},
    "NUL in what is not stored": {"userName": "a@example.com", "title": "\0"},
    "lone surrogate": b'{"userName": "a\\ud800@example.com"}',
    "NaN": b'{"userName": "a@example.com", "active": NaN}',
    "long name": {"userName": LONG},
    "long display name": {"userName": "a@example.com", "displayName": LONG},
    "long key": {"userName": "a@example.com", LONG: "x"},
    "dunder": {"userName": "a@example.com", "__class__": {"__init__": "x"}},
    "private": {"userName": "a@example.com", "__pydantic_fields_set__": []},
    "unknown schema": {"userName": "a@example.com", "urn:example:2.0:User": {"a": 1}},
    "unknown user attribute": {"userName": "a@example.com", EXTENSION: {"__class__": "x"}},
    "roles of objects": {"userName": "a@example.com", "roles": [{"value": {"value": "ORG_ADMIN"}}]},
    "huge number": b'{"userName": "a@example.com", "active": 1' + b"0" * 5000 + b"}",
}

OPERATIONS: dict[str, Any] = {
    "dunder": {"op": "replace", "path": "__class__", "value": "x"},
    "dunder below": {"op": "replace", "path": "name.__class__", "value": "x"},
    "dunder of a value": {"op": "replace", "value": {"__dict__": {}}},
    "model fields": {"op": "replace", "path": "model_fields", "value": {}},
    "field of the extension": {"op": "add", "path": f"{EXTENSION}:__class__.x", "value": "x"},
    "unknown schema": {"op": "add", "path": "urn:example:2.0:User:a", "value": "x"},
    "nested filter": {
        "op": "replace",
        "path": "roles[" + "(" * 200 + 'value eq "x"' + ")" * 200 + "].value",
        "value": "x",
    },
    "long path": {"op": "replace", "path": "roles[" + 'value eq "x" or ' * 1000 + 'value eq "y"].value', "value": "x"},
    "regex": {"op": "replace", "path": 'roles[value eq "(a+)+$"].primary', "value": "perhaps"},
    "NUL in a path": {"op": "replace", "path": "display\0Name", "value": "x"},
    "object as a path": {"op": "replace", "path": {"a": 1}, "value": "x"},
    "array as an operation": {"op": ["replace"], "path": "displayName", "value": "x"},
    "many keys": {"op": "replace", "value": {" " * place + "displayName": "x" for place in range(1000)}},
    "read-only": {"op": "replace", "path": "id", "value": str(uuid.uuid4())},
    "read-only groups": {"op": "add", "path": "groups", "value": [{"value": str(uuid.uuid4())}]},
    "object as a text": {"op": "replace", "path": "displayName", "value": {"$ne": None}},
    "array as a text": {"op": "replace", "path": "displayName", "value": ["x", "y"]},
    "remove by objects": {"op": "remove", "path": "roles", "value": [{"value": {"a": 1}}]},
}

FILTERS = {
    "negated": "not (" * 500 + "active eq true" + ")" * 500,
    "long": 'userName eq "' + "x" * 900_000 + '"',
    "many": " or ".join(['userName eq "x"'] * 400),
    "NUL": 'userName eq "\\u0000"',
    "lone surrogate": 'userName eq "\\ud800"',
    "dunder": '__class__ eq "x"',
    "dunder below": 'name.__init__ eq "x"',
    "quote": 'userName eq "a" or "1"="1"',
    "SQL": "userName eq 'x'; DROP TABLE users",
    "unknown schema": 'urn:example:2.0:User:a eq "x"',
    "object": "userName eq {}",
    "infinity": "active eq 1e999",
    "instant": 'meta.created gt "0000-00-00"',
    "nested value": 'emails[roles[value eq "x"]]',
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(service: Any, name: str):
    refused(send(service, "POST", "/Users", BODIES[name]))
    made = new_user(service)
    refused(send(service, "PUT", f"/Users/{made['id']}", BODIES[name]))
    refused(send(service, "PATCH", f"/Users/{made['id']}", BODIES[name]))
    assert send(service, "GET", f"/Users/{made['id']}").json() == made


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(service: Any, name: str):
    made = new_user(service)
    refused(send(service, "PATCH", f"/Users/{made['id']}", {"Operations": [OPERATIONS[name]]}))
    assert send(service, "GET", f"/Users/{made['id']}").json() == made


@pytest.mark.parametrize("name", FILTERS)
def test_filters(service: Any, name: str):
    started = time.monotonic()
    if len(FILTERS[name]) < 50_000:  # a server refuses a longer line before it is a request
        refused(send(service, "GET", f"/Users?filter={quote(FILTERS[name])}"))
    refused(send(service, "POST", "/Users/.search", {"filter": FILTERS[name]}))
    assert time.monotonic() - started < 5


def test_parentheses_nest_as_deep_as_a_filter_is_long(service: Any):
    expression = "(" * 1900 + "active eq true" + ")" * 1900
    assert send(service, "GET", f"/Users?filter={quote(expression)}").status_code == 200


@pytest.mark.parametrize("place", ["attributes", "excludedAttributes", "sortBy", "startIndex", "count"])
def test_other_parameters_are_bounded(service: Any, place: str):
    refused(send(service, "POST", "/Users/.search", {place: "x," * 20_000}))


@pytest.mark.parametrize("value", ["%", "_", "%_%", "(a+)+$", "[a-z]*", "\\", "'", '\\"'])
def test_no_character_is_a_pattern(service: Any, value: str):
    mark = uuid.uuid4().hex
    send(service, "POST", "/Users", {"userName": f"{uuid.uuid4()}@example.com", "displayName": f"{mark} plain"})
    for operator in ("co", "sw", "ew", "eq"):
        expression = f'displayName sw "{mark}" and displayName {operator} {json.dumps(value)}'
        assert send(service, "GET", f"/Users?filter={quote(expression)}").json()["totalResults"] == 0


def test_far_pages_are_empty(service: Any):
    new_user(service)
    for start in (10**12, 10**18, 10**30):
        answer = send(service, "GET", f"/Users?startIndex={start}&count={start}")
        assert (answer.status_code, answer.json()["itemsPerPage"]) == (200, 0)


def test_many_operations_are_refused(service: Any):
    made = new_user(service)
    operation = {"op": "replace", "path": "displayName", "value": "x"}
    refused(send(service, "PATCH", f"/Users/{made['id']}", {"Operations": [operation] * 1001}))


def test_more_than_a_megabyte_is_too_large(service: Any):
    refused(send(service, "POST", "/Users", {"userName": "x" * 1_100_000}), 413)


@pytest.mark.parametrize("path", ["/Users/%00", "/Users/a%2Fb", "/%00", "/__class__", "/Users/.search/x"])
def test_paths(service: Any, path: str):
    refused(send(service, "GET", path), 404, 405)


def test_what_belongs_to_another_organization_is_not_there(service: Any):
    async def making(session: AsyncSession) -> tuple[str, str]:
        other = Organization(id=str(uuid.uuid4()), name="Other", created_at=clock.now() + 1)
        session.add(other)
        await session.flush()
        user = await access.create_user(session, other.id, f"{uuid.uuid4()}@example.com", "U")
        return user.id, (await groups.add(session, other.id, "Theirs", members=[user.id])).id

    user, group = service.change(making)
    body = {"userName": "a@example.com", "displayName": "x"}
    operations = {"Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}
    for path in (f"/Users/{user}", f"/Groups/{group}"):
        for method, sent in (("GET", None), ("PUT", body), ("PATCH", operations), ("DELETE", None)):
            refused(send(service, method, path, sent), 404)
    by_id = quote('id eq "' + user + '"')
    assert send(service, "GET", f"/Users?filter={by_id}").json()["totalResults"] == 0
    refused(send(service, "POST", "/Groups", {"displayName": "x", "members": [{"value": user}]}))
    mine = send(service, "POST", "/Groups", {"displayName": f"{uuid.uuid4()}"}).json()
    added = {"Operations": [{"op": "add", "path": "members", "value": [{"value": user}]}]}
    refused(send(service, "PATCH", f"/Groups/{mine['id']}", added))
