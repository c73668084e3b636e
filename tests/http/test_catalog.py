"""The stored catalog of a connection, and what refreshes find to be different."""

from __future__ import annotations

import itertools
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.policy import Role
from moorings.catalog.content import contents
from moorings.catalog.snapshots import store
from moorings.connections.models import Connection
from moorings.dialects.introspection import Column, Table
from tests.warehouses.postgres.server import login

USED = "moorings-connection-id"


@pytest.fixture(scope="module")
def service(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """Lets go of files at once, so that tests can change them between two refreshes."""
    return serve(**storage(), pool_idle_seconds=0)


class Warehouse:
    """A file, and a connection to it."""

    def __init__(self, service: Any, *statements: str) -> None:
        self.service = service
        self.name = f"w{uuid.uuid4().hex}"
        self.run(*statements)
        self.id = service.create(
            dialect="duckdb", name=self.name, database=f"{self.name}.duckdb", baseRole="NO_ACCESS", defaultSchema="main"
        )

    def run(self, *statements: str) -> None:
        deadline = time.monotonic() + 5
        while True:
            try:
                connection = duckdb.connect(str(self.service.settings.duckdb_directory / f"{self.name}.duckdb"))
            except duckdb.Error:  # the service's session is just being closed
                assert time.monotonic() < deadline
                time.sleep(0.01)
            else:
                break
        with connection:
            for statement in statements:
                connection.execute(statement)

    def get(self, path: str = "", **sent: Any) -> Any:
        return self.service.request("GET", f"/connections/{self.id}/catalog{path}", **sent)

    def names(self, query: str = "") -> list[str]:
        answer = self.get(query)
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()["records"]]

    def changes(self, query: str = "") -> list[tuple[Any, ...]]:
        answer = self.get(f"/changes{query}")
        assert answer.status_code == 200, answer.text
        fields = ("change", "table", "column", "before", "after")
        return [tuple(each[field] for field in fields) for each in answer.json()["records"]]


SHOP = (
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.goods (id INTEGER PRIMARY KEY, price DECIMAL(10, 2) NOT NULL, tags VARCHAR[])",
    "CREATE TABLE sales.orders (id INTEGER PRIMARY KEY, good INTEGER REFERENCES sales.goods (id))",
    "COMMENT ON TABLE sales.goods IS 'What is for sale in der Straße'",
    "CREATE VIEW main.cheap_goods AS SELECT id FROM sales.goods WHERE price < 10",
    "CREATE TABLE main.cheapxgoods (x INTEGER)",
)


@pytest.fixture(scope="module")
def shop(service: Any, refresh: Any) -> Warehouse:
    shop = Warehouse(service, *SHOP)
    job = refresh(service, shop.id)
    assert job["status"] == "COMPLETED", job
    return shop


