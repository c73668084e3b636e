"""GET /catalog over all connections, and pages of GET /connections/{id}/tables."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from moorings.access.policy import Role

STATEMENTS = (
    "CREATE TABLE Umsätze (id INTEGER, revenue_eur DOUBLE)",
    "COMMENT ON TABLE Umsätze IS 'Revenue of İstanbul'",
    "COMMENT ON COLUMN Umsätze.id IS 'the number of the sale'",
    "CREATE TABLE revenue (x INTEGER)",
    "CREATE TABLE other (y INTEGER)",
)


@pytest.fixture(scope="module")
def service(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    return serve(**storage())


@pytest.fixture(scope="module")
def warehouses(service: Any, ended: Any) -> list[str]:
    """Two connections with the same tables, refreshed."""
    made: list[str] = []
    for _ in range(2):
        name = f"{uuid.uuid4()}.duckdb"
        with duckdb.connect(str(service.settings.duckdb_directory / name)) as connection:
            for statement in STATEMENTS:
                connection.execute(statement)
        made.append(service.create(dialect="duckdb", database=name, name=name, baseRole="NO_ACCESS"))
        job = service.request("POST", f"/connections/{made[-1]}/refresh", json={}).json()["jobId"]
        assert ended(service, job)["status"] == "COMPLETED"
    return sorted(made)


def search(service: Any, **query: Any) -> dict[str, Any]:
    key = query.pop("key", None)
    sent = {} if key is None else {"key": key}
    answer = service.request("GET", "/catalog", params=query, **sent)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestSearch:
    def test_says_what_matched_in_which_connection(self, service: Any, warehouses: list[str]) -> None:
        records = search(service, search="REVENUE")["records"]
        assert [(each["connectionId"], each["name"]) for each in records] == [
            (connection, table) for connection in warehouses for table in ("Umsätze", "revenue")
        ]
        assert records[0]["dialect"] == "duckdb"
        assert records[0]["matches"] == [
            {"kind": "comment", "column": None, "text": "Revenue of İstanbul"},
            {"kind": "column", "column": "revenue_eur", "text": "revenue_eur"},
        ]
        assert records[1]["matches"] == [{"kind": "table", "column": None, "text": "revenue"}]

    @pytest.mark.parametrize(
        ("text", "matched"),
        [("number of", "comment"), ("umsa\u0308tze", "table"), ("istanbul", "comment"), ("_EUR", "column")],
    )
    def test_in_every_spelling(self, service: Any, warehouses: list[str], text: str, matched: str) -> None:
        found = search(service, search=text)["records"]
        assert [each["matches"][0]["kind"] for each in found] == [matched] * 2

    def test_only_connections_that_the_caller_may_read(self, service: Any, warehouses: list[str]) -> None:
        mine = service.member(**{warehouses[1]: Role.QUERIER})
        assert {each["connectionId"] for each in search(service, search="revenue", key=mine)["records"]} == {
            warehouses[1]
        }
        assert search(service, search="revenue", key=service.member())["records"] == []
        viewer = service.member(**{warehouses[1]: Role.VIEWER})
        assert search(service, search="revenue", key=viewer)["pageInfo"]["totalRecords"] == 0

    def test_by_pages(self, service: Any, warehouses: list[str]) -> None:
        found: list[str] = []
        query: dict[str, Any] = {"search": "revenue", "pageSize": 1}
        while True:
            page = search(service, **query)
            found += [each["name"] for each in page["records"]]
            if not page["pageInfo"]["hasNextPage"]:
                break
            query["cursor"] = page["pageInfo"]["nextCursor"]
        assert found == ["Umsätze", "revenue"] * 2
        assert page["pageInfo"]["totalRecords"] == 4

    @pytest.mark.parametrize("query", [{}, {"search": ""}, {"search": " "}, {"search": "x", "cursor": "x"}, {"x": "y"}])
    def test_faults(self, service: Any, query: dict[str, str]) -> None:
        assert service.request("GET", "/catalog", params=query).status_code == 400


class TestTables:
    def test_all_without_a_page(self, service: Any, warehouses: list[str]) -> None:
        answer = service.request("GET", f"/connections/{warehouses[0]}/tables").json()
        assert list(answer) == ["tables"]
        assert len(answer["tables"]) == 3

    def test_by_pages(self, service: Any, warehouses: list[str]) -> None:
        path = f"/connections/{warehouses[0]}/tables"
        whole = service.request("GET", path).json()["tables"]
        first = service.request("GET", path, params={"pageSize": 2}).json()
        assert first["tables"] == whole[:2]
        assert first["pageInfo"] | {"nextCursor": ""} == {
            "hasNextPage": True,
            "nextCursor": "",
            "pageSize": 2,
            "totalRecords": 3,
        }
        last = service.request("GET", path, params={"pageSize": 2, "cursor": first["pageInfo"]["nextCursor"]}).json()
        assert last["tables"] == whole[2:]
        assert last["pageInfo"]["nextCursor"] is None
        assert service.request("GET", path, params={"cursor": "nonsense"}).status_code == 400
