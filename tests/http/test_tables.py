"""What a connection's warehouse holds, and what a statement would take."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

SHOP = (
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.goods (id INTEGER PRIMARY KEY, price DECIMAL(10, 2) NOT NULL, tags VARCHAR[])",
    "CREATE TABLE sales.orders (id INTEGER PRIMARY KEY, good INTEGER REFERENCES sales.goods (id))",
    "COMMENT ON TABLE sales.goods IS 'What is for sale'",
    "CREATE VIEW main.cheap AS SELECT id FROM sales.goods WHERE price < 10",
    "INSERT INTO sales.goods VALUES (1, 9.5, ['rope'])",
)


@pytest.fixture(scope="module")
def connection_id(service: Any) -> str:
    with duckdb.connect(str(service.settings.duckdb_directory / "shop.duckdb")) as shop:
        for statement in SHOP:
            shop.execute(statement)
    return service.create(dialect="duckdb", name="shop", database="shop.duckdb", defaultSchema="sales")


def tables(service: Any, connection_id: str, query: str = "") -> Any:
    answer = service.request("GET", f"/connections/{connection_id}/tables{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["tables"]


class TestTables:
    def test_everything_is_told(self, service: Any, connection_id: str):
        cheap, goods, orders = tables(service, connection_id)
        assert (cheap["schema"], cheap["name"], cheap["kind"]) == ("main", "cheap", "view")
        assert goods == {
            "catalog": "shop",
            "schema": "sales",
            "name": "goods",
            "kind": "table",
            "comment": "What is for sale",
            "rowCount": 1,
            "sizeBytes": None,
            "columns": [
                {
                    "name": "id",
                    "position": 1,
                    "nativeType": "INTEGER",
                    "arrowType": "int32",
                    "nullable": False,
                    "comment": None,
                },
                {
                    "name": "price",
                    "position": 2,
                    "nativeType": "DECIMAL(10,2)",
                    "arrowType": "decimal128(10, 2)",
                    "nullable": False,
                    "comment": None,
                },
                {
                    "name": "tags",
                    "position": 3,
                    "nativeType": "VARCHAR[]",
                    "arrowType": "list<l: string>",
                    "nullable": True,
                    "comment": None,
                },
            ],
            "primaryKey": ["id"],
            "foreignKeys": [],
        }
        (reference,) = orders["foreignKeys"]
        del reference["name"]
        assert reference == {
            "columns": ["good"],
            "catalog": "shop",
            "schema": "sales",
            "table": "goods",
            "referredColumns": ["id"],
        }

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("?schema=sales", ["goods", "orders"]),
            ("?schema=SA*,nothing", ["goods", "orders"]),
            ("?schema=main", ["cheap"]),
            ("?schema=nothing", []),
            ("?schema=", ["cheap", "goods", "orders"]),
        ],
    )
    def test_schema_narrows(self, service: Any, connection_id: str, query: str, names: list[str]):
        assert [table["name"] for table in tables(service, connection_id, query)] == names

    def test_the_connection_says_what_is_included(self, service: Any, connection_id: str):
        narrowed = service.create(
            dialect="duckdb", name="narrowed", database="shop.duckdb", includeSchemas="main", defaultSchema="main"
        )
        assert [table["name"] for table in tables(service, narrowed)] == ["cheap"]

    def test_other_parameters_are_refused(self, service: Any, connection_id: str):
        answer = service.request("GET", f"/connections/{connection_id}/tables?schemas=sales")
        assert answer.json()["detail"] == "Bad Request: formErrors: Unrecognized key(s) in object: 'schemas'"

    def test_a_warehouse_that_is_not_there(self, service: Any):
        gone = service.create(dialect="duckdb", name="gone", database="gone.duckdb")
        answer = service.request("GET", f"/connections/{gone}/tables")
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("The file does not exist.")


class TestDryRun:
    def plan(self, service: Any, connection_id: str, sql: str, query: str = "?dryRun=true") -> Any:
        return service.request("POST", f"/connections/{connection_id}/query{query}", json={"sql": sql})

    def test_it_answers_a_plan_and_runs_nothing(self, service: Any):
        writing = service.create(dialect="duckdb", name="writing", database="written.duckdb", readOnly=False)
        sql = "CREATE TABLE made AS SELECT 1 AS a"
        answer = self.plan(service, writing, sql)
        assert answer.status_code == 200
        assert answer.json().keys() == {"dryRun", "plan", "estimatedBytes"}
        assert "Create Table As" in answer.json()["plan"]
        self.plan(service, writing, f"ANALYZE {sql}")
        assert self.plan(service, writing, "SELECT * FROM made").status_code == 400
        assert self.plan(service, writing, sql, "").status_code == 200
        assert self.plan(service, writing, "SELECT * FROM made", "?dryRun=false").status_code == 200

    def test_a_statement_that_cannot_run_is_refused_as_it_would_be(self, service: Any, connection_id: str):
        answer = self.plan(service, connection_id, "SELECT nothing FROM sales.goods")
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("The database cannot run this statement.")

    def test_a_flag_that_is_none(self, service: Any, connection_id: str):
        answer = self.plan(service, connection_id, "SELECT 1", "?dryRun=yes")
        assert answer.json()["detail"] == "Bad Request: dryRun: Expected boolean, received string"
