"""ClickHouse without a server: its types, where statements end, and answers that break off."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from urllib3.response import HTTPResponse

from moorings import dialects, errors
from moorings.dialects.clickhouse.body import END, Body
from moorings.dialects.clickhouse.statements import TOKEN, literal, named
from moorings.dialects.clickhouse.types import arrow_type, convert, nullable
from moorings.dialects.statements import trimmed


class TestTypes:
    @pytest.mark.parametrize(
        ("native", "arrow"),
        [
            ("Nullable(LowCardinality(String))", "string"),
            ("LowCardinality(Nullable(FixedString(4)))", "binary"),
            ("DateTime", "timestamp[s, tz=Asia/Tokyo]"),
            ("DateTime('Europe/Berlin')", "timestamp[s, tz=Europe/Berlin]"),
            ("DateTime64(0)", "timestamp[s, tz=Asia/Tokyo]"),
            ("DateTime64(7, 'UTC')", "timestamp[ns, tz=UTC]"),
            ("Decimal(50, 3)", "decimal256(50, 3)"),
            ("Decimal32(2)", "decimal128(9, 2)"),
            ("SimpleAggregateFunction(sum, UInt64)", "uint64"),
            (
                "Array(Tuple(a Int32, `b c` Enum8('x, (' = 1, 'it\\'s' = -2)))",
                "list<item: struct<a: int32, b c: string>>",
            ),
            ("Nested(a Int8, b Map(String, Float32))", "list<item: struct<a: int8, b: map<string, float>>>"),
            ("MultiPolygon", "list<item: list<item: list<item: struct<1: double, 2: double>>>>"),
            ("AggregateFunction(sum, Int8)", "None"),
            ("Array(Dynamic)", "None"),
        ],
    )
    def test_each_has_its_arrow_type(self, native: str, arrow: str) -> None:
        assert str(arrow_type(native, "Asia/Tokyo")) == arrow

    @pytest.mark.parametrize(("native", "may"), [("Nullable(Int8)", True), ("LowCardinality(Nullable(String))", True)])
    def test_which_may_be_null(self, native: str, may: bool) -> None:
        assert nullable(native) is may
        assert not nullable("Array(Nullable(Int8))")

    def test_what_older_servers_write_is_converted_too(self) -> None:
        """Strings as bytes, dates as days, dictionaries, UUIDs without their Arrow extension."""
        assert convert(pa.array([b"x", b"\xff"]), "String", pa.string()).to_pylist() == ["x", "\ufffd"]
        assert str(convert(pa.array([1], pa.uint16()), "Date", pa.date32())[0]) == "1970-01-02"
        words = pa.array(["a", "b", "a"]).dictionary_encode()
        assert convert(words, "LowCardinality(String)", pa.string()).to_pylist() == ["a", "b", "a"]
        raw = pa.array([bytes(range(16))], pa.binary(16))
        assert convert(raw, "UUID", pa.string()).to_pylist() == ["00010203-0405-0607-0809-0a0b0c0d0e0f"]

    def test_null_lists_and_maps_stay_null(self) -> None:
        lists = pa.array([[1], None, []], pa.list_(pa.int8()))
        target = arrow_type("Array(Enum8('a' = 1))", "UTC")
        assert target is not None
        assert convert(lists, "Array(Enum8('a' = 1))", target).to_pylist() == [["a"], None, []]


class TestStatements:
    @pytest.mark.parametrize(
        ("sql", "trimmed_sql"),
        [
            ("SELECT 1 ; ", "SELECT 1"),
            ("SELECT 1 -- the end\n;", "SELECT 1"),
            ("SELECT '-- no;'", "SELECT '-- no;'"),
            (r"SELECT 'it\'s; /*' /* yes */ # end", r"SELECT 'it\'s; /*'"),
            ("SELECT 1; SELECT 2", "SELECT 1; SELECT 2"),
            (" ; -- nothing", ""),
        ],
    )
    def test_where_one_ends(self, sql: str, trimmed_sql: str) -> None:
        assert trimmed(sql, TOKEN) == trimmed_sql

    def test_parameters_in_strings_and_comments_are_none(self) -> None:
        assert named("SELECT {p1:Int8}, '{p2:Int8}' -- {p3:Int8}", [7]) == {"p1": 7}
        with pytest.raises(errors.ParametersRefused):
            named("SELECT '{p1:Int8}'", [7])

    def test_literals(self) -> None:
        assert literal("it's \\") == r"'it\'s \\'"


class TestAnswers:
    """Cut and spoiled ones: the server cannot be made to send them at will."""

    def stream(self, rows: int = 3) -> bytes:
        sink = pa.BufferOutputStream()
        batch = pa.record_batch({"a": list(range(rows))})
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return sink.getvalue().to_pybytes()

    def read(self, answer: bytes) -> list[int]:
        body = Body(HTTPResponse(io.BytesIO(answer), preload_content=False))
        assert not body.empty()
        return [value for batch in body.batches(body.arrow()) for value in batch.column(0).to_pylist()]

    def test_a_whole_one(self) -> None:
        whole = self.stream()
        assert whole.endswith(END)
        assert self.read(whole) == [0, 1, 2]

    @pytest.mark.parametrize("cut", [8, 9, 40])
    def test_one_that_is_cut_is_never_taken_for_the_whole(self, cut: int) -> None:
        with pytest.raises(DatabaseError) as broken:
            self.read(self.stream()[:-cut])
        assert isinstance(dialects.named("clickhouse").translate(broken.value, ()), errors.SessionLost)

    @pytest.mark.parametrize(
        "form", ["{}", "\r\n__exception__\r\nabcdefghijklmnop\r\n{}\n120 abcdefghijklmnop\r\n__exception__\r\n"]
    )
    @pytest.mark.parametrize("end", [b"", END])
    def test_an_error_behind_the_rows_is_told(self, form: str, end: bytes) -> None:
        message = (
            "Code: 395. DB::Exception: Value passed to 'throwIf' is non-zero. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"
        )
        answer = self.stream().removesuffix(END) + end + form.format(message).encode()
        with pytest.raises(DatabaseError) as broken:
            self.read(answer)
        assert broken.value.code == 395
        fault = dialects.named("clickhouse").translate(broken.value, ())
        assert isinstance(fault, errors.StatementRefused)
        assert fault.detail == message.partition("DB::Exception: ")[2]
