"""What the tests' server cannot show of Redshift: its own types and views, by what AWS documents of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from moorings.dialects.introspection import Scope
from moorings.dialects.redshift import introspection
from moorings.dialects.redshift import types as redshift_types

VARBYTE, SUPER, NUMERIC = 6551, 4000, 1700


class TestValues:
    def test_varbyte_is_binary(self) -> None:
        assert redshift_types.column_type(VARBYTE, -1) == pa.binary()
        found = redshift_types.column(["00ff", None, ""], pa.binary(), VARBYTE)
        assert found.to_pylist() == [b"\0\xff", None, b""]

    def test_super_is_text(self) -> None:
        assert redshift_types.column_type(SUPER, -1) == pa.string()
        assert redshift_types.column(['{"a":1}', None], pa.string(), SUPER).to_pylist() == ['{"a":1}', None]

    @pytest.mark.parametrize(("modifier", "kind"), [((38 << 16 | 10) + 4, "decimal128(38, 10)"), (-1, "string")])
    def test_a_numeric_is_a_decimal_where_it_is_declared(self, modifier: int, kind: str) -> None:
        assert str(redshift_types.column_type(NUMERIC, modifier)) == kind


class Views:
    """Redshift's views, with rows as its documentation shows them; counts the statements."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, sql: str) -> Sequence[Sequence[Any]]:
        self.statements.append(sql)
        answers = {
            "svv_all_tables": [
                ["dev", "public", "sales", "TABLE", "All of them"],
                ["dev", "lake", "events", "EXTERNAL TABLE", ""],
                ["shared", "public", "rates", "SHARED TABLE", None],
            ],
            "svv_all_columns": [
                ["dev", "public", "sales", "id", 1, "integer", "NO", "", None, 32, 0],
                ["dev", "public", "sales", "price", 2, "numeric", "YES", "Each", None, 8, 2],
                ["dev", "public", "sales", "name", 3, "character varying", "yes", None, 40, None, None],
                ["dev", "lake", "events", "what", 1, "struct<a:int>", "YES", None, None, None, None],
                ["shared", "public", "rates", "rate", 1, "double precision", "YES", None, None, 53, None],
            ],
            "svv_table_info": [["public", "sales", 172456, 3]],
            "pg_constraint": [["public", "sales", "p", "sales_pkey", "id", None, None, None]],
        }
        return next((rows for view, rows in answers.items() if view in sql), [["dev"]])


class TestStructure:
    def test_tables_of_the_connections_own_catalog(self) -> None:
        views = Views()
        events, sales = introspection.tables(views, Scope())
        assert (sales.kind, sales.comment, sales.row_count, sales.size_bytes) == (
            "table",
            "All of them",
            172456,
            3 * 1024 * 1024,
        )
        assert (events.kind, events.comment, events.row_count) == ("external table", None, None)
        assert sales.primary_key == ("id",)
        assert len(views.statements) == 5
        of_views = [sql for sql in views.statements if "svv_all" in sql]
        assert of_views
        assert all("database_name = current_database()" in sql for sql in of_views)

    def test_columns_say_their_types_as_they_were_declared(self) -> None:
        events, sales = introspection.tables(Views(), Scope())
        assert [(column.native_type, column.arrow_type, column.nullable) for column in sales.columns] == [
            ("integer", "int32", False),
            ("numeric(8,2)", "decimal128(8, 2)", True),
            ("character varying(40)", "string", True),
        ]
        assert events.columns[0].arrow_type is None

    def test_other_catalogs_are_read_where_they_are_asked_for(self) -> None:
        views = Views()
        found = introspection.tables(views, Scope(catalogs=("sha*",)))
        assert [(table.catalog, table.name, table.kind) for table in found] == [
            ("dev", "events", "external table"),
            ("dev", "sales", "table"),
            ("shared", "rates", "table"),
        ]
        assert not any("database_name = current_database()" in sql for sql in views.statements)