class TestCatalog:
    def test_is_empty_before_the_first_refresh(self, service: Any):
        assert service.request("GET", f"/connections/{service.create()}/catalog").json() == {
            "refreshedAt": None,
            "jobId": None,
            "tableCount": 0,
            "columnCount": 0,
            "pageInfo": {"hasNextPage": False, "nextCursor": None, "pageSize": 20, "totalRecords": 0},
            "records": [],
        }

    def test_holds_what_the_warehouse_told(self, service: Any, shop: Warehouse):
        live = service.request("GET", f"/connections/{shop.id}/tables").json()["tables"]
        stored = shop.get().json()
        for each in stored["records"]:
            assert each.pop("addedAt") == each.pop("changedAt") == stored["refreshedAt"]
            assert each.pop("missingSince") is None
        assert stored["records"] == live
        assert (stored["tableCount"], stored["columnCount"]) == (4, 7)

    def test_says_which_job_it_comes_from(self, service: Any, shop: Warehouse):
        stored = shop.get().json()
        job = service.request("GET", f"/jobs/{stored['jobId']}/status").json()
        assert job["result"] == {"tables": 4, "columns": 7, "added": 4, "changed": 0, "removed": 0, "missing": 0}

    def test_pages_follow_each_other(self, shop: Warehouse):
        first = shop.get("?pageSize=3").json()
        assert first["pageInfo"] | {"nextCursor": None} == {
            "hasNextPage": True,
            "nextCursor": None,
            "pageSize": 3,
            "totalRecords": 4,
        }
        second = shop.get(f"?pageSize=3&cursor={first['pageInfo']['nextCursor']}").json()
        names = [each["name"] for each in first["records"] + second["records"]]
        assert names == ["cheap_goods", "cheapxgoods", "goods", "orders"]
        assert second["pageInfo"]["nextCursor"] is None

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("schema=sales", ["goods", "orders"]),
            ("schema=SA*,nothing", ["goods", "orders"]),
            ("schema=", ["cheap_goods", "cheapxgoods", "goods", "orders"]),
            ("table=*goods", ["cheap_goods", "cheapxgoods", "goods"]),
            ("table=cheap_goods", ["cheap_goods"]),
            ("table=%25", []),
            ("table=o*,G*&schema=sales", ["goods", "orders"]),
            ("schema=main&table=orders", []),
            ("search=PRICE", ["goods"]),
            ("search=STRASSE", ["goods"]),
            ("search=for sale", ["goods"]),
            ("search=p_g", ["cheap_goods"]),
            ("search=%25", []),
            ("search=good&schema=sales", ["goods", "orders"]),
        ],
    )
    def test_filters(self, shop: Warehouse, query: str, names: list[str]):
        assert shop.names(f"?{query}") == names
        assert shop.get(f"?{query}").json()["pageInfo"]["totalRecords"] == len(names)

    def test_hundreds_of_patterns(self, shop: Warehouse):
        many = ",".join(["x"] * 490)
        assert shop.names(f"?schema={many},sales&table={many},goods") == ["goods"]

    def test_is_sorted_byte_by_byte_whatever_the_database(self, service: Any, refresh: Any):
        names = ("Zebra", "apple", "b a", "b", "b_a", "éclair")
        warehouse = Warehouse(service, *(f'CREATE TABLE "{name}" (x INTEGER)' for name in names))
        refresh(service, warehouse.id)
        assert warehouse.names() == sorted(names)
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            page = warehouse.get(f"?pageSize=1&cursor={quote(cursor)}").json()
            found += [each["name"] for each in page["records"]]
            cursor = page["pageInfo"]["nextCursor"]
        assert found == sorted(names)

    @pytest.mark.parametrize(
        ("query", "detail"),
        [
            ("?pageSize=0", "pageSize: Number must be greater than or equal to 1"),
            ("?pageSize=101&cursor=x", "pageSize: Number must be less than or equal to 100; cursor: Invalid input"),
            ("?cursor=WzEsMl0=", "cursor: Invalid input"),
            ("?search=%00", "search: Invalid input"),
            ("?environment=x", "environment: Invalid uuid"),
            ("?tables=x", "formErrors: Unrecognized key(s) in object: 'tables'"),
            ("/changes?since=yesterday", "since: Expected a time in ISO 8601, such as 2026-05-01T00:00:00Z"),
            ("/changes?since=2026-01-01T00:00:00", "since: Expected a time in ISO 8601, such as 2026-05-01T00:00:00Z"),
            ("/changes?since=9999-12-31T23:59:59-23:00&cursor=W10=", "cursor: Invalid input"),
            ("/changes?search=x", "formErrors: Unrecognized key(s) in object: 'search'"),
        ],
    )
    def test_faults(self, shop: Warehouse, query: str, detail: str):
        answer = shop.get(query)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    def test_who_may_read_it(self, service: Any, shop: Warehouse):
        for role, status in ((Role.RESTRICTED_QUERIER, 200), (Role.VIEWER, 403), (Role.NO_ACCESS, 404)):
            key = service.member(**{shop.id: role})
            assert [shop.get(path, key=key).status_code for path in ("", "/changes")] == [status, status]

    def test_of_an_archived_connection_is_not_shown_until_it_is_restored(self, service: Any, refresh: Any):
        warehouse = Warehouse(service, "CREATE TABLE t (x INTEGER)")
        job = refresh(service, warehouse.id)
        assert service.request("DELETE", f"/connections/{warehouse.id}").status_code == 200
        gone = {"detail": "Connection is archived", "status": 410}
        assert [warehouse.get(path).json() for path in ("", "/changes")] == [gone, gone]
        assert service.request("POST", f"/connections/{warehouse.id}/refresh").json() == gone
        assert service.request("GET", f"/jobs/{job['job_id']}/status").json() == job
        assert service.request("POST", f"/connections/{warehouse.id}/restore").status_code == 200
        assert warehouse.names() == ["t"]


