"""Results decoded as their bytes arrive, in pieces of any size."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest

from moorings.client.errors import StreamBroken, faults
from moorings.client.results.arrow import ArrowDecoder
from moorings.client.results.rows import distinct, for_polars, tuples, with_decimals
from moorings.client.results.text import JsonDecoder

NUMERIC = {b"moorings.type": b"numeric"}


def stream(*batches: pa.RecordBatch, delta: bool = False, last: dict[str, str] | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=delta)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
        if last:
            writer.write_batch(batches[0].slice(0, 0), custom_metadata=last)
    return sink.getvalue().to_pybytes()


def fed(decoder, data: bytes, size: int) -> list:
    return [chunk for start in range(0, len(data), size) for chunk in decoder.feed(data[start : start + size])]


def words(*values: str | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values).dictionary_encode()], ["word"])


class TestArrow:
    @pytest.mark.parametrize("size", [1, 7, 64, 10**6])
    def test_pieces_of_any_size_give_the_same_rows(self, size):
        batches = [pa.RecordBatch.from_pydict({"a": [n, None], "b": ["x" * n, "y"]}) for n in range(4)]
        decoder = ArrowDecoder()
        found = fed(decoder, stream(*batches), size)
        decoder.finish()
        assert [batch.to_pydict() for batch in found] == [batch.to_pydict() for batch in batches]

    @pytest.mark.parametrize("delta", [False, True])
    def test_dictionaries_that_change(self, delta):
        batches = [words("a", "b"), words("a", "b", "c"), words("z")] if not delta else [words("a"), words("a", "b")]
        found = fed(ArrowDecoder(), stream(*batches, delta=delta), 33)
        assert [batch.to_pydict() for batch in found] == [batch.to_pydict() for batch in batches]

    def test_a_stream_without_its_end_is_broken(self):
        decoder = ArrowDecoder()
        decoder.feed(stream(pa.RecordBatch.from_pydict({"a": [1]}))[:-8])
        with pytest.raises(StreamBroken):
            decoder.finish()

    def test_something_else_is_broken(self):
        with pytest.raises(StreamBroken):
            ArrowDecoder().feed(b"<html>a proxy</html>")

    @pytest.mark.parametrize("truncated", [True, False])
    def test_the_last_batch_says_whether_rows_are_missing(self, truncated):
        decoder = ArrowDecoder()
        last = {"moorings.rowCount": "1", "moorings.truncated": json.dumps(truncated)}
        assert len(decoder.feed(stream(pa.RecordBatch.from_pydict({"a": [1]}), last=last))) == 1
        assert decoder.truncated is truncated


COLUMNS = [{"name": "n", "type": "decimal(5, 2)"}, {"name": "big", "type": "int64"}, {"name": "t", "type": "string"}]
ROWS = [["1.50", "9007199254740993", 'a"],[\\ü'], [None, 7, "]}"]]


def whole(rows: list) -> bytes:
    answer = {"columns": COLUMNS, "rows": rows, "rowCount": len(rows), "truncated": False}
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class TestJson:
    @pytest.mark.parametrize("size", [1, 5, 10**6])
    @pytest.mark.parametrize("rows", [[], ROWS])
    def test_pieces_of_any_size_give_the_same_rows(self, size, rows):
        decoder = JsonDecoder()
        found = [row for chunk in [*fed(decoder, whole(rows), size), *decoder.finish()] for row in chunk]
        expected = [(Decimal("1.50"), 9007199254740993, 'a"],[\\ü'), (None, 7, "]}")]
        assert found == (expected if rows else [])
        assert decoder.columns == ["n", "big", "t"]

    @pytest.mark.parametrize("end", [-2, -20, -40, 30])
    def test_a_part_is_broken(self, end):
        decoder = JsonDecoder()
        decoder.feed(whole(ROWS)[:end])
        with pytest.raises(StreamBroken):
            decoder.finish()

    def test_a_long_row_is_not_parsed_again_for_each_piece(self):
        decoder = JsonDecoder()
        tries = []
        decode = decoder._decode
        decoder._decode = lambda text, at: (tries.append(at), decode(text, at))[1]
        fed(decoder, whole([["1.5", 1, "x" * 100_000]]), 100)
        assert len(tries) < 40  # of 1,000 pieces


class TestExactNumbers:
    @pytest.mark.parametrize(
        ("texts", "kind"),
        [
            (["1.5", "-20", None], pa.decimal128(3, 1)),
            (["9" * 30 + "." + "1" * 20], pa.decimal256(50, 20)),
            (["1", "NaN"], pa.string()),
            (["9" * 60 + "." + "1" * 30], pa.string()),
            ([None], pa.decimal128(38, 0)),
        ],
    )
    def test_become_decimals_as_far_as_they_fit(self, texts, kind):
        table = pa.table(
            [pa.array(texts, pa.string())], schema=pa.schema([pa.field("n", pa.string(), metadata=NUMERIC)])
        )
        found = with_decimals(table)
        assert found.schema.field("n").type == kind
        plain = [None if text is None else text if kind == pa.string() else Decimal(text) for text in texts]
        assert found.to_pydict()["n"] == plain

    def test_are_decimals_in_rows_and_other_text_is_not(self):
        fields = [pa.field("n", pa.string(), metadata=NUMERIC), pa.field("t", pa.string())]
        batch = pa.RecordBatch.from_arrays(
            [pa.array(["1.50", None]), pa.array(["1.50", "x"])], schema=pa.schema(fields)
        )
        assert tuples(batch) == [(Decimal("1.50"), "1.50"), (None, "x")]

    def test_lists_of_them_are_lists_of_decimals(self):
        field = pa.field("n", pa.list_(pa.string()), metadata=NUMERIC)
        batch = pa.RecordBatch.from_arrays([pa.array([["1.5", None]])], schema=pa.schema([field]))
        assert tuples(batch) == [([Decimal("1.5"), None],)]
        assert with_decimals(pa.Table.from_batches([batch])).schema.field("n").type == pa.list_(pa.string())

    def test_nanoseconds_are_cut_to_what_python_has(self):
        batch = pa.RecordBatch.from_arrays([pa.array([1_000_000_001], pa.timestamp("ns"))], ["t"])
        assert tuples(batch)[0][0].isoformat() == "1970-01-01T00:00:01"

    def test_polars_gets_no_decimal_of_more_than_38_digits(self):
        table = pa.table({"n": pa.array([Decimal(1)], pa.decimal256(50, 0))})
        assert for_polars(table).schema.field("n").type == pa.string()


def test_names_of_columns_are_made_distinct():
    assert distinct(["a", "a", "a_2", "b", "a"]) == ["a", "a_3", "a_2", "b", "a_4"]


class TestFaults:
    def test_are_read_by_field(self):
        detail = "Bad Request: name: Required; port: Expected number, received string"
        assert faults(detail) == {"name": "Required", "port": "Expected number, received string"}

    @pytest.mark.parametrize("detail", ["Permission denied", "Bad Request: Invalid JSON"])
    def test_are_none_in_other_details(self, detail):
        assert faults(detail) == {}
