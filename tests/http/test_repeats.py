"""Idempotency-Key: a request that is sent again does nothing more, and is answered as it was."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import duckdb
import httpx
import pytest
from sqlalchemy import update

from moorings.access import service as access
from moorings.access.models import RepeatableRequest
from tests.conftest import TOKEN

REPLAYED = "idempotency-replayed"
BODY = {
    "dialect": "postgres",
    "name": "n",
    "host": "h",
    "database": "d",
    "username": "u",
    "passwordUnencrypted": "p4ss",
}


def send(service: Any, name: str, path: str = "/connections", body: Any = BODY, **how: Any) -> httpx.Response:
    return service.request("POST", path, json=body, headers={"idempotency-key": name}, **how)


def new() -> str:
    return uuid.uuid4().hex


def count(service: Any) -> int:
    return len(service.request("GET", "/connections?includeDeleted=true").json()["connections"])


class TestRepeats:
    def test_a_repeated_request_gets_the_first_answer_and_creates_nothing(self, service: Any):
        name = new()
        first = send(service, name)
        before = count(service)
        again = send(service, name)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
        assert count(service) == before

    def test_the_order_of_fields_is_the_same_request(self, service: Any):
        name = new()
        first = send(service, name)
        assert send(service, name, body=dict(reversed(BODY.items()))).json() == first.json()

    def test_without_a_key_each_request_creates(self, service: Any):
        made = [service.request("POST", "/connections", json=BODY).json()["data"] for _ in range(2)]
        assert len(set(made)) == 2

    @pytest.mark.parametrize("other", [BODY | {"name": "m"}, BODY | {"passwordUnencrypted": "other"}])
    def test_another_request_under_the_key_is_refused(self, service: Any, other: Any):
        name = new()
        send(service, name)
        answer = send(service, name, body=other)
        detail = "This Idempotency-Key came with another request before"
        assert (answer.status_code, answer.json()) == (422, {"detail": detail, "status": 422})
        assert send(service, name, "/user-attributes", {"name": f"a{new()}"}).status_code == 422

    @pytest.mark.parametrize(
        ("first", "second"), [("", "?test=false"), ("?test=true", ""), ("?test=true", "?test=false")]
    )
    def test_the_same_body_with_another_query_is_another_request(self, service: Any, first: str, second: str):
        name, body = new(), {"dialect": "duckdb", "name": "n", "database": ":memory:", "readOnly": False}
        assert send(service, name, f"/connections{first}", body).status_code == 201
        assert send(service, name, f"/connections{second}", body).status_code == 422

    def test_what_failed_may_be_tried_again(self, service: Any):
        name = new()
        assert send(service, name, body=BODY | {"port": 0}).status_code == 400
        assert send(service, name).status_code == 201

    def test_another_caller_has_keys_of_their_own(self, service: Any):
        async def making(session: Any) -> str:
            return await access.create_key(session, await access.the_organization(session), "another")

        name, other = new(), service.change(making)
        assert send(service, name).json() != send(service, name, key=other).json()

    @pytest.mark.parametrize("name", ["", " ", "x" * 256, "a b"])
    def test_keys_are_visible_ascii(self, service: Any, name: str):
        answer = send(service, name)
        detail = "Bad Request: Idempotency-Key: Expected 1 to 255 visible ASCII characters"
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})

    def test_sent_at_once_it_is_done_once(self, service: Any):
        name, before = new(), count(service)
        headers = {"authorization": f"Bearer {TOKEN}", "idempotency-key": name}

        async def together() -> list[httpx.Response]:
            sending = (service.client.post("/api/v1/connections", json=BODY, headers=headers) for _ in range(6))
            return await asyncio.gather(*sending)

        answers = service.run(together())
        assert [answer.status_code for answer in answers] == [201] * 6
        assert len({answer.json()["data"] for answer in answers}) == 1
        assert count(service) == before + 1

    def test_a_day_later_the_key_is_free(self, service: Any):
        name = new()
        first = send(service, name)
        service.change(lambda session: session.execute(update(RepeatableRequest).values(created_at=1)))
        assert send(service, name).json() != first.json()

    def test_with_a_test_first_a_repeat_does_not_test_again(self, service: Any):
        name, made = new(), service.settings.duckdb_directory / "once.duckdb"
        body = {"dialect": "duckdb", "name": "n", "database": "once.duckdb"}

        duckdb.connect(str(made)).close()
        first = send(service, name, "/connections?test=true", body)
        assert first.status_code == 201, first.text
        made.write_bytes(b"no database any more")
        assert send(service, name, "/connections?test=true", body).json() == first.json()

    def test_on_the_other_posts_that_create(self, service: Any):
        base, other = service.create(), service.create()
        bodies = {
            "/connection-environments": {"baseConnectionId": base, "environmentConnectionIds": other},
            "/user-attributes": {"name": f"a{new()}"},
        }
        for path, body in bodies.items():
            name = new()
            first, again = (send(service, name, path, body) for _ in range(2))
            assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        service.request("DELETE", f"/connections/{base}")
        name = new()
        first, again = (send(service, name, f"/connections/{base}/restore", {}) for _ in range(2))
        assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
