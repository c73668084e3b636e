"""Trino without a server: its types, values of its protocol, and statements with parameters."""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

import pyarrow as pa
import pytest

from moorings.dialects.base import Statement
from moorings.dialects.trino.statements import executed, identifier, text
from moorings.dialects.trino.types import arrow_type, column

NEW_YEAR = datetime.datetime(2020, 1, 1)  # noqa: DTZ001  # TIMESTAMP has no zone


class TestColumns:
    @pytest.mark.parametrize(
        ("native", "arrow", "sent", "got"),
        [
            ("bigint", "int64", [1, None], [1, None]),
            ("real", "float", [1.5, "Infinity", None], [1.5, math.inf, None]),
            ("decimal(38)", "decimal128(38, 0)", ["12", None], [decimal.Decimal(12), None]),
            ("decimal(10,2)", "decimal128(10, 2)", ["1.23"], [decimal.Decimal("1.23")]),
            ("char(3)", "string", ["x  "], ["x  "]),
            ("varbinary", "binary", ["AP8=", None], [b"\0\xff", None]),
            ("date", "date32[day]", ["2020-01-01", None], [datetime.date(2020, 1, 1), None]),
            ("time(3)", "time64[us]", ["12:34:56.123"], [datetime.time(12, 34, 56, 123000)]),
            ("timestamp(0)", "timestamp[s]", ["2020-01-01 00:00:00"], [NEW_YEAR]),
            ("timestamp", "timestamp[ms]", ["2020-01-01 00:00:00.000", None], [NEW_YEAR, None]),
            (
                "timestamp(6)",
                "timestamp[us]",
                ["2020-01-01 00:00:00.000000", None],
                [NEW_YEAR, None],
            ),
            (
                "timestamp(12)",
                "timestamp[ns]",
                ["2020-01-01 00:00:00.000000000999", "0001-01-01 00:00:00.000000000000"],
                [NEW_YEAR, None],
            ),
            ("time(3) with time zone", "string", ["12:00:00.000+01:00"], ["12:00:00.000+01:00"]),
            ("interval day to second", "string", ["1 00:00:00.000"], ["1 00:00:00.000"]),
            ("unknown", "null", [None], [None]),
            ("uuid", "string", ["3f333df6-90a4-4fda-8dd3-9485d27cee36"], ["3f333df6-90a4-4fda-8dd3-9485d27cee36"]),
            ("array(integer)", "list<item: int32>", [[1, None], None, []], [[1, None], None, []]),
            ("map(unknown, unknown)", "map<string, null>", [{}, None], [[], None]),
            (
                "row(a integer, a integer, a_2 integer)",
                "struct<a: int32, a_2: int32, a_2_2: int32>",
                [[1, 2, 3]],
                [{"a": 1, "a_2": 2, "a_2_2": 3}],
            ),
            ("map(integer, boolean)", "map<int32, bool>", [{"1": True}, None], [[(1, True)], None]),
            (
                'row(a integer, "b c" array(timestamp(3)))',
                "struct<a: int32, b c: list<item: timestamp[ms]>>",
                [[1, ["2020-01-01 00:00:00.000"]], None],
                [{"a": 1, "b c": [NEW_YEAR]}, None],
            ),
            (
                "row(integer, timestamp(3) with time zone, interval day to second)",
                "struct<field0: int32, field1: timestamp[ms, tz=UTC], field2: string>",
                [[1, None, "1 00:00:00.000"]],
                [{"field0": 1, "field1": None, "field2": "1 00:00:00.000"}],
            ),
        ],
    )
    def test_each_type(self, native: str, arrow: str, sent: list[Any], got: list[Any]) -> None:
        found = column(sent, native)
        assert str(arrow_type(native)) == arrow == str(found.type)
        assert found.to_pylist() == got

    @pytest.mark.parametrize(
        ("native", "sent", "ticks"),
        [
            ("date", "0000-01-01", -719_528),
            ("date", "-0001-01-01", -719_893),
            ("date", "12020-01-01", 3_670_687),
            ("timestamp(0)", "0000-01-01 00:00:01", -719_528 * 86_400 + 1),
            ("timestamp(6)", "+12020-01-01 00:00:00.000007", 3_670_687 * 86_400_000_000 + 7),
            ("timestamp(3) with time zone", "+12020-01-01 01:00:00.000 +01:00", 3_670_687 * 86_400_000),
        ],
    )
    def test_years_beyond_pythons_have_their_place(self, native: str, sent: str, ticks: int) -> None:
        found = column([sent, None], native)
        assert found.cast(pa.int32() if native == "date" else pa.int64()).to_pylist() == [ticks, None]

    def test_nan(self) -> None:
        assert math.isnan(column(["NaN"], "double").to_pylist()[0])

    def test_instants_of_several_zones(self) -> None:
        sent = [
            "2020-07-01 12:00:00.000000 UTC",
            "2020-07-01 12:00:00.000000 America/New_York",
            "2020-07-01 12:00:00.000000 +02:00",
            None,
        ]
        found = column(sent, "timestamp(6) with time zone").to_pylist()
        assert [each and each.hour for each in found] == [12, 16, 10, None]


class TestStatements:
    def test_a_semicolon_at_the_end_is_left_out(self) -> None:
        assert executed(Statement("SELECT ';' -- ;\n; ")) == "SELECT ';'"

    def test_values_become_literals(self) -> None:
        values = (None, True, 7, 2**70, 1.5, "it's", [1, "a"], {"a": 1})
        assert executed(Statement("SELECT 'x', ?", values)) == (
            "EXECUTE IMMEDIATE 'SELECT ''x'', ?' USING NULL, true, 7, DECIMAL '1180591620717411303424', DOUBLE '1.5',"
            " 'it''s', ARRAY[1, 'a'], '{\"a\": 1}'"
        )

    def test_names_and_strings_are_quoted(self) -> None:
        assert (identifier('a"b'), text("a'b")) == ('"a""b"', "'a''b'")
