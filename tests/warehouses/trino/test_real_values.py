"""Values of a real Trino: each type as each format has it, and as Trino's own text where it has one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moorings.api.http.negotiation import ARROW, CSV, JSON, NDJSON, PARQUET, XLSX
from tests.warehouses.trino.real import trino

VALUES: dict[str, tuple[str, Any, Any]] = {
    "true": ("bool", True, True),
    "tinyint '-128'": ("int8", -128, "-128"),
    "smallint '-32768'": ("int16", -32768, "-32768"),
    "-2147483648": ("int32", -2147483648, "-2147483648"),
    "bigint '-9223372036854775808'": ("int64", "-9223372036854775808", "-9223372036854775808"),
    "real '1.5'": ("float", 1.5, None),
    "1.7976931348623157E308": ("double", 1.7976931348623157e308, None),
    "decimal '-99999999999999999999999999999999999999'": ("decimal128(38, 0)", "-" + "9" * 38, "-" + "9" * 38),
    "decimal '12.50'": ("decimal128(4, 2)", "12.50", "12.50"),
    "'häß 😀 \"q\"'": ("string", 'häß 😀 "q"', 'häß 😀 "q"'),
    "CAST('x' AS char(3))": ("string", "x  ", "x  "),
    "X'00FF'": ("binary", "AP8=", None),
    "json '{\"a\": [1, null]}'": ("string", '{"a":[1,null]}', None),
    "date '9999-12-31'": ("date32[day]", "9999-12-31", "9999-12-31"),
    "date '0000-01-01'": ("date32[day]", "0000-01-01", "0000-01-01"),
    "date '-0043-03-15'": ("date32[day]", "-0043-03-15", "-0043-03-15"),
    "date '12020-01-01'": ("date32[day]", "12020-01-01", "12020-01-01"),
    "time '23:59:59.999999'": ("time64[us]", "23:59:59.999999", "23:59:59.999999"),
    "time '23:59:59.999999999'": ("time64[ns]", "23:59:59.999999999", "23:59:59.999999999"),
    "time '12:34:56.789 +05:30'": ("string", "12:34:56.789+05:30", "12:34:56.789+05:30"),
    "timestamp '2020-02-29 12:34:56'": ("timestamp[s]", "2020-02-29T12:34:56", None),
    "timestamp '2020-02-29 12:34:56.123456789'": ("timestamp[ns]", "2020-02-29T12:34:56.123456789", None),
    "timestamp '-0043-03-15 10:00:00.500'": ("timestamp[ms]", "-0043-03-15 10:00:00.500", "-0043-03-15 10:00:00.500"),
    "timestamp '12020-01-01 00:00:00'": ("timestamp[s]", "+12020-01-01 00:00:00", "+12020-01-01 00:00:00"),
    "timestamp '2020-07-01 12:00:00 Europe/Berlin'": ("timestamp[s, tz=UTC]", "2020-07-01T10:00:00Z", None),
    "timestamp '12020-01-01 00:00:00 UTC'": ("timestamp[s, tz=UTC]", "+12020-01-01 00:00:00 UTC", None),
    "interval '-3-1' year to month": ("string", "-3-1", "-3-1"),
    "interval '-2 03:04:05.678' day to second": ("string", "-2 03:04:05.678", "-2 03:04:05.678"),
    "uuid '3f333df6-90a4-4fda-8dd3-9485d27cee36'": (
        "string",
        "3f333df6-90a4-4fda-8dd3-9485d27cee36",
        "3f333df6-90a4-4fda-8dd3-9485d27cee36",
    ),
    "ipaddress '2001:db8::1'": ("string", "2001:db8::1", "2001:db8::1"),
    "ARRAY[1, NULL]": ("list<item: int32>", [1, None], None),
    "ARRAY[ARRAY[decimal '1.50'], NULL]": ("list<item: list<item: decimal128(3, 2)>>", [["1.50"], None], None),
    "ARRAY[date '-0043-03-15', NULL]": ("list<item: date32[day]>", ["-0043-03-15", None], None),
    "MAP(ARRAY['k'], ARRAY[1.5E0])": ("map<string, double>", {"k": 1.5}, None),
    "MAP(ARRAY[1], ARRAY[CAST(NULL AS date)])": ("map<int32, date32[day]>", {"1": None}, None),
    "MAP()": ("map<string, null>", {}, None),
    "CAST(ROW(X'00FF', NULL) AS ROW(a varbinary, b date))": (
        "struct<a: binary, b: date32[day]>",
        {"a": "AP8=", "b": None},
        None,
    ),
    "CAST(ROW(1, 2) AS ROW(a integer, a integer))": ("struct<a: int32, a_2: int32>", {"a": 1, "a_2": 2}, None),
    "ROW(1, 'a')": ("struct<field0: int32, field1: string>", {"field0": 1, "field1": "a"}, None),
    "NULL": ("null", None, None),
    "approx_set(1)": ("string", "AgwBAIADRAA=", None),
}
"""Expression → the type in Arrow, the value in JSON, and Trino's own text (None: a cast does not exist or differs)."""
SQL = f"SELECT {', '.join(f'{expression} AS c{place}' for place, expression in enumerate(VALUES))}"
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(serve: Callable[..., Any]) -> Iterator[Ask]:
    """Run a statement on the real server, in a format."""
    with trino() as server:
        service = serve(connect_timeout_seconds=20)
        body = {"dialect": "trino", "host": server.host, "port": server.port, "database": "app", "sslMode": "disable"}
        path = f"/connections/{service.create(**body, username=server.username)}/query"

        def asking(sql: str, form: str = JSON, parameters: Any = ()) -> Any:
            sent = {"sql": sql, "parameters": list(parameters)}
            answer = service.request("POST", path, json=sent, headers={"accept": form})
            assert answer.status_code == 200, answer.text
            return answer

        yield asking


