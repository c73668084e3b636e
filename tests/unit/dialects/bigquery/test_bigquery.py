"""BigQuery's types and structure, from rows as Google documents them; and what its errors say."""

from __future__ import annotations

import sqlglot
from google.auth.exceptions import RefreshError

from moorings.dialects import named
from moorings.dialects.bigquery import introspection
from moorings.dialects.bigquery.types import arrow_type

DATASETS = [("p", "one"), ("p", "two")]
ANSWERS = {
    "INFORMATION_SCHEMA.TABLES ": [
        ("p", "one", "parents", "BASE TABLE", '"It\'s \\"one\\""'),
        ("p", "one", "children", "BASE TABLE", None),
        ("p", "two", "seen", "MATERIALIZED VIEW", None),
    ],
    "INFORMATION_SCHEMA.COLUMNS": [
        ("p", "one", "parents", "b", 2, "ARRAY<STRUCT<x NUMERIC(10, 2)>>", "YES"),
        ("p", "one", "parents", "a", 1, "INT64", "NO"),
        ("p", "one", "children", "first", 1, "INT64", "YES"),
        ("p", "one", "children", "second", 2, "STRING", "YES"),
        ("p", "two", "seen", "at", 1, "TIMESTAMP", "YES"),
    ],
    "COLUMN_FIELD_PATHS": [("p", "one", "parents", "a", "What counts")],
    "__TABLES__": [("p", "one", "parents", 7, 70), ("p", "two", "seen", 1, 10)],
    "KEY_COLUMN_USAGE": [
        ("p", "one", "children", "FOREIGN KEY", "children.fk$1", "second", 2, 1),
        ("p", "one", "children", "FOREIGN KEY", "children.fk$1", "first", 1, 2),
        ("p", "one", "parents", "PRIMARY KEY", "parents.pk$", "b", 2, None),
        ("p", "one", "parents", "PRIMARY KEY", "parents.pk$", "a", 1, None),
    ],
    "CONSTRAINT_COLUMN_USAGE": [("p", "one", "children.fk$1", "p", "one", "parents")],
}


class FakeServer:
    """Answers statements, and keeps them."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.statements: list[str] = []

    def __call__(self, sql: str, *, needed: bool = False) -> list[tuple[object, ...]]:
        self.statements.append(sql)
        view = next(view for view in ANSWERS if view in sql)
        assert not (needed and view in self.refused)
        return [] if view in self.refused else ANSWERS[view]


class TestTypes:
    def test_of_columns_as_the_catalog_writes_them(self) -> None:
        found = {native: arrow_type(native) for native in ("INT64", "BIGNUMERIC(40, 2)", "STRING(5)", "INTERVAL")}
        assert list(found.values()) == ["int64", "decimal256(76, 38)", "string", "month_day_nano_interval"]

    def test_of_those_that_hold_others(self) -> None:
        native = "STRUCT<`a b` ARRAY<DATE>, c STRUCT<d BYTES>, e RANGE<DATETIME>>"
        assert arrow_type(native) == (
            "struct<a b: list<item: date32[day]>, c: struct<d: binary>,"
            " e: struct<start: timestamp[us], end: timestamp[us]>>"
        )


class TestStructure:
    def test_everything_in_six_statements(self) -> None:
        server = FakeServer()
        children, parents, seen = introspection.tables(server, DATASETS)
        assert len(server.statements) == 6
        assert (parents.comment, parents.row_count, parents.size_bytes) == ('It\'s "one"', 7, 70)
        assert [(column.name, column.nullable, column.comment) for column in parents.columns] == [
            ("a", False, "What counts"),
            ("b", True, None),
        ]
        assert parents.columns[1].arrow_type == "list<item: struct<x: decimal128(38, 9)>>"
        assert (seen.kind, seen.row_count) == ("materialized view", None)
        assert parents.primary_key == ("a", "b")
        (key,) = children.foreign_keys
        assert (key.columns, key.referred_columns, key.table) == (("first", "second"), ("b", "a"), "parents")

    def test_what_takes_grants_of_its_own_may_be_missing(self) -> None:
        server = FakeServer("COLUMN_FIELD_PATHS", "__TABLES__", "KEY_COLUMN_USAGE", "CONSTRAINT_COLUMN_USAGE")
        assert [table.row_count for table in introspection.tables(server, DATASETS)] == [None, None, None]

    def test_many_datasets_are_asked_by_the_hundred(self) -> None:
        server = FakeServer()
        introspection.tables(server, [("p", f"d{number}") for number in range(250)])
        assert len(server.statements) == 18

    def test_the_statements_are_bigquerys_sql(self) -> None:
        server = FakeServer()
        introspection.tables(server, DATASETS)
        for sql in server.statements:
            assert sqlglot.parse_one(sql, read="bigquery")


class TestWords:
    def test_of_a_failed_login_the_answer_is_not_quoted(self) -> None:
        error = RefreshError("Unable to acquire impersonated credentials", '{"accessToken": "ya29.secret"}')
        fault = named("bigquery").translate(error, [])
        assert fault.code == "login_refused"
        assert "ya29" not in fault.explained