class TestRefresh:
    def test_tells_what_is_different(self, service: Any, refresh: Any):
        warehouse = Warehouse(
            service,
            "CREATE TABLE kept (id INTEGER NOT NULL, name VARCHAR, gone DATE)",
            "CREATE TABLE dropped (x INTEGER)",
            "CREATE TABLE becomes_view (x INTEGER)",
        )
        refresh(service, warehouse.id)
        assert warehouse.changes() == [], "the first one has nothing to compare with"
        warehouse.run(
            "ALTER TABLE kept DROP gone",
            "ALTER TABLE kept ADD new VARCHAR",
            "ALTER TABLE kept ALTER id TYPE BIGINT",
            "ALTER TABLE kept ALTER name SET NOT NULL",
            "COMMENT ON TABLE kept IS 'Kept'",
            "COMMENT ON COLUMN kept.name IS 'Called'",
            "DROP TABLE dropped",
            "DROP TABLE becomes_view",
            "CREATE VIEW becomes_view AS SELECT 1 AS x",
            "CREATE TABLE appeared (x INTEGER)",
        )
        job = refresh(service, warehouse.id)
        assert job["result"] == {"tables": 3, "columns": 5, "added": 1, "changed": 2, "removed": 0, "missing": 1}
        assert sorted(warehouse.changes(), key=repr) == sorted(
            [
                ("TABLE_ADDED", "appeared", None, None, None),
                ("TABLE_REMOVED", "dropped", None, None, None),
                ("KIND_CHANGED", "becomes_view", None, "table", "view"),
                ("COMMENT_CHANGED", "kept", None, None, "Kept"),
                ("COLUMN_REMOVED", "kept", "gone", "DATE", None),
                ("COLUMN_ADDED", "kept", "new", None, "VARCHAR"),
                ("TYPE_CHANGED", "kept", "id", "INTEGER", "BIGINT"),
                ("NULLABILITY_CHANGED", "kept", "name", "NULL", "NOT NULL"),
                ("COMMENT_CHANGED", "kept", "name", None, "Called"),
            ],
            key=repr,
        )

    def test_a_soft_one_keeps_what_the_database_dropped_and_a_hard_one_removes_it(self, service: Any, refresh: Any):
        warehouse = Warehouse(service, "CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)")
        refresh(service, warehouse.id)
        warehouse.run("DROP TABLE a")
        refresh(service, warehouse.id)
        first = warehouse.get().json()
        assert [(each["name"], each["missingSince"]) for each in first["records"]] == [
            ("a", first["refreshedAt"]),
            ("b", None),
        ]
        again = refresh(service, warehouse.id, hardRefresh=False)
        assert again["result"]["missing"] == 1
        second = warehouse.get().json()
        assert second["records"] == first["records"], "it is missing since then, not since now"
        removed = refresh(service, warehouse.id, hardRefresh=True)
        assert (removed["hardRefresh"], removed["result"]["removed"]) == (True, 1)
        assert warehouse.names() == ["b"]
        assert warehouse.changes() == [("TABLE_REMOVED", "a", None, None, None)], "told once"

    def test_what_comes_back_is_the_same_table(self, service: Any, refresh: Any):
        warehouse = Warehouse(service, "CREATE TABLE a (x INTEGER)")
        refresh(service, warehouse.id)
        (before,) = warehouse.get().json()["records"]
        warehouse.run("DROP TABLE a")
        refresh(service, warehouse.id)
        warehouse.run("CREATE TABLE a (x INTEGER)")
        assert refresh(service, warehouse.id)["result"]["added"] == 1
        assert warehouse.get().json()["records"] == [before]
        assert [change[0] for change in warehouse.changes()] == ["TABLE_RETURNED", "TABLE_REMOVED"]

    def test_estimates_follow_and_are_no_change(self, service: Any, refresh: Any):
        warehouse = Warehouse(service, "CREATE TABLE a (x INTEGER)")
        refresh(service, warehouse.id)
        warehouse.run("INSERT INTO a SELECT range FROM range(50)")
        assert refresh(service, warehouse.id)["result"]["changed"] == 0
        (found,) = warehouse.get().json()["records"]
        assert (found["rowCount"], found["changedAt"]) == (50, found["addedAt"])
        assert warehouse.changes() == []

    def test_changes_come_in_pages_and_from_an_instant_on(self, service: Any, refresh: Any):
        warehouse = Warehouse(service, "CREATE TABLE a (x INTEGER)")
        refresh(service, warehouse.id)
        warehouse.run(*(f"CREATE TABLE b{number} (x INTEGER)" for number in range(3)))
        refresh(service, warehouse.id)
        warehouse.run("DROP TABLE a")
        last = refresh(service, warehouse.id)
        found: list[Any] = []
        cursor = ""
        while cursor is not None:
            page = warehouse.get(f"/changes?pageSize=1&cursor={quote(cursor)}").json()
            assert page["pageInfo"]["totalRecords"] == 4
            found += [(each["change"], each["table"]) for each in page["records"]]
            cursor = page["pageInfo"]["nextCursor"]
        assert found == [("TABLE_REMOVED", "a"), *(("TABLE_ADDED", f"b{number}") for number in range(3))]
        changes = warehouse.get(f"/changes?since={last['startedAt']}").json()["records"]
        assert [(each["table"], each["jobId"]) for each in changes] == [("a", last["job_id"])]
        assert warehouse.changes("?since=2999-01-01T00:00:00%2B01:00") == []