def test_each_value_in_each_format(ask: Ask) -> None:
    (row,) = ask(SQL).json()["rows"]
    expected = [value for _, value, _ in VALUES.values()]
    assert dict(zip(VALUES, row, strict=True)) == dict(zip(VALUES, expected, strict=True))
    (line,) = ask(SQL, NDJSON).text.splitlines()
    assert list(json.loads(line).values()) == expected
    table = pa.ipc.open_stream(ask(SQL, ARROW).content).read_all()
    table.validate(full=True)
    (held,) = table.to_pylist()
    assert dict(zip(VALUES, map(str, table.schema.types), strict=True)) == {
        key: kind for key, (kind, *_) in VALUES.items()
    }
    assert held["c15"] is None
    assert (table.schema.field("c15").metadata or {}).get(b"moorings.lossy")
    texts = list(csv.reader(io.StringIO(ask(SQL, CSV).text, newline="")))[1]
    for value, text in zip(expected, texts, strict=True):
        if isinstance(value, str):
            assert text == value
        elif isinstance(value, list | dict):
            assert json.loads(text) == value
    assert pq.read_table(io.BytesIO(ask(SQL, PARQUET).content)).num_columns == len(VALUES)
    assert ask(SQL, XLSX).content.startswith(b"PK")


def test_text_is_trinos_own(ask: Ask) -> None:
    own = {key: text for key, (_, _, text) in VALUES.items() if isinstance(text, str)}
    casts = ", ".join(f"CAST({expression} AS varchar)" for expression in own)
    assert dict(zip(own, ask(f"SELECT {casts}").json()["rows"][0], strict=True)) == own


def test_null_of_each_type_is_null(ask: Ask) -> None:
    sql = f"SELECT q.* FROM (VALUES 1) AS one(a) LEFT JOIN ({SQL}) AS q ON false"
    assert ask(sql).json()["rows"] == [[None] * len(VALUES)]
    table = pa.ipc.open_stream(ask(sql, ARROW).content).read_all()
    table.validate(full=True)
    assert set(map(str, table.to_pylist()[0].values())) == {"None"}


@pytest.mark.parametrize(
    ("sql", "parameters", "value"),
    [
        ("SELECT ? = 'x'", ["x"], True),
        ("SELECT ? + 1", [41], 42),
        ("SELECT CAST(? AS double) = 1.5", [1.5], True),
        ("SELECT ? IS NULL", [None], True),
        ("SELECT CAST(? AS date) > date '2020-01-01'", ["2026-01-31"], True),
        ("SELECT count(*) FROM tpch.tiny.nation WHERE regionkey = ? AND name <> ?", [1, 'it\'s "q" ; --'], 5),
    ],
)
def test_parameters(ask: Ask, sql: str, parameters: list[Any], value: Any) -> None:
    assert ask(sql, parameters=parameters).json()["rows"] == [[value]]


def test_many_rows_come_once_each(ask: Ask) -> None:
    table = pa.ipc.open_stream(ask("SELECT orderkey FROM tpch.tiny.orders", ARROW).content).read_all()
    assert table.num_rows == len(set(table["orderkey"].to_pylist())) == 15_000
