"""Record batches on the wire: the text of every type, and exact bodies of every format."""

from __future__ import annotations

import csv
import io
import json
import math
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorings.api.http.negotiation import ARROW, CSV, FORMATS, JSON, NDJSON, Choice
from moorings.api.results import encoders, formats
from moorings.api.results.cells import distinct, type_name

MOST, LEAST = 2**63 - 1, -(2**63)
SPARSE = pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, None]), pa.array(["a", "b", "c"])])


def extension(kind: pa.ExtensionType, values: list[Any]) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))


# Array, the name of its type, its values in JSON, its fields in CSV (as csv.reader sees them).
TYPES: dict[str, tuple[pa.Array, str, list[Any], list[str]]] = {
    "null": (pa.nulls(2), "null", [None, None], ["", ""]),
    "bool": (pa.array([True, False, None]), "bool", [True, False, None], ["true", "false", ""]),
    "int8": (pa.array([-128, 127, None], pa.int8()), "int8", [-128, 127, None], ["-128", "127", ""]),
    "uint32": (pa.array([2**32 - 1], pa.uint32()), "uint32", [2**32 - 1], ["4294967295"]),
    "int64": (
        pa.array([2**53, 2**53 + 1, -(2**53), -(2**53) - 1, MOST, LEAST, None]),
        "int64",
        [2**53, str(2**53 + 1), -(2**53), str(-(2**53) - 1), str(MOST), str(LEAST), None],
        [str(2**53), str(2**53 + 1), str(-(2**53)), str(-(2**53) - 1), str(MOST), str(LEAST), ""],
    ),
    "uint64": (
        pa.array([0, 2**53 + 1, 2**64 - 1], pa.uint64()),
        "uint64",
        [0, str(2**53 + 1), str(2**64 - 1)],
        ["0", str(2**53 + 1), str(2**64 - 1)],
    ),
    "float16": (pa.array([1.5, math.nan, None], pa.float16()), "halffloat", [1.5, None, None], ["1.5", "", ""]),
    "float32": (pa.array([0.1, math.inf], pa.float32()), "float", [0.1, None], ["0.1", ""]),
    "double": (
        pa.array([0.1, 1e300, -0.0, math.nan, math.inf, -math.inf, None]),
        "double",
        [0.1, 1e300, -0.0, None, None, None, None],
        ["0.1", "1e+300", "-0", "", "", "", ""],
    ),
    "decimal": (
        pa.array([Decimal("1.50"), Decimal("0.0000000001"), Decimal(-7), None], pa.decimal128(30, 10)),
        "decimal(30, 10)",
        ["1.5000000000", "0.0000000001", "-7.0000000000", None],
        ["1.5000000000", "0.0000000001", "-7.0000000000", ""],
    ),
    "decimal256": (
        pa.array([Decimal(10**60)], pa.decimal256(76, 2)),
        "decimal(76, 2)",
        [f"{10**60}.00"],
        [f"{10**60}.00"],
    ),
    "decimal, negative scale": (
        pa.array([Decimal("1E+3")], pa.decimal128(5, -3)),
        "decimal(5, -3)",
        ["1000"],
        ["1000"],
    ),
    "string": (
        pa.array(['"', "\\", "\n\r\t\b\f\x00\x1f", "é😀\u2028", "", "null", None]),
        "string",
        ['"', "\\", "\n\r\t\b\f\x00\x1f", "é😀\u2028", "", "null", None],
        ['"', "\\", "\n\r\t\b\f\x00\x1f", "é😀\u2028", "", "null", ""],
    ),
    "large_string": (pa.array(["a", None], pa.large_string()), "string", ["a", None], ["a", ""]),
    "string_view": (pa.array(["a", None], pa.string_view()), "string", ["a", None], ["a", ""]),
    "not UTF-8": (
        pa.array([b"caf\xe9", None, b"ok"]).view(pa.string()),
        "string",
        ["caf\ufffd", None, "ok"],
        ["caf\ufffd", "", "ok"],
    ),
    "binary": (pa.array([b"\x00\xff", b"", None]), "binary", ["AP8=", "", None], ["AP8=", "", ""]),
    "large_binary": (pa.array([b"a"], pa.large_binary()), "binary", ["YQ=="], ["YQ=="]),
    "fixed binary": (pa.array([b"ab", None], pa.binary(2)), "binary", ["YWI=", None], ["YWI=", ""]),
    "binary_view": (pa.array([b"a", None], pa.binary_view()), "binary", ["YQ==", None], ["YQ==", ""]),
    "date32": (
        pa.array([0, -1, 2**31 - 1, None], pa.date32()),
        "date",
        ["1970-01-01", "1969-12-31", None, None],
        ["1970-01-01", "1969-12-31", "", ""],
    ),
    "date64": (pa.array([86_400_000], pa.date64()), "date", ["1970-01-02"], ["1970-01-02"]),
    "time32": (pa.array([3661], pa.time32("s")), "time", ["01:01:01"], ["01:01:01"]),
    "time64": (
        pa.array([1, 86_400_000_000, None], pa.time64("us")),
        "time",
        ["00:00:00.000001", "24:00:00", None],
        ["00:00:00.000001", "24:00:00", ""],
    ),
    "timestamp": (
        pa.array([0, -1, MOST, LEAST, None], pa.timestamp("us")),
        "timestamp[us]",
        ["1970-01-01T00:00:00.000000", "1969-12-31T23:59:59.999999", None, None, None],
        ["1970-01-01T00:00:00.000000", "1969-12-31T23:59:59.999999", "", "", ""],
    ),
    "timestamp, seconds": (
        pa.array([0], pa.timestamp("s")),
        "timestamp[s]",
        ["1970-01-01T00:00:00"],
        ["1970-01-01T00:00:00"],
    ),
    "instant": (
        pa.array([0, MOST, None], pa.timestamp("us", "Europe/Berlin")),
        "timestamp[us, tz=UTC]",
        ["1970-01-01T00:00:00.000000Z", None, None],
        ["1970-01-01T00:00:00.000000Z", "", ""],
    ),
    "duration": (
        pa.array([90_500, -1, 0, None], pa.duration("ms")),
        "duration[ms]",
        ["PT90.5S", "-PT0.001S", "PT0S", None],
        ["PT90.5S", "-PT0.001S", "PT0S", ""],
    ),
    "duration, seconds": (pa.array([-5], pa.duration("s")), "duration[s]", ["-PT5S"], ["-PT5S"]),
    "interval": (
        pa.array([(14, 3, 4_500_000_000), (0, 0, 0), (-1, 0, -1), (0, 1, 0), None], pa.month_day_nano_interval()),
        "interval",
        ["P14M3DT4.5S", "PT0S", "P-1MT-0.000000001S", "P1D", None],
        ["P14M3DT4.5S", "PT0S", "P-1MT-0.000000001S", "P1D", ""],
    ),
    "dictionary": (pa.array(["a", None, "a"]).dictionary_encode(), "string", ["a", None, "a"], ["a", "", "a"]),
    "run ends": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", None])),
        "string",
        ["a", "a", None],
        ["a", "a", ""],
    ),
    "list": (
        pa.array([[1, None], [], [MOST], None]),
        "list<int64>",
        [[1, None], [], [str(MOST)], None],
        ["[1,null]", "[]", f'["{MOST}"]', ""],
    ),
    "fixed list": (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), "list<int8>", [[1, 2], None], ["[1,2]", ""]),
    "large list": (pa.array([["a"], None], pa.large_list(pa.string())), "list<string>", [["a"], None], ['["a"]', ""]),
    "list view": (
        pa.array([['"'], [], [None], None], pa.list_view(pa.string())),
        "list<string>",
        [['"'], [], [None], None],
        ['["\\""]', "[]", "[null]", ""],
    ),
    "struct": (
        pa.array([{"a": 1, "b": [Decimal("1.2")]}, {"a": None, "b": None}, None]),
        "struct<a: int64, b: list<decimal(2, 1)>>",
        [{"a": 1, "b": ["1.2"]}, {"a": None, "b": None}, None],
        ['{"a":1,"b":["1.2"]}', '{"a":null,"b":null}', ""],
    ),
    "map": (
        pa.array([[('"', 1)], [], [("a", None), ("b", 2)], None], pa.map_(pa.string(), pa.int8())),
        "map<string, int8>",
        [{'"': 1}, {}, {"a": None, "b": 2}, None],
        ['{"\\"":1}', "{}", '{"a":null,"b":2}', ""],
    ),
    "map of numbers": (
        pa.array([[(1, "x")], None], pa.map_(pa.int64(), pa.string())),
        "map<int64, string>",
        [{"1": "x"}, None],
        ['{"1":"x"}', ""],
    ),
    "list of structs": (
        pa.array([[{"a": [1]}, None], None]),
        "list<struct<a: list<int64>>>",
        [[{"a": [1]}, None], None],
        ['[{"a":[1]},null]', ""],
    ),
    "union": (SPARSE, str(SPARSE.type), [1, "b", None], ["1", '"b"', ""]),
    "uuid": (
        extension(pa.uuid(), [uuid.UUID(int=1).bytes, None, uuid.UUID(int=2**128 - 1).bytes]),
        "uuid",
        [str(uuid.UUID(int=1)), None, str(uuid.UUID(int=2**128 - 1))],
        [str(uuid.UUID(int=1)), "", str(uuid.UUID(int=2**128 - 1))],
    ),
    "json": (extension(pa.json_(), ['{"a": 1}', None]), "json", ['{"a": 1}', None], ['{"a": 1}', ""]),
    "bool8": (extension(pa.bool8(), [0, 1, None]), "bool8", [False, True, None], ["false", "true", ""]),
    "opaque": (extension(pa.opaque(pa.string(), "inet", "PostgreSQL"), ["::1"]), "inet", ["::1"], ["::1"]),
    "opaque bytes": (extension(pa.opaque(pa.binary(), "point", "PostgreSQL"), [b"a"]), "point", ["YQ=="], ["YQ=="]),
}


