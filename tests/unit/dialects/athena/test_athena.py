"""Athena's text as values, its pages as structure, and which statements read."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pytest
from botocore.parsers import ResponseParserError

from moorings import errors
from moorings.dialects import named
from moorings.dialects.athena import introspection
from moorings.dialects.athena.read_only import reading
from moorings.dialects.athena.types import arrow_type, column, column_type
from moorings.dialects.introspection import Scope

UTC = datetime.UTC


def values(kind: str, *texts: str | None, **about: int) -> list[Any]:
    return column(pa.array(texts, pa.string()), column_type({"Type": kind, **about})).to_pylist()


class TestValues:
    def test_moments_to_the_microsecond(self) -> None:
        texts = ("2020-02-29 12:34:56.123", "2020-02-29 12:34:56", "2020-02-29 12:34:56.123456789", None)
        whole = datetime.datetime(2020, 2, 29, 12, 34, 56)  # noqa: DTZ001  # timestamp has no zone
        found = [whole.replace(microsecond=123_000), whole, whole.replace(microsecond=123_456), None]
        assert values("timestamp", *texts) == found

    def test_instants_from_the_zone_that_each_names(self) -> None:
        texts = (
            "2020-02-29 12:00:00.5 UTC",
            "2020-02-29 12:00:00 America/New_York",
            "2020-02-29 12:00:00 +02:00",
            None,
        )
        hours = (12, 17, 10)
        first, *others = (datetime.datetime(2020, 2, 29, hour, tzinfo=UTC) for hour in hours)
        assert values("timestamp with time zone", *texts) == [first.replace(microsecond=500_000), *others, None]

    def test_the_others(self) -> None:
        assert values("varbinary", "00 ff", "", None) == [b"\0\xff", b"", None]
        assert values("time", "12:34:56.500", None) == [datetime.time(12, 34, 56, 500_000), None]
        assert values("decimal", "123.45", None, Precision=10, Scale=2) == [decimal.Decimal("123.45"), None]
        assert values("boolean", "true", "false", None) == [True, False, None]
        assert values("array", "[1, 2]", None) == ["[1, 2]", None]
        assert values("real", "1.5", "-Infinity") == [1.5, float("-inf")]

    def test_a_value_that_its_type_does_not_have_is_told_in_words(self) -> None:
        with pytest.raises(pa.ArrowInvalid) as raised:
            values("integer", "x")
        assert "Cast it" in named("athena").translate(raised.value, []).message

    def test_types_of_tables_are_those_of_results(self) -> None:
        natives = ("decimal(10,2)", "string", "array<int>", "int", "binary", "timestamp", "char(3)")
        assert [arrow_type(native) for native in natives] == [
            "decimal128(10, 2)",
            "string",
            "string",
            "int32",
            "binary",
            "timestamp[us]",
            "string",
        ]


class Pages:
    """Answers calls, and counts them."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, operation: str, key: str, **arguments: Any) -> Iterable[Mapping[str, Any]]:
        self.calls.append(operation)
        if operation == "list_data_catalogs":
            return [{"CatalogName": name} for name in ("AwsDataCatalog", "lake", "sea")]
        if operation == "list_databases":
            return [{"Name": "app"}, {"Name": "other"}]
        columns = [{"Name": f"c{place}", "Type": "int", "Comment": "x"} for place in range(29)]
        made = {"TableType": "EXTERNAL_TABLE", "Columns": columns, "PartitionKeys": [{"Name": "day", "Type": "date"}]}
        tables = ({"Name": f"t{number}", "Parameters": {"comment": "y"}, **made} for number in range(2000))
        return list(tables) if arguments["DatabaseName"] == "app" else []


class TestStructure:
    def test_two_thousand_tables_in_a_call_a_database(self) -> None:
        pages = Pages()
        tables = introspection.tables(pages, Scope(), "AwsDataCatalog")
        assert pages.calls == ["list_databases", "list_table_metadata", "list_table_metadata"]
        assert {len(table.columns) for table in tables} == {30}
        assert (tables[0].comment, tables[0].columns[29].name, tables[0].columns[29].position) == ("y", "day", 30)

    def test_other_catalogs_are_read_when_they_are_included(self) -> None:
        tables = introspection.tables(Pages(), Scope(("app",), ("l*",)), "AwsDataCatalog")
        assert {table.catalog for table in tables} == {"AwsDataCatalog", "lake"}


class TestReading:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1",
            "select/**/1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "(SELECT 1)",
            "VALUES 1",
            "TABLE t",
            "SHOW TABLES",
            "DESCRIBE t",
            "desc t",
            "EXPLAIN SELECT 1",
            "EXPLAIN (FORMAT JSON) WITH a AS (SELECT 1) SELECT * FROM a",
        ],
    )
    def test_what_reads_passes_as_it_is(self, sql: str) -> None:
        assert reading(sql) == sql
        assert reading(f" /* it's */ -- INSERT\n\t{sql}") == sql

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO t VALUES (1)",
            "/* SELECT */INSERT INTO t VALUES (1)",
            "-- SELECT\rINSERT INTO t VALUES (1)\nDROP TABLE t",
            "EXPLAIN ANALYZE SELECT 1",
            "explain analyze verbose insert into t select 1",
            "CREATE TABLE t AS SELECT 1",
            "UNLOAD (SELECT 1) TO 's3://b/c'",
        ],
    )
    def test_what_writes_does_not(self, sql: str) -> None:
        with pytest.raises(errors.ReadOnly):
            reading(sql)

    @pytest.mark.parametrize(
        "sql", ["", " ;", "-- nothing", "SELECTED", "/* open", "SET x = 1", "USING EXTERNAL FUNCTION f"]
    )
    def test_nor_what_is_neither(self, sql: str) -> None:
        with pytest.raises(errors.StatementRefused):
            reading(sql)


class TestWords:
    def test_an_answer_that_cannot_be_read_is_not_quoted(self) -> None:
        error = ResponseParserError("Unable to parse response: b'<SecretAccessKey>secret</SecretAccessKey>'")
        fault = named("athena").translate(error, [])
        assert fault.code == "another_service"
        assert "secret" not in fault.explained
