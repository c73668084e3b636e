"""Bad input: every answer has the contract's shape, and none is a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest

LARGEST = 1024 * 1024
POSTGRES = {
    "dialect": "postgres",
    "name": "n",
    "host": "h",
    "database": "d",
    "username": "u",
    "passwordUnencrypted": "p",
}
INVALID_JSON = "Bad Request: Invalid JSON"


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def padded(length: int) -> bytes:
    return json.dumps(POSTGRES).encode().ljust(length)


def repeated(key: str) -> bytes:
    return json.dumps(POSTGRES).encode()[:-1] + f', "{key}": "again"}}'.encode()


BODIES: list[tuple[str, bytes, int, str]] = [
    ("one byte over 1 MiB", padded(LARGEST + 1), 413, "Request body is too large"),
    ("far over 1 MiB", padded(5 * LARGEST), 413, "Request body is too large"),
    ("invalid UTF-8", b'{"dialect": "\xff"}', 400, INVALID_JSON),
    ("UTF-16", '{"dialect": "postgres"}'.encode("utf-16"), 400, INVALID_JSON),
    ("a raw NUL", b'{"dialect": "\0"}', 400, INVALID_JSON),
    ("nothing but a NUL", b"\0", 400, INVALID_JSON),
    ("nesting of 65", nested(65), 400, INVALID_JSON),
    ("nesting of 100,000", nested(100_000), 400, INVALID_JSON),
    ("a duplicate key", repeated("name"), 400, INVALID_JSON),
    ("a duplicate secret", repeated("passwordUnencrypted"), 400, INVALID_JSON),
    ("a duplicate key further down", b'{"a": {"b": 1, "b": 2}}', 400, INVALID_JSON),
    ("NaN", b'{"port": NaN}', 400, INVALID_JSON),
    ("Infinity", b'{"port": -Infinity}', 400, INVALID_JSON),
    ("a number beyond double", b'{"port": 1e999}', 400, INVALID_JSON),
    ("a number of 5,000 digits", b'{"port": ' + b"9" * 5000 + b"}", 400, INVALID_JSON),
    ("zero bytes", b"", 400, INVALID_JSON),
    ("no JSON", b"name=n", 400, INVALID_JSON),
    ("cut JSON", b'{"dialect": "post', 400, INVALID_JSON),
    ("a byte order mark", b"\xef\xbb\xbf{}", 400, INVALID_JSON),
    ("an array", b"[]", 400, "Bad Request: Expected object, received array"),
    ("null", b"null", 400, "Bad Request: Expected object, received null"),
]

FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name: String must contain at least 1 character(s)"),
    ({"name": "x" * 256}, "name: String must contain at most 255 character(s)"),
    ({"name": "a\0b"}, "name: Invalid input"),
    ({"name": "\ud800"}, "name: Invalid input"),
    ({"database": "\0"}, "database: Invalid input"),
    ({"passwordUnencrypted": "\0"}, "passwordUnencrypted: Invalid input"),
    ({"port": 0}, "port: Number must be greater than or equal to 1"),
    ({"port": 65536}, "port: Number must be less than or equal to 65535"),
    ({"port": 10**400}, "port: Number must be less than or equal to 65535"),
    ({"port": -(10**400)}, "port: Number must be greater than or equal to 1"),
    ({"port": 1e308}, "port: Number must be less than or equal to 65535"),
    ({"port": 5432.5}, "port: Expected integer, received float"),
    ({"queryTimeoutSeconds": 2**63}, "queryTimeoutSeconds: Number must be less than or equal to 3600"),
]

# To a DuckDB in memory: what the body says, and what it gets.
QUERIES: list[tuple[dict[str, Any], str]] = [
    ({"sql": "x" * 500_001}, "sql: String must contain at most 500000 character(s)"),
    ({"sql": ""}, "sql: String must contain at least 1 character(s)"),
    ({"sql": "SELECT '\0'"}, "sql: Invalid input"),
    ({"sql": "SELECT '\ud800'"}, "sql: Invalid input"),
    ({}, "sql: Required"),
    ({"sql": "SELECT 1", "rowLimit": 0}, "rowLimit: Number must be greater than or equal to 1"),
    ({"sql": "SELECT 1", "rowLimit": 1.5}, "rowLimit: Expected integer, received float"),
    ({"sql": "SELECT 1", "timeoutSeconds": 0}, "timeoutSeconds: Number must be greater than or equal to 1"),
    ({"sql": "SELECT ?", "parameters": [{}]}, "parameters.0: Invalid input"),
    ({"sql": "SELECT ?", "parameters": ["\0"]}, "parameters.0: Invalid input"),
    ({"sql": "SELECT ?", "parameters": "a"}, "parameters: Expected array, received string"),
]


@pytest.fixture(scope="module")
def memory(service) -> str:
    answer = service.request(
        "POST", "/connections", json={"dialect": "duckdb", "name": "m", "database": ":memory:", "readOnly": False}
    )
    return answer.json()["data"]


class TestBodies:
    @pytest.mark.parametrize(("body", "status", "detail"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
    def test_are_refused_in_the_contracts_shape(self, service, body, status, detail):
        answer = service.request("POST", "/connections", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()) == (status, {"detail": detail, "status": status})

    @pytest.mark.parametrize(("method", "path"), [("PATCH", "/connections/{id}"), ("POST", "/connections/{id}/query")])
    @pytest.mark.parametrize(("body", "status", "detail"), [row[1:] for row in BODIES if row[1]])
    def test_are_refused_by_the_other_operations_too(self, service, memory, method, path, body, status, detail):
        answer = service.request(method, path.format(id=memory), content=body)
        assert (answer.status_code, answer.json()) == (status, {"detail": detail, "status": status})

    def test_1_mib_is_accepted(self, service):
        assert service.request("POST", "/connections", content=padded(LARGEST)).status_code == 201

    def test_nesting_of_64_is_json(self, service):
        answer = service.request("POST", "/connections", content=nested(64))
        assert answer.json()["detail"] == "Bad Request: dialect: Required"

    def test_a_body_that_does_not_tell_its_length_is_measured_as_it_comes(self, service, raw):
        parts = [b" " * 300_000 for _ in range(4)]
        status, body = raw(service, "POST", "/api/v1/connections", parts=parts)
        assert (status, body["detail"]) == (413, "Request body is too large")

    @pytest.mark.parametrize("length", [b"-1", b"x", b"", b"9" * 5000])
    def test_a_length_that_is_no_number(self, service, raw, length):
        status, _ = raw(service, "POST", "/api/v1/connections", parts=[b"{}"], headers=[(b"content-length", length)])
        assert status in {400, 413}

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ";"],
    )
    def test_another_content_type_is_415(self, service, content_type):
        headers = {"content-type": content_type}
        answer = service.request("POST", "/connections", content=json.dumps(POSTGRES), headers=headers)
        assert answer.json() == {"detail": "Content type must be application/json", "status": 415}

    @pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", None])
    def test_json_is_taken(self, service, content_type):
        headers = {"content-type": content_type} if content_type else {}
        answer = service.request("POST", "/connections", content=json.dumps(POSTGRES), headers=headers)
        assert answer.status_code == 201


class TestFields:
    @pytest.mark.parametrize(("fields", "detail"), FIELDS)
    def test_are_named(self, service, fields, detail):
        content = json.dumps(POSTGRES | fields)
        answer = service.request("POST", "/connections", content=content)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    @pytest.mark.parametrize(("fields", "detail"), QUERIES)
    def test_of_a_query_are_named(self, service, memory, fields, detail):
        answer = service.request("POST", f"/connections/{memory}/query", content=json.dumps(fields))
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    @pytest.mark.parametrize(
        "value", [10**30, -(10**30), 2**63, 2**64, 10**4000, 1e308, 5e-324, -0.0, "😀", "", None, True]
    )
    def test_no_parameter_breaks_the_service(self, service, memory, value):
        body = {"sql": "SELECT ? AS x", "parameters": [value]}
        answer = service.request(
            "POST", f"/connections/{memory}/query", content=json.dumps(body), headers={"accept": "application/json"}
        )
        assert answer.status_code in {200, 400}
        if answer.status_code == 400:
            assert answer.json()["status"] == 400

    def test_a_huge_row_limit_is_only_large(self, service, memory):
        body = {"sql": "SELECT 1", "rowLimit": 10**4000}
        answer = service.request("POST", f"/connections/{memory}/query", content=json.dumps(body))
        assert answer.status_code in {200, 400}

    def test_an_unknown_key_may_be_anything(self, service):
        for key in ("\ud800", "\0", "'", "x" * 100_000, ""):
            answer = service.request("POST", "/connections", content=json.dumps(POSTGRES | {key: 1}))
            assert answer.status_code == 400
            assert answer.json()["detail"].startswith("Bad Request: formErrors: Unrecognized key(s) in object: '")


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/connections/",
            "/connections//",
            "/Connections",
            "/connections/x/y/z",
            "/connections%2F",
            "/",
            "",
            "/../health",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
    def test_unknown_ones_are_404_whatever_the_method_and_key(self, service, method, path):
        for key in (None, "wrong"):
            answer = service.request(method, path, key=key)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Not found", "status": 404})
            assert not answer.is_redirect

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "X" * 1000])
    def test_a_wrong_method_is_400_whatever_the_key(self, service, method):
        for key in (None, "wrong"):
            answer = service.request(method, "/connections", key=key)
            assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid method", "status": 400})

    @pytest.mark.parametrize("path", ["/connections", "/connections/{id}"])
    def test_head_is_get_without_its_body(self, service, memory, path):
        path = path.format(id=memory)
        get, head = service.request("GET", path), service.request("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        own = "moorings-request-id"
        assert {**head.headers, own: ""} == {**get.headers, own: ""}

    @pytest.mark.parametrize("sent", ["x", "1", "%00", "%ff", "00000000000040008000000000000000", "{id}x", "{{id}}"])
    def test_a_malformed_id(self, service, memory, sent):
        answer = service.request("GET", f"/connections/{sent.format(id=memory)}")
        assert answer.json() == {"detail": "Bad Request: id: Invalid uuid", "status": 400}

    def test_an_id_in_upper_case_is_the_same(self, service, memory):
        assert service.request("GET", f"/connections/{memory.upper()}").json()["connection"]["id"] == memory

    @pytest.mark.parametrize("header", [b"Bearer \xff\xfe", b"Bearer \0", b"\xff", b"Bearer " + b"x" * 60_000])
    def test_a_header_of_any_bytes(self, service, raw, header):
        status, body = raw(service, "GET", "/api/v1/connections", key=header)
        assert (status, body["status"]) in {(401, 401), (403, 403)}

    @pytest.mark.parametrize("query", [b"%", b"%zz=1", b"\xff\xfe", b"&&&", b"=", b"name=%ff", b"name", b"a" * 60_000])
    def test_a_query_of_any_bytes(self, service, raw, query):
        status, _ = raw(service, "GET", "/api/v1/connections", query=query)
        assert status in {200, 400}