def body(batches: list[pa.RecordBatch], media_type: str, *, truncated: bool = False, codec: str | None = None) -> bytes:
    encoder = formats.encoder(Choice(media_type, codec))
    rows = sum(batch.num_rows for batch in batches)
    parts = [
        encoder.start(batches[0].schema),
        *map(encoder.batch, batches),
        encoder.end(truncated=truncated, row_count=rows),
    ]
    return b"".join(parts)


def batch(*columns: pa.Array, names: list[str] | None = None) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), names or [f"c{number}" for number in range(len(columns))])


def read_csv(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


@pytest.mark.parametrize("name", TYPES)
class TestTypes:
    def test_its_name(self, name: str):
        array, expected, _, _ = TYPES[name]
        assert type_name(array.type) == expected

    def test_in_json(self, name: str):
        array, _, expected, _ = TYPES[name]
        assert [row[0] for row in json.loads(body([batch(array)], JSON))["rows"]] == expected

    def test_in_ndjson(self, name: str):
        array, _, expected, _ = TYPES[name]
        assert [json.loads(line)["c0"] for line in body([batch(array)], NDJSON).split(b"\n")[:-1]] == expected

    def test_in_csv(self, name: str):
        array, _, _, expected = TYPES[name]
        beside = pa.array(range(len(array)))
        assert [row[0] for row in read_csv(body([batch(array, beside)], CSV))[1:]] == expected

    def test_a_slice_is_like_the_whole(self, name: str):
        array, _, expected, _ = TYPES[name]
        rows = json.loads(body([batch(array).slice(1)], JSON))["rows"]
        assert [row[0] for row in rows] == expected[1:]

    def test_arrow_round_trip(self, name: str):
        array = TYPES[name][0]
        read = pa.ipc.open_stream(body([batch(array)], ARROW)).read_next_batch()
        assert read.schema.field(0).type == array.type
        assert body([read], JSON) == body([batch(array)], JSON)


TWO = [
    batch(pa.array([1, None]), pa.array(['a"b', ""]), names=["id", "na,me"]),
    batch(pa.array([3]), pa.array([None], pa.string()), names=["id", "na,me"]),
]


class TestJson:
    def test_exact_bytes(self):
        columns = b'{"columns":[{"name":"id","type":"int64"},{"name":"na,me","type":"string"}],'
        rows = b'"rows":[[1,"a\\"b"],[null,""],[3,null]],"rowCount":3,"truncated":false}\n'
        assert body(TWO, JSON) == columns + rows

    def test_a_cut_is_told(self):
        assert json.loads(body(TWO, JSON, truncated=True))["truncated"] is True

    def test_no_rows(self):
        empty = body([batch(pa.array([], pa.int8()), names=["a"])], JSON)
        assert empty == b'{"columns":[{"name":"a","type":"int8"}],"rows":[],"rowCount":0,"truncated":false}\n'

    def test_no_columns(self):
        rows = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
        assert json.loads(body([rows], JSON))["rows"] == [[], []]

    def test_duplicate_names_stay(self):
        twice = json.loads(body([batch(pa.array([1]), pa.array([2]), names=["a", "a"])], JSON))
        assert [column["name"] for column in twice["columns"]] == ["a", "a"]
        assert twice["rows"] == [[1, 2]]

    def test_text_that_is_a_number_without_a_declared_precision_is_numeric(self):
        fields = [pa.field(name, pa.string(), metadata={"moorings.type": "numeric"}) for name in ("a", "b")]
        fields[1] = fields[1].with_type(pa.list_(pa.string()))
        columns = json.loads(body([pa.RecordBatch.from_pylist([{"a": "1.5", "b": ["2"]}], pa.schema(fields))], JSON))
        assert [column["type"] for column in columns["columns"]] == ["numeric", "list<string>"]


class TestNdjson:
    def test_exact_bytes(self):
        assert body(TWO, NDJSON) == b'{"id":1,"na,me":"a\\"b"}\n{"id":null,"na,me":""}\n{"id":3,"na,me":null}\n'

    def test_no_rows(self):
        assert body([batch(pa.array([], pa.int8()))], NDJSON) == b""

    @pytest.mark.parametrize(
        ("names", "found"),
        [
            (["a", "a"], ["a", "a_2"]),
            (["a", "a", "a"], ["a", "a_2", "a_3"]),
            (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
            (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
            (["", ""], ["", "_2"]),
            (['"', "é"], ['"', "é"]),
        ],
    )
    def test_duplicate_names_are_numbered(self, names: list[str], found: list[str]):
        assert distinct(names) == found
        line = body([batch(*[pa.array([1])] * len(names), names=names)], NDJSON)
        assert list(json.loads(line)) == found


class TestCsv:
    def test_exact_bytes(self):
        assert body(TWO, CSV) == b'"id","na,me"\r\n1,"a""b"\r\n,""\r\n3,\r\n'

    def test_no_line_is_empty(self):
        assert body([batch(pa.array([None, "", "a"]))], CSV) == b'"c0"\r\n""\r\n""\r\n"a"\r\n'

    def test_media_type_says_what_it_is(self):
        assert formats.encoder(Choice(CSV)).media_type == "text/csv; charset=utf-8; header=present"


class TestArrow:
    @pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
    def test_the_last_batch_tells(self, codec: str | None):
        reader = pa.ipc.open_stream(body(TWO, ARROW, truncated=True, codec=codec))
        batches = [reader.read_next_batch_with_custom_metadata() for _ in range(3)]
        assert [found.batch.num_rows for found in batches] == [2, 1, 0]
        assert dict(batches[2].custom_metadata) == {b"moorings.rowCount": b"3", b"moorings.truncated": b"true"}
        with pytest.raises(StopIteration):
            reader.read_next_batch()

    @pytest.mark.parametrize("codec", ["lz4", "zstd"])
    def test_compressed_buffers_are_smaller(self, codec: str):
        many = [batch(pa.array(range(10_000)), pa.repeat(pa.scalar("the same"), 10_000))]
        assert len(body(many, ARROW, codec=codec)) < len(body(many, ARROW)) / 2
        assert pa.ipc.open_stream(body(many, ARROW, codec=codec)).read_all() == pa.Table.from_batches(many)
        assert formats.encoder(Choice(ARROW, codec)).media_type == f"{ARROW}; codecs={codec}"

    def test_dictionaries_may_change(self):
        pieces = [batch(pa.array(values).dictionary_encode()) for values in (["a", "b"], ["c"], ["a"])]
        assert pa.ipc.open_stream(body(pieces, ARROW)).read_all()["c0"].to_pylist() == ["a", "b", "c", "a"]


class TestSlices:
    @pytest.mark.parametrize("media_type", FORMATS)
    def test_batches_of_any_size_make_the_same_text(self, media_type: str, monkeypatch: pytest.MonkeyPatch):
        whole = batch(pa.array(range(100)), pa.array([f"n{number}" for number in range(100)]))
        at_once = body([whole], media_type)
        monkeypatch.setattr(encoders, "SLICE_ROWS", 7)
        assert body([whole], media_type) == at_once


VALUES = st.lists(
    st.tuples(
        st.none() | st.integers(LEAST, MOST),
        st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.floats(),
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12),
        st.none() | st.binary(max_size=8),
        st.none() | st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=3),
    ),
    min_size=1,
    max_size=20,
)
KINDS = (pa.int64(), pa.string(), pa.float64(), pa.decimal128(24, 6), pa.binary(), pa.list_(pa.string()))


class TestAnything:
    @settings(max_examples=100, deadline=None)
    @given(VALUES, st.integers(0, 5))
    def test_json_ndjson_and_csv_say_the_same(self, rows: list[tuple[Any, ...]], skipped: int):
        columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), KINDS, strict=True)]
        found = batch(*columns).slice(min(skipped, len(rows)))
        rows = rows[min(skipped, len(rows)) :]
        in_json = json.loads(body([found], JSON))["rows"]
        assert [list(json.loads(line).values()) for line in body([found], NDJSON).split(b"\n")[:-1]] == in_json
        in_csv = read_csv(body([found], CSV))[1:]
        for row, cells, fields in zip(rows, in_json, in_csv, strict=True):
            assert cells[0] == (row[0] if row[0] is None or abs(row[0]) <= 2**53 else str(row[0]))
            assert fields[0] == ("" if row[0] is None else str(row[0]))
            assert cells[1] == row[1]
            assert fields[1] == (row[1] or "")
            assert cells[2] == (row[2] if row[2] is not None and math.isfinite(row[2]) else None)
            assert (None if cells[3] is None else Decimal(cells[3])) == row[3]
            assert (None if fields[3] == "" else Decimal(fields[3])) == row[3]
            assert cells[5] == row[5]
            assert (None if fields[5] == "" else json.loads(fields[5])) == row[5]
