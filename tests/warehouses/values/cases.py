"""Inputs that once came back wrong, with what is right: a row each, run through the API by `test_cases.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.warehouses.mariadb import server as mariadb

BITS = (
    "drop table if exists bt",
    "create table bt (id int, b1 bit(1), b8 bit(8), b16 bit(16), n bit(4))",
    "insert into bt values (1,b'1',129,258,null),(2,b'0',1,1,b'11')",
)
INVALID_DATES = (
    "set sql_mode='ALLOW_INVALID_DATES'",
    "drop table if exists invd",
    "create table invd (id int, d date, t datetime)",
    "insert into invd values (1,'2024-01-01','2024-01-01 01:02:03'),(2,'2024-04-31','2023-02-29 10:00:00')",
)
TWO_RESULTS = ("create or replace procedure two_results() begin select 1 as a; select 2 as b; end",)


@dataclass(frozen=True)
class Case:
    """A statement, and one of several answers that are right."""

    name: str
    dialect: str
    sql: str
    right: Mapping[str, Any]
    """What the answer is: `rows` of JSON, `text` of CSV, `arrow` rows, or `status` with words of `detail`."""
    parameters: Sequence[Any] = ()
    format: str = "json"
    setup: Sequence[str] = ()
    over: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the connection."""


def _rows(*rows: list[Any]) -> Mapping[str, Any]:
    return {"rows": list(rows)}


def _refused(*words: str) -> Mapping[str, Any]:
    return {"status": 400, "detail": words}


WIDEST = 2**128 - 1

