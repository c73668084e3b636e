"""Rate limits: by key, and for failed keys by address."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access

TOO_MANY = {"detail": "Too many requests", "status": 429}


def another_key(service: Any) -> str:
    async def making(session: AsyncSession) -> str:
        return await access.create_key(session, await access.the_organization(session), "k")

    return service.change(making)


def headers_of(answer: httpx.Response) -> tuple[int, int, int]:
    return tuple(int(answer.headers[f"ratelimit-{name}"]) for name in ("limit", "remaining", "reset"))


class TestByKey:
    def test_so_many_and_no_more_with_the_window_in_the_headers(self, serve: Callable[..., Any]):
        service = serve(rate_limit="5/hour")
        for remaining in (4, 3, 2, 1, 0):
            answer = service.request("GET", "/connections")
            assert answer.status_code == 200
            limit, left, reset = headers_of(answer)
            assert (limit, left) == (5, remaining)
            assert 0 < reset <= 3600
        refused = service.request("GET", "/connections")
        assert (refused.status_code, refused.json()) == (429, TOO_MANY)
        assert headers_of(refused)[:2] == (5, 0)
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        assert service.request("GET", "/connections", key=another_key(service)).status_code == 200

    def test_every_answer_to_a_good_key_counts_and_says_so(self, serve: Callable[..., Any]):
        service = serve(rate_limit="50/hour")
        sent = [
            ("POST", "/connections", {"dialect": "x"}),
            ("GET", "/connections/x", None),
            ("PATCH", "/connections/00000000-0000-4000-8000-000000000000", {"baseRole": "VIEWER"}),
            ("HEAD", "/connections", None),
        ]
        left = [headers_of(service.request(method, path, json=body))[1] for method, path, body in sent]
        assert left == [49, 48, 47, 46]

    def test_unknown_paths_and_wrong_methods_come_before_the_limit(self, serve: Callable[..., Any]):
        service = serve(rate_limit="1/hour")
        assert service.request("GET", "/connections").status_code == 200
        for _ in range(3):
            assert service.request("PUT", "/connections").status_code == 400
            assert service.request("GET", "/nothing").status_code == 404
        assert service.request("GET", "/connections").status_code == 429

    def test_retry_after_tells_when_to_come_back(self, serve: Callable[..., Any]):
        service = serve(rate_limit="1/second")
        for _ in range(20):
            answer = service.request("GET", "/connections")
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        time.sleep(1.1)
        assert service.request("GET", "/connections").status_code == 200

    def test_0_switches_limits_off(self, serve: Callable[..., Any]):
        service = serve(rate_limit="0", failed_key_limit="1/hour")
        answers = [service.request("GET", "/connections") for _ in range(100)]
        assert {answer.status_code for answer in answers} == {200}
        assert not [name for name in answers[0].headers if name.startswith("ratelimit")]
        assert {service.request("GET", "/connections", key="wrong").status_code for _ in range(5)} == {403}


@pytest.fixture
def limited(serve: Callable[..., Any]) -> Any:
    return serve(rate_limit="1000/hour", failed_key_limit="3/hour")


class TestFailedKeys:
    def test_are_limited_by_address_and_never_hold_back_a_good_key(self, limited):
        failed = [limited.request("GET", "/connections", key=f"wrong-{n}") for n in range(6)]
        assert [answer.status_code for answer in failed] == [403, 403, 403, 429, 429, 429]
        assert failed[3].json() == TOO_MANY
        assert 0 < int(failed[3].headers["retry-after"]) <= 3600
        assert limited.request("GET", "/connections").status_code == 200, "a good key from the same address"
        assert limited.request("GET", "/connections", key=None).status_code == 401, "no key is no failed key"

    @pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Bearer a b"])
    def test_a_header_that_brings_no_key_is_no_failed_one(self, limited, header):
        headers = {"authorization": header} if header else {}
        sent = [limited.request("GET", "/connections", key=None, headers=headers) for _ in range(6)]
        assert {answer.status_code for answer in sent} == {401}
        failed = [limited.request("GET", "/connections", key="wrong").status_code for _ in range(4)]
        assert failed == [403, 403, 403, 429]

    def test_another_address_is_not_held_back(self, limited):
        for expected in (403, 403, 403, 429):
            assert limited.request("GET", "/connections", key="wrong").status_code == expected
        transport = httpx.ASGITransport(limited.client._transport.app, client=("192.0.2.7", 1))
        headers = {"authorization": "Bearer wrong"}

        async def from_there() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://moorings") as client:
                return await client.get("/api/v1/connections", headers=headers)

        assert limited.run(from_there()).status_code == 403
