"""SCIM's published test suites against the shipped service."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from scim2_client import BaseSyncSCIMClient
from scim2_tester import Status, check_server
from scim_sanity.probe import runner

from tests.processes.conftest import TOKEN

URL = "/api/scim/v2"


class Client(BaseSyncSCIMClient):
    """The client that scim2-tester drives, over HTTP."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self._client = client

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return endpoint.startswith(("/", str(self._client.base_url)))

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def request(self, method: str, url: str, **sent: Any) -> httpx.Response:
        return self._client.request(method, url, **sent)


SHOWN_TOO = "returned unexpected value for 'members'"


@pytest.fixture(scope="module")
def client(replica: Any) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=replica.serving.url + URL, headers=headers, timeout=60) as opened:
        yield opened


def checked(client: httpx.Client) -> list[Any]:
    return check_server(Client(client))


def errors(results: list[Any]) -> list[tuple[str, str]]:
    """What the tester objects to, but for `members[].display`: published clients need it, and the tester sends none."""
    wrong = [(each.title, str(each.reason)) for each in results if each.status in (Status.ERROR, Status.CRITICAL)]
    return [(title, reason) for title, reason in wrong if not (SHOWN_TOO in reason and "display=" in reason)]


class TestScim2Tester:
    def test_finds_no_error(self, client: httpx.Client):
        results = checked(client)
        assert errors(results) == []
        assert sum(each.status is Status.SUCCESS for each in results) >= 40

    def test_finds_none_with_a_user_attribute_either(self, replica: Any, client: httpx.Client):
        body = {"name": f"a_{uuid.uuid4().hex[:8]}"}
        assert replica.request("POST", "/user-attributes", json=body).status_code == 201
        results = checked(client)
        assert errors(results) == []
        assert any(body["name"] in str(each.reason) for each in results)


class TestScimSanity:
    def test_misses_a_member_who_does_not_exist_and_nothing_else(self, replica: Any):
        """The probe adds a member that it made up. Here members are users."""
        found = runner.run_probe_api(replica.serving.url + URL, token=TOKEN)
        wrong = [each["name"] for each in found["results"] if each["status"] in ("fail", "error")]
        assert wrong == ["PATCH /Groups/{id} add member"], found