CASES = (
    # ---- MySQL family
    Case(
        "bits in aggregates",
        "mariadb",
        "select max(b1), max(b8), max(b16), min(b8) from bt",
        _rows([1, 129, 258, 1]),
        setup=BITS,
    ),
    Case("bits by IF", "mariadb", "select if(id=1,b8,b16) x from bt order by id", _rows([129], [1]), setup=BITS),
    Case(
        "bits by CASE",
        "mariadb",
        "select case when id=1 then b8 else b16 end x from bt order by id",
        _rows([129], [1]),
        setup=BITS,
    ),
    Case("bits by NULLIF", "mariadb", "select nullif(b8,0) x from bt order by id", _rows([129], [1]), setup=BITS),
    Case(
        "bits by GREATEST",
        "mariadb",
        "select greatest(b8,b16), least(b8,b16) from bt order by id",
        _rows([258, 129], [1, 1]),
        setup=BITS,
    ),
    Case(
        "bits of a table, of derived tables and unions",
        "mariadb",
        "select b8, b16, n, coalesce(n, b8) from bt union all"
        " select b8, b16, n, ifnull(n, b1) from (select * from bt) d order by 1 desc, 2",
        _rows([129, 258, None, 129], [129, 258, None, 1], [1, 1, 3, 3], [1, 1, 3, 3]),
        setup=BITS,
    ),
    Case(
        "bits whose bytes are digits",
        "mariadb",
        "select max(b8), max(b16), b8 from (select cast(49 as unsigned) x) o, bd",
        _rows([49, 12849, 49]),
        setup=(
            "drop table if exists bd",
            "create table bd (b8 bit(8), b16 bit(16))",
            "insert into bd values (49, 12849)",
        ),
    ),
    Case("bits in Arrow", "mariadb", "select max(b8) x from bt", {"arrow": [[129]]}, format="arrow", setup=BITS),
    Case("bits in CSV", "mariadb", "select max(b16) x from bt", {"text": '"x"\r\n258\r\n'}, format="csv", setup=BITS),
    Case("year 0 in JSON", "mariadb", "select cast('0000-01-01' as date) x", _rows(["0000-01-01"])),
    Case("year 0 in Arrow", "mariadb", "select cast('0000-01-01' as date) x", {"arrow": [[None]]}, format="arrow"),
    Case(
        "dates that do not exist",
        "mariadb",
        "select d, t from invd order by id",
        _rows(["2024-01-01", "2024-01-01T01:02:03.000000"], [None, None]),
        setup=INVALID_DATES,
    ),
    Case(
        "times of last summer",
        "mariadb",
        "select from_unixtime(1720000000) summer, from_unixtime(1705000000) winter",
        _rows(["2024-07-03T11:46:40.000000", "2024-01-11T20:06:40.000000"]),
        setup=mariadb.zone("Europe/Berlin"),
        over={"queryTimezone": "Europe/Berlin"},
    ),
    Case(
        "two results",
        "mariadb",
        "call two_results()",
        _refused("several results"),
        setup=TWO_RESULTS,
        over={"readOnly": False},
    ),
    Case(
        "one result of a procedure",
        "mariadb",
        "call one_result()",
        _rows([1], [2]),
        setup=("create or replace procedure one_result() begin select 1 as a union select 2; end",),
        over={"readOnly": False},
    ),
    Case("only a comment", "mariadb", "-- only", _refused("no statement")),
    # ---- DuckDB
    Case("the largest integer", "duckdb", f"select {WIDEST}::uhugeint x", _rows([str(WIDEST)])),
    Case("an integer of 128 bits as a parameter", "duckdb", "select $1 x", _rows([str(2**127)]), [2**127]),
    Case(
        "integers of 128 bits in lists and structs",
        "duckdb",
        f"select [{WIDEST}::uhugeint] x, {{'a': {WIDEST}::uhugeint, 'b': (-{2**127})::hugeint}} y,"
        f" map {{1: {WIDEST}::uhugeint}} z",
        _rows([[str(WIDEST)], {"a": str(WIDEST), "b": str(-(2**127))}, {"1": str(WIDEST)}]),
    ),
    Case(
        "integers of 128 bits in CSV",
        "duckdb",
        f"select {WIDEST}::uhugeint x, [{WIDEST}::uhugeint] y",
        {"text": f'"x","y"\r\n"{WIDEST}","[""{WIDEST}""]"\r\n'},
        format="csv",
    ),
    Case("the offset of a time", "duckdb", "select '12:34:56.789+05:30'::timetz x", _rows(["12:34:56.789+05:30"])),
    Case(
        "times that differ by their offset alone",
        "duckdb",
        "select '12:00:00+00'::timetz = '12:00:00+02'::timetz same, '12:00:00+00'::timetz a, '12:00:00+02'::timetz b",
        _rows([False, "12:00:00+00", "12:00:00+02"]),
    ),
    Case("bit strings", "duckdb", "select '101'::bit x, 1 y", {"text": '"x","y"\r\n"101",1\r\n'}, format="csv"),
    Case("integers of any length", "duckdb", f"select {'1234567890' * 6}::bignum x", _rows(["1234567890" * 6])),
    Case(
        "what the driver writes as inner bytes, nested",
        "duckdb",
        "select ['101'::bit, null] a, {'b': ['12:00:00+02'::timetz], 'c': [-5::bignum]} s, map {'k': '01'::bit} m",
        _rows([["101", None], {"b": ["12:00:00+02"], "c": ["-5"]}, {"k": "01"}]),
    ),
    Case(
        "dates beyond calendars in Arrow",
        "duckdb",
        "select 'infinity'::date x, '-infinity'::timestamp y, '0044-03-15 (BC)'::date z,"
        " ['infinity'::date, '2020-01-01'] l",
        {"arrow": [[None, None, None, [None, "2020-01-01"]]]},
        format="arrow",
    ),
    Case(
        "dates beyond calendars in JSON",
        "duckdb",
        "select 'infinity'::date x, '-infinity'::timestamp y, '0044-03-15 (BC)'::date z,"
        " ['infinity'::date, '2020-01-01'] l",
        _rows(["infinity", "-infinity", "0044-03-15 (BC)", ["infinity", "2020-01-01"]]),
    ),
    # ---- PostgreSQL
    Case("an address", "postgres", "select '192.168.0.1'::inet x", _rows(["192.168.0.1"])),
    Case(
        "addresses",
        "postgres",
        "select '::1'::inet x, '10.0.0.1/8'::inet y, '10.0.0.0/8'::cidr z, array['10.0.0.1']::inet[] l",
        _rows(["::1", "10.0.0.1/8", "10.0.0.0/8", ["10.0.0.1"]]),
    ),
    Case(
        "an address in CSV",
        "postgres",
        "select client_addr x, 1 y from pg_stat_activity where pid = pg_backend_pid()",
        {"text": '"x","y"\r\n"127.0.0.1",1\r\n'},
        format="csv",
    ),
    Case("an address as a parameter", "postgres", "select $1::inet x", _rows(["10.1.2.3"]), ["10.1.2.3"]),
    Case("an empty char", "postgres", "select ''::\"char\" x, 'a'::\"char\" y", _rows(["", "a"])),
    Case(
        "an empty char in CSV", "postgres", "select ''::\"char\" x, 1 y", {"text": '"x","y"\r\n"",1\r\n'}, format="csv"
    ),
    Case(
        "names of the catalog",
        "postgres",
        "select typinput, 'pg_class'::regclass a, 'int4'::regtype b, array['pg_class'::regclass] c"
        " from pg_type where typname = 'int4'",
        _rows(["int4in", "pg_class", "integer", ["pg_class"]]),
    ),
    Case("infinity as a parameter", "postgres", "select $1::numeric > 1 x", _rows([True]), ["Infinity"]),
    Case("minus infinity as a parameter", "postgres", "select $1::numeric < 1 x", _rows([True]), ["-Infinity"]),
    Case("NaN as a parameter", "postgres", "select $1::numeric::text x", _rows(["NaN"]), ["NaN"]),
    Case(
        "numbers that are not finite",
        "postgres",
        "select 'NaN'::numeric a, 'Infinity'::numeric b, array['-Infinity'::numeric, 1.50] c",
        _rows(["NaN", "Infinity", ["-Infinity", "1.50"]]),
    ),
    Case(
        "numbers that are not finite, as double",
        "postgres",
        "select 'Infinity'::numeric a, '-Infinity'::numeric b, 1.50 c",
        {"arrow": [[math.inf, -math.inf, 1.5]]},
        format="arrow",
        over={"numericAs": "double"},
    ),
    Case(
        "numbers that are not finite, as decimal",
        "postgres",
        "select 'Infinity'::numeric a",
        _refused("does not fit numericAs decimal(10,2)"),
        over={"numericAs": "decimal(10,2)"},
    ),
    Case("the scale of a parameter", "postgres", "select $1::numeric::text x", _rows(["0.00"]), ["0.00"]),
    Case("bytes as a parameter", "postgres", "select $1::bytea x", _rows(["AP8="]), ["\\x00ff"]),
    Case("an error with the user's own SQL", "postgres", "select $1::date", _refused(), [5]),
    Case("rows without columns", "postgres", "select from generate_series(1,3)", _rows([], [], [])),
    Case("one row without columns", "postgres", "select", _rows([])),
    Case("a prepared statement that is not there", "postgres", "execute nope", _refused()),
    Case(
        "empty bytes and null in CSV",
        "postgres",
        "select ''::bytea a, null::bytea b, 1 c",
        {"text": '"a","b","c"\r\n"",,1\r\n'},
        format="csv",
    ),
    # ---- ClickHouse
    Case("a state", "clickhouse", "select sumState(number) s from numbers(3)", _rows(["AwAAAAAAAAA="])),
    Case("a bitmap", "clickhouse", "select bitmapBuild([1,2]) s", _rows(["AAIBAg=="])),
    Case(
        "a state in Arrow",
        "clickhouse",
        "select sumState(number) s from numbers(3)",
        {"arrow": [[b"\3\0\0\0\0\0\0\0"]]},
        format="arrow",
    ),
    Case("text in a Dynamic", "clickhouse", "select 'x'::Dynamic x", _rows(["x"])),
    Case("text in a Variant", "clickhouse", "select CAST('x','Variant(UInt8,String)') x", _rows(["x"])),
    Case("half a float", "clickhouse", "select toBFloat16(1.5) x", _rows([1.5])),
    Case("a time beyond a day", "clickhouse", "select toTime64('100:00:00.5',3) x", _rows(["PT360000.5S"])),
    Case("a boolean for a text", "clickhouse", "select {p1:String} x", _rows(["true"]), [True]),
    Case("an array as a text", "clickhouse", "select {p1:Array(String)} x", _rows([["a", "b"]]), ["['a','b']"]),
    Case("blanks in a placeholder", "clickhouse", "select { p1 : String } x", _rows(["x"]), ["x"]),
    Case(
        "blanks in a placeholder and a percent sign",
        "clickhouse",
        "select { p1 : String } x, '100%' y",
        _rows(["x", "100%"]),
        ["x"],
    ),
)
