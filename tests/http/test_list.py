"""GET /connections beyond the simple cases: letters of every script, ordinary wildcards, order."""

from __future__ import annotations

from typing import Any

import pytest

# The order of `sortField=name` is that of the case-folded names.
NAMES = [
    "100% sure",
    "100 percent",
    "a_b",
    "aXb",
    "İstanbul",
    "istanbul",
    "STRASSE",
    "straße",
    "Ünder",
    "日本",
    "Café",
    "ﬂow",
]


@pytest.fixture(scope="module")
def stocked(service) -> Any:
    for name in NAMES:
        service.create(name=name, database=f"db of {name}")
    return service


def names(service: Any, **query: Any) -> list[str]:
    answer = service.request("GET", "/connections", params=query)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["connections"]]


def row(service: Any, **query: Any) -> list[dict[str, Any]]:
    return service.request("GET", "/connections", params=query).json()["connections"]


class TestContains:
    @pytest.mark.parametrize(
        ("sought", "found"),
        [
            ("STRASSE", {"STRASSE", "straße"}),
            ("straße", {"STRASSE", "straße"}),
            ("ß", {"STRASSE", "straße"}),
            ("ü", {"Ünder"}),
            ("ÜNDER", {"Ünder"}),
            ("İ", {"İstanbul", "istanbul"}),
            ("ISTANBUL", {"İstanbul", "istanbul"}),
            ("cafe\u0301", {"Café"}),
            ("CAF\u00c9", {"Café"}),
            ("cafe", set()),
            ("ﬂ", {"ﬂow"}),
            ("FLOW", {"ﬂow"}),
            ("stanbul", {"İstanbul", "istanbul"}),
            ("本", {"日本"}),
            ("%", {"100% sure"}),
            ("0%", {"100% sure"}),
            ("_", {"a_b"}),
            ("A_B", {"a_b"}),
            ("\\", set()),
            ("'", set()),
            ("\0", set()),
            ("", set(NAMES)),
        ],
    )
    @pytest.mark.parametrize("field", ["name", "database"])
    def test_in_any_case_and_wildcards_are_ordinary(self, stocked, field, sought, found):
        assert set(names(stocked, **{field: sought})) & set(NAMES) == found

    def test_letters_that_a_client_did_not_escape(self, stocked, raw):
        status, body = raw(stocked, "GET", "/api/v1/connections", query="name=ünder".encode())
        assert (status, [each["name"] for each in body["connections"]]) == (200, ["Ünder"])

    def test_both_filters_must_hold(self, stocked):
        assert names(stocked, name="a", database="db of a_") == ["a_b"]


class TestOrder:
    def test_ignores_case(self, stocked):
        in_order = sorted(NAMES, key=lambda name: name.casefold())
        listed = [name for name in names(stocked) if name in NAMES]
        assert [name.casefold() for name in listed] == [name.casefold() for name in in_order]
        listed = [name for name in names(stocked, sortDirection="desc") if name in NAMES]
        assert [name.casefold() for name in listed] == [name.casefold() for name in reversed(in_order)]

    @pytest.mark.parametrize("direction", ["asc", "desc"])
    def test_those_without_a_database_come_last_and_ties_go_by_id(self, service, direction):
        mark = f"tied {direction}"
        for database in (None, "b", "A", "a", None, "B"):
            body = {"dialect": "clickhouse", "name": mark} | ({"database": database} if database else {})
            answer = service.request(
                "POST", "/connections", json=body | {"host": "h", "username": "u", "passwordUnencrypted": "p"}
            )
            assert answer.status_code == 201, answer.text
        listed = row(service, name=mark, sortField="database", sortDirection=direction)
        folded = [each["database"].lower() if each["database"] else None for each in listed]
        first, second = ("a", "b") if direction == "asc" else ("b", "a")
        assert folded == [first, first, second, second, None, None]
        ids = [each["id"] for each in listed]
        assert all(ids[start] < ids[start + 1] for start in (0, 2, 4))

    @pytest.mark.parametrize("direction", ["asc", "desc"])
    @pytest.mark.parametrize("field", ["name", "dialect"])
    def test_same_names_go_by_id(self, service, field, direction):
        mark = f"same {field} {direction}"
        made = [service.create(name=mark) for _ in range(5)]
        listed = [each["id"] for each in row(service, name=mark, sortField=field, sortDirection=direction)]
        assert listed == sorted(made)


class TestArchived:
    @pytest.mark.parametrize("spelled", ["true", "True", "1"])
    def test_are_listed_on_request(self, service, spelled):
        archived = service.create(name="gone")
        service.archive(archived)
        found = {each["id"]: each for each in row(service, includeDeleted=spelled)}
        assert found[archived]["deletedAt"] == "2023-11-14T22:13:20.000Z"

    @pytest.mark.parametrize("spelled", ["false", "False", "0", "", None])
    def test_are_hidden_otherwise(self, service, spelled):
        archived = service.create(name="gone")
        service.archive(archived)
        query = {} if spelled is None else {"includeDeleted": spelled}
        assert archived not in [each["id"] for each in row(service, **query)]

    @pytest.mark.parametrize("word", ["yes", "TRUE", "2", "null"])
    def test_other_words_are_no_answer(self, service, word):
        answer = service.request("GET", "/connections", params={"includeDeleted": word})
        assert answer.json() == {
            "detail": "Bad Request: includeDeleted: Expected boolean, received string",
            "status": 400,
        }


class TestQueries:
    def test_of_a_repeated_key_the_last_counts(self, stocked):
        answer = stocked.request("GET", "/connections?name=nothing&name=istanbul&includeDeleted=x&includeDeleted=0")
        assert {each["name"] for each in answer.json()["connections"]} == {"istanbul", "İstanbul"}

    def test_empty_ones_are_as_if_absent(self, stocked):
        assert names(stocked, name="", dialect="", database="") == names(stocked)

    def test_dialects_are_a_comma_list(self, service):
        for dialect in ("mariadb", "starrocks"):
            service.create(dialect=dialect, name=f"of {dialect}")
        assert names(service, dialect="mariadb,starrocks", sortField="dialect") == ["of mariadb", "of starrocks"]
        assert names(service, dialect=" mariadb ,") == ["of mariadb"]

    def test_unknown_dialects_are_named(self, service):
        answer = service.request("GET", "/connections", params={"dialect": "postgres,x,Y"})
        assert answer.json() == {"detail": "Invalid dialect(s): x, Y", "status": 400}

    def test_unknown_keys_are_reported_alone(self, service):
        answer = service.request("GET", "/connections", params={"a": "1", "sortField": "x", "b": "2"})
        assert answer.json()["detail"] == "Bad Request: formErrors: Unrecognized key(s) in object: 'a', 'b'"

    @pytest.mark.parametrize("path", ["/connections/{id}", "/connections/{id}/test", "/connection-environments"])
    def test_unknown_keys_are_refused_everywhere(self, service, path):
        path = path.format(id=service.create())
        method = "GET" if path.count("/") == 2 else "POST"
        answer = service.request(method, path, params={"a": "1"}, json=None if method == "GET" else {})
        assert answer.json() == {
            "detail": "Bad Request: formErrors: Unrecognized key(s) in object: 'a'",
            "status": 400,
        }

    def test_what_is_created_is_listed_at_once(self, service):
        for _ in range(20):
            made = service.create(name="fresh")
            assert made in [each["id"] for each in row(service, name="fresh")]
