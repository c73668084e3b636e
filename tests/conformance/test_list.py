"""CONTRACT section 1, GET /connections, and GET /connections/{id} of section 2."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from moorings.access.policy import Role

KEYS = [
    "id",
    "name",
    "dialect",
    "database",
    "deletedAt",
    "userAttributeNameForConnectionEnvironments",
    "userAttributeNameForConnectionsEnvironments",
    "userAttributeValuesForDefaultEnvironment",
    "branchConnectionEnvironmentOverridesUserAttr",
    "environmentConnectionSwitchesSchemaModel",
    "allowBranchConnectionEnvironments",
    "defaultSchema",
    "baseRole",
    "createdAt",
    "updatedAt",
]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# name, dialect, database of what is stored; `gone` is archived.
STORED = [
    ("alpha", "postgres", "Zoo"),
    ("Beta", "mysql", None),
    ("ÜBER_100%", "postgres", "straße"),
    ("über", "mysql", "apple"),
    ("gone", "postgres", "gone"),
    ("file", "duckdb", ":memory:"),
]
LISTS: list[tuple[str, list[str]]] = [
    ("", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    ("?sortDirection=desc", ["ÜBER_100%", "über", "file", "Beta", "alpha"]),
    ("?sortField=name&sortDirection=asc", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    ("?sortField=database", ["file", "über", "ÜBER_100%", "alpha", "Beta"]),
    ("?sortField=database&sortDirection=desc", ["alpha", "ÜBER_100%", "über", "file", "Beta"]),
    ("?name=alp", ["alpha"]),
    ("?name=ALP", ["alpha"]),
    ("?name=Über", ["über", "ÜBER_100%"]),
    ("?name=%25", ["ÜBER_100%"]),
    ("?name=_", ["ÜBER_100%"]),
    ("?name=a_p", []),
    ("?name=", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    ("?database=zoo", ["alpha"]),
    ("?database=STRASSE", ["ÜBER_100%"]),
    ("?database=memory", ["file"]),
    ("?dialect=mysql", ["Beta", "über"]),
    ("?dialect=mysql,duckdb", ["Beta", "file", "über"]),
    ("?dialect=mysql,%20duckdb", ["Beta", "file", "über"]),
    ("?dialect=duckdb", ["file"]),
    ("?dialect=oracle", []),
    ("?dialect=", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    ("?dialect=postgres&name=alpha", ["alpha"]),
    ("?name=zzz&name=alpha", ["alpha"]),
    ("?includeDeleted=false", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    ("?includeDeleted=0", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    ("?includeDeleted=False", ["alpha", "Beta", "file", "über", "ÜBER_100%"]),
    *((f"?includeDeleted={word}&name=gone", ["gone"]) for word in ("true", "True", "1")),
]
FAULTS: list[tuple[str, str]] = [
    ("?foo=1", "Bad Request: formErrors: Unrecognized key(s) in object: 'foo'"),
    ("?foo=1&bar=2&sortField=x", "Bad Request: formErrors: Unrecognized key(s) in object: 'foo', 'bar'"),
    ("?Name=x", "Bad Request: formErrors: Unrecognized key(s) in object: 'Name'"),
    (
        "?sortField=port",
        "Bad Request: sortField: Invalid enum value. Expected 'database' | 'dialect' | 'name', received 'port'",
    ),
    (
        "?sortField=Name",
        "Bad Request: sortField: Invalid enum value. Expected 'database' | 'dialect' | 'name', received 'Name'",
    ),
    (
        "?sortDirection=up",
        "Bad Request: sortDirection: Invalid enum value. Expected 'asc' | 'desc', received 'up'",
    ),
    (
        "?sortDirection=x&sortField=y",
        (
            "Bad Request: sortField: Invalid enum value. Expected 'database' | 'dialect' | 'name', received 'y'; "
            "sortDirection: Invalid enum value. Expected 'asc' | 'desc', received 'x'"
        ),
    ),
    ("?dialect=nope", "Invalid dialect(s): nope"),
    ("?dialect=postgres,nope,mysql,never", "Invalid dialect(s): nope, never"),
    ("?includeDeleted=yes", "Bad Request: includeDeleted: Expected boolean, received string"),
]


@pytest.fixture(scope="module")
def stocked(serve: Callable[..., Any]) -> Any:
    service = serve()
    for name, dialect, database in STORED:
        body = {"name": name, "dialect": dialect} | ({"database": database} if database else {"database": ""})
        connection_id = service.create(**body)
        if name == "gone":
            service.archive(connection_id)
    return service


class TestLists:
    @pytest.mark.parametrize(("query", "names"), LISTS, ids=lambda given: str(given)[:50])
    def test_names(self, stocked: Any, query: str, names: list[str]) -> None:
        answer = stocked.request("GET", "/connections" + quote(query, safe="?&=%,"))
        assert answer.status_code == 200, answer.text
        assert [connection["name"] for connection in answer.json()["connections"]] == names

    def test_sorted_by_dialect(self, stocked: Any) -> None:
        for query, reverse in (("", False), ("&sortDirection=desc", True)):
            found = stocked.request("GET", f"/connections?sortField=dialect{query}").json()["connections"]
            names = [connection["dialect"] for connection in found]
            assert names == sorted(names, reverse=reverse)
            for first, second in itertools.pairwise(found):
                assert first["dialect"] != second["dialect"] or first["id"] < second["id"]

    @pytest.mark.parametrize(("query", "detail"), FAULTS)
    def test_faults(self, stocked: Any, query: str, detail: str) -> None:
        answer = stocked.request("GET", f"/connections{query}")
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})


class TestShape:
    def test_of_a_new_connection(self, service: Any) -> None:
        connection_id = service.create(name="one", defaultSchema="public")
        shown = service.request("GET", "/connections?name=one").json()
        assert list(shown) == ["connections"]
        (connection,) = shown["connections"]
        created = connection["createdAt"]
        assert INSTANT.fullmatch(created)
        assert connection == {
            "id": connection_id,
            "name": "one",
            "dialect": "postgres",
            "database": "d",
            "deletedAt": None,
            "userAttributeNameForConnectionEnvironments": None,
            "userAttributeNameForConnectionsEnvironments": None,
            "userAttributeValuesForDefaultEnvironment": None,
            "branchConnectionEnvironmentOverridesUserAttr": False,
            "environmentConnectionSwitchesSchemaModel": False,
            "allowBranchConnectionEnvironments": False,
            "defaultSchema": "public",
            "baseRole": "VIEWER",
            "createdAt": created,
            "updatedAt": created,
            "health": {"status": "unknown", "since": None, "error": None},
        }
        assert list(connection) == [*KEYS, "health"]

    def test_of_an_archived_one(self, stocked: Any) -> None:
        (gone,) = stocked.request("GET", "/connections?includeDeleted=1&name=gone").json()["connections"]
        assert gone["deletedAt"] == "2023-11-14T22:13:20.000Z"

    def test_get_is_as_in_the_list(self, service: Any) -> None:
        connection_id = service.create(name="two")
        (listed,) = service.request("GET", "/connections?name=two").json()["connections"]
        answer = service.request("GET", f"/connections/{connection_id.upper()}")
        assert answer.status_code == 200
        assert list(answer.json()) == ["connection"]
        found = answer.json()["connection"]
        assert list(found)[: len(listed)] == list(listed)
        assert {key: found[key] for key in listed} == listed

    def test_bigquery_is_found_by_its_project(self, service: Any) -> None:
        service.create(dialect="bigquery", name="bq", database="", authenticationType="bigquery-oauth-user")
        (connection,) = service.request("GET", "/connections?name=bq").json()["connections"]
        assert connection["database"] is None


ROLE_NEEDED = [
    (Role.NO_ACCESS, 404),
    (Role.VIEWER, 403),
    (Role.RESTRICTED_QUERIER, 200),
    (Role.CONNECTION_ADMIN, 200),
]


class TestWhoSeesWhat:
    """Organization keys see every connection; a user sees those where their role is above NO_ACCESS."""

    def test_lists(self, serve: Callable[..., Any]) -> None:
        service = serve()
        open_to_all, hidden, granted = (
            service.create(name=name, baseRole=role)
            for name, role in (("open", "VIEWER"), ("hidden", "NO_ACCESS"), ("granted", "NO_ACCESS"))
        )
        key = service.member(**{granted: Role.VIEWER})
        seen = {
            connection["id"] for connection in service.request("GET", "/connections", key=key).json()["connections"]
        }
        assert seen == {open_to_all, granted}
        all_of_them = {connection["id"] for connection in service.request("GET", "/connections").json()["connections"]}
        assert all_of_them == {open_to_all, hidden, granted}

    @pytest.mark.parametrize(("role", "status"), ROLE_NEEDED)
    def test_get_needs_restricted_querier(self, service: Any, role: Role, status: int) -> None:
        connection_id = service.create(baseRole="NO_ACCESS")
        key = service.member(**{connection_id: role})
        assert service.request("GET", f"/connections/{connection_id}", key=key).status_code == status