class TestEnvironments:
    def test_each_has_a_catalog_of_its_own(self, service: Any, refresh: Any):
        base, prod = (Warehouse(service, f"CREATE TABLE of_{name} (x INTEGER)") for name in ("base", "prod"))
        body = {"baseConnectionId": base.id, "environmentConnectionIds": [prod.id]}
        environment = service.request("POST", "/connection-environments", json=body).json()["data"][0]["id"]
        for each in (base, prod):
            refresh(service, each.id)
        response = base.get(f"?environment={environment}")
        assert response.headers[USED] == prod.id
        assert [each["name"] for each in response.json()["records"]] == ["of_prod"]
        assert base.get().headers[USED] == base.id
        assert base.get("/changes").headers[USED] == base.id
        assert base.names() == ["of_base"]
        key = service.member(**{base.id: Role.MODELER})
        assert base.get(f"?environment={environment}", key=key).status_code == 403
        service.archive(prod.id)
        assert base.get(f"?environment={environment}").status_code == 410


class TestPostgres:
    @pytest.fixture
    def schema(self, postgres_server: Any) -> Iterator[str]:
        name = f"s{uuid.uuid4().hex}"
        with login(postgres_server) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
            yield name
            connection.execute(f"DROP SCHEMA {name} CASCADE")

    def test_keys_and_types_that_change_are_told(self, service: Any, refresh: Any, postgres_server: Any, schema: str):
        server = postgres_server
        where = {"host": server.host, "port": server.port, "database": server.database, "includeSchemas": schema}
        connection_id = service.create(**where, username=server.username, passwordUnencrypted=server.password)
        with login(server) as connection:
            connection.execute(f"CREATE TABLE {schema}.a (x integer PRIMARY KEY)")
            connection.execute(f"CREATE TABLE {schema}.b (x integer)")
            first = refresh(service, connection_id)
            assert first["result"]["tables"] == 2, first
            connection.execute(f"ALTER TABLE {schema}.b ADD FOREIGN KEY (x) REFERENCES {schema}.a (x)")
            connection.execute(f"ALTER TABLE {schema}.b ADD PRIMARY KEY (x)")
        refresh(service, connection_id)
        changes = service.request("GET", f"/connections/{connection_id}/catalog/changes").json()["records"]
        reference = f"(x) REFERENCES app.{schema}.a (x)"
        assert [(each["change"], each["column"], each["before"], each["after"]) for each in changes] == [
            ("NULLABILITY_CHANGED", "x", "NULL", "NOT NULL"),
            ("PRIMARY_KEY_CHANGED", None, None, "x"),
            ("FOREIGN_KEY_ADDED", None, None, reference),
        ]


COLUMNS, TABLES = 30, 2000


def large(comment: str | None = None) -> list[Table]:
    return [
        Table(
            "c",
            f"schema_{number % 20}",
            f"table_{number}",
            comment=comment,
            columns=[Column(f"column_{each}", each, "character varying(255)", "string") for each in range(COLUMNS)],
        )
        for number in range(TABLES)
    ]


class TestLarge:
    """2,000 tables of 30 columns: few statements, little memory, and nothing is written that has not changed."""

    @pytest.fixture
    def storing(self, service: Any) -> Callable[[list[Table]], list[str]]:
        connection_id = service.create()
        statements: list[str] = []
        instants = itertools.count(1)

        @event.listens_for(service.database.engine.sync_engine, "before_cursor_execute")
        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        def storing(tables: list[Table]) -> list[str]:
            statements.clear()

            async def act(session: AsyncSession) -> None:
                connection = await session.get_one(Connection, connection_id)
                found = contents(tables)
                await store(session, connection, found, hard=False, job_id="j", now=next(instants))

            service.change(act)
            return [each for each in statements if each.startswith(("INSERT", "UPDATE", "DELETE"))]

        return storing

    def test_takes_few_statements_and_little_memory(self, storing: Callable[[list[Table]], list[str]]):
        tables = large()
        tracemalloc.start()
        first = storing(tables)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(first) <= 10
        assert peak < 60_000_000
        assert [each.partition(" SET")[0] for each in storing(large())] == ["UPDATE catalogs"]
        assert len(storing(large(comment="changed"))) <= 20
