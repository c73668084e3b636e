"""Catalog calls, from the stored catalog and fresh from the warehouse."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from moorings.access.policy import Role
from moorings.flight import messages


@pytest.fixture(scope="module", params=["fresh", "stored"])
def shop(request: pytest.FixtureRequest, door: Any) -> str:
    """A connection to PostgreSQL, without a stored catalog and with one."""
    listed = door.replica.request("GET", f"/connections/{door.postgres}/catalog").json()
    if request.param == "fresh":
        assert listed["refreshedAt"] is None
        return door.postgres
    job = door.replica.request("POST", f"/connections/{door.postgres}/refresh", json={}).json()["jobId"]
    deadline = time.monotonic() + 20
    while door.replica.request("GET", f"/jobs/{job}/status").json()["status"] == "IN_PROGRESS":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return door.postgres


def answer(door: Any, connection: str | None, command: str, **fields: Any) -> pa.Table:
    with door.raw(connection) as client:
        info = client.info(messages.packed(command, **fields))
        table = client.get(info.endpoints[0].ticket).read_all()
        assert info.schema == table.schema
        return table


class TestCatalogs:
    def test_the_driver_lists_objects(self, door: Any, shop: str):
        with door.connect(shop) as connection:
            (found,) = connection.adbc_get_objects(depth="all", db_schema_filter="public").read_all().to_pylist()
        assert found["catalog_name"] == "shop"
        tables = {each["table_name"]: each for each in found["catalog_db_schemas"][0]["db_schema_tables"]}
        assert {name: each["table_type"] for name, each in tables.items()} == {
            "customer": "TABLE",
            "purchase": "TABLE",
            "everyone": "VIEW",
        }
        assert [each["column_name"] for each in tables["customer"]["table_columns"]] == ["id", "name", "since"]

    def test_the_schema_of_a_table_is_that_of_its_rows(self, door: Any, shop: str):
        with door.connect(shop) as connection:
            schema = connection.adbc_get_table_schema("purchase", db_schema_filter="public")
        assert schema.names == ["id", "customer_id", "total"]
        assert schema.types == [pa.int64(), pa.int32(), pa.decimal128(12, 2)]

    def test_catalogs_and_schemas(self, door: Any, shop: str):
        assert answer(door, shop, "CommandGetCatalogs").to_pylist() == [{"catalog_name": "shop"}]
        found = answer(door, shop, "CommandGetDbSchemas", db_schema_filter_pattern="pub%").to_pylist()
        assert found == [{"catalog_name": "shop", "db_schema_name": "public"}]
        assert answer(door, shop, "CommandGetDbSchemas", catalog="other").num_rows == 0

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("%", ["customer", "everyone", "purchase"]),
            ("_verything", []),
            ("_veryone", ["everyone"]),
            ("%r%", ["customer", "everyone", "purchase"]),
            ("c%r", ["customer"]),
            ("c\\%r", []),
            ("%" * 200 + "x", []),
        ],
    )
    def test_patterns(self, door: Any, shop: str, pattern: str, names: list[str]):
        found = answer(door, shop, "CommandGetTables", table_name_filter_pattern=pattern, catalog="shop")
        assert found.column("table_name").to_pylist() == names

    def test_kinds_of_tables(self, door: Any, shop: str):
        found = answer(door, shop, "CommandGetTables", table_types=["VIEW"])
        assert found.column("table_name").to_pylist() == ["everyone"]
        assert "VIEW" in answer(door, None, "CommandGetTableTypes").column("table_type").to_pylist()

    def test_keys(self, door: Any, shop: str):
        (row,) = answer(door, shop, "CommandGetPrimaryKeys", table="customer").to_pylist()
        assert (row["table_name"], row["column_name"], row["key_sequence"]) == ("customer", "id", 1)
        for command in ("CommandGetImportedKeys", "CommandGetExportedKeys"):
            table = "purchase" if "Imported" in command else "customer"
            (row,) = answer(door, shop, command, table=table).to_pylist()
            assert (row["fk_table_name"], row["fk_column_name"]) == ("purchase", "customer_id")
            assert (row["pk_table_name"], row["pk_column_name"]) == ("customer", "id")
        crossed = {"pk_table": "customer", "fk_table": "purchase"}
        assert answer(door, shop, "CommandGetCrossReference", **crossed).num_rows == 1
        assert answer(door, shop, "CommandGetImportedKeys", table="customer").num_rows == 0


class TestTheServer:
    def test_tells_about_itself(self, door: Any):
        with door.connect() as connection:
            assert connection.adbc_get_info()["vendor_name"] == "Moorings"

    def test_types_are_an_empty_list(self, door: Any):
        assert answer(door, None, "CommandGetXdbcTypeInfo").num_rows == 0

    def test_without_a_connection_catalogs_are_the_connections(self, door: Any):
        names = answer(door, None, "CommandGetCatalogs").column("catalog_name").to_pylist()
        assert {"Shop", "Things", "Writable shop"} <= set(names)

    def test_those_that_the_user_may_query(self, door: Any):
        key = door.member(**{door.postgres: Role.QUERIER, door.writable: Role.NO_ACCESS})
        with door.raw(key=key) as client:
            ticket = client.info(messages.packed("CommandGetCatalogs")).endpoints[0].ticket
            names = client.get(ticket).read_all().column("catalog_name").to_pylist()
        assert "Shop" in names
        assert "Writable shop" not in names

    def test_a_session_option_chooses_the_connection(self, door: Any):
        options = {"adbc.flight.sql.rpc.with_cookie_middleware": "true"}
        with door.connect(**options) as connection:
            connection.adbc_current_catalog = "Things"
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM thing")
                assert cursor.fetchall() == [(2,)]

    def test_a_session_option_at_fault_is_refused(self, door: Any):
        options = [
            {"key": "catalog", "value": {"string_value": "Nowhere"}},
            {"key": "colour", "value": {"bool_value": True}},
        ]
        with door.raw() as client:
            (content,) = client.act(
                "SetSessionOptions", messages.written("SetSessionOptionsRequest", session_options=options)
            )
        errors = messages.parsed("SetSessionOptionsResult", content).errors
        assert {each.key: each.value.value for each in errors} == {"catalog": 2, "colour": 1}

    def test_actions_are_listed(self, door: Any):
        with flight.connect(door.uri) as client:
            assert "CancelFlightInfo" in {each.type for each in client.list_actions(door.raw().options)}
