"""Every type of the engines that run here, with values at its edges: an expression each, in the engine's own SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Engine:
    """An engine's types: a label and an expression each."""

    types: Mapping[str, str]
    nested: Callable[[str], str] | None = None
    """A list of an expression's value and null, in the engine's own SQL."""
    flat: frozenset[str] = frozenset()
    """Labels of what cannot be in a list."""
    as_text: str = ""
    """The engine's own text of an expression."""
    written_otherwise: frozenset[str] = frozenset()
    """Labels of types whose text is ours, such as ISO 8601 and base64, and not the engine's."""


POSTGRES = Engine(
    {
        "boolean": "true",
        "smallint": "(-32768)::int2",
        "integer": "2147483647",
        "bigint": "(-9223372036854775808)::int8",
        "oid": "4294967295::oid",
        "real": "'3.4028235e38'::real",
        "double precision": "'-1.7976931348623157e308'::float8",
        "numeric": "123456789012345678901234567890.123456789012345678901234567890::numeric",
        "numeric(38,10)": "1234567890123456789012345678.1234567890::numeric(38,10)",
        "numeric(76,0)": f"{'9' * 76}::numeric(76,0)",
        "money": "'-92233720368547758.08'::money",
        "text": "'häß 😀 \"q\", ''x'''::text",
        "varchar": "'x'::varchar(5)",
        "char(3)": "'x'::char(3)",
        '"char"': "'x'::\"char\"",
        "name": "'pg_class'::name",
        "bytea": "'\\x00ff'::bytea",
        "date": "'9999-12-31'::date",
        "date, infinity": "'infinity'::date",
        "date, BC": "'0044-03-15 BC'::date",
        "time": "'23:59:59.999999'::time",
        "time, 24:00": "'24:00'::time",
        "timetz": "'12:34:56.789+05:30'::timetz",
        "timestamp": "'2020-02-29 12:34:56.123456'::timestamp",
        "timestamp, -infinity": "'-infinity'::timestamp",
        "timestamp, last": "'294276-12-31 23:59:59.999999'::timestamp",
        "timestamptz": "'2020-02-29 12:34:56.123456+02'::timestamptz",
        "timestamptz, BC": "'0044-03-15 10:00:00+00 BC'::timestamptz",
        "interval": "'1 year 2 mons 3 days 04:05:06.789'::interval",
        "uuid": "'3f333df6-90a4-4fda-8dd3-9485d27cee36'::uuid",
        "json": "'{\"a\": [1, null]}'::json",
        "jsonb": "'{\"a\": [1, null]}'::jsonb",
        "xml": "'<a>1</a>'::xml",
        "inet": "'10.1.2.3/8'::inet",
        "cidr": "'10.0.0.0/8'::cidr",
        "macaddr": "'08:00:2b:01:02:03'::macaddr",
        "macaddr8": "'08:00:2b:01:02:03:04:05'::macaddr8",
        "bit": "B'101'",
        "bit varying": "B'101'::varbit",
        "point": "point(1.5, -2)",
        "polygon": "'((0,0),(1,1),(1,0))'::polygon",
        "int4range": "'[1,5)'::int4range",
        "int4multirange": "'{[1,3),[5,9)}'::int4multirange",
        "tsvector": "to_tsvector('simple', 'a b')",
        "tsquery": "'a & b'::tsquery",
        "jsonpath": "'$.a'::jsonpath",
        "regclass": "'pg_class'::regclass",
        "regproc": "'int4in'::regproc",
        "regtype": "'int4'::regtype",
        "pg_lsn": "'16/B374D848'::pg_lsn",
        "xid": "'7'::xid",
        "tid": "'(0,1)'::tid",
        "record": "row(1, 'a')",
    },
    nested=lambda expression: f"array[{expression}, null]",
    as_text="format('%s', {expression})",
    written_otherwise=frozenset(
        {
            *("boolean", "real", "double precision", "money", "bytea", "interval", "timestamp", "timestamptz"),
            *("timestamp, last", "oid", "bigint"),
        }
    ),
)
MARIADB = Engine(
    {
        "boolean": "true",
        "tinyint": "cast(-128 as int)",
        "bigint": "-9223372036854775808",
        "bigint unsigned": "18446744073709551615",
        "decimal(65,30)": "cast('-12345678901234567890123456789012345.123456789012345678901234567' as decimal(65,30))",
        "double": "1.7976931348623157e308",
        "float": "cast(1.5 as float)",
        "bit(64)": "(select b64 from every_bit)",
        "bit, aggregated": "(select max(b64) from every_bit)",
        "date": "cast('9999-12-31' as date)",
        "date, year 0": "cast('0000-01-01' as date)",
        "time": "cast('-838:59:59' as time)",
        "datetime(6)": "cast('2020-02-29 12:34:56.123456' as datetime(6))",
        "year": "(select y from every_bit)",
        "char": "cast('häß 😀 \"q\"' as char)",
        "binary": "x'00ff'",
        "json": "json_object('a', 1)",
        "inet6": "cast('::1' as inet6)",
        "uuid": "cast('3f333df6-90a4-4fda-8dd3-9485d27cee36' as uuid)",
        "enum": "(select e from every_bit)",
        "set": "(select s from every_bit)",
        "geometry": "point(1, 2)",
    },
    as_text="cast({expression} as char)",
    written_otherwise=frozenset(
        {
            "boolean",
            "float",
            "double",
            "bit(64)",
            "time",
            "datetime(6)",
            "binary",
            "geometry",
            "bigint",
            "bit, aggregated",
        }
    ),
)
EVERY_BIT = (
    "drop table if exists every_bit",
    "create table every_bit (b64 bit(64), y year, e enum('a', 'b'), s set('x', 'y'))",
    f"insert into every_bit values (b'1{'0' * 62}1', 2155, 'b', 'x,y')",
)
DUCKDB = Engine(
    {
        "boolean": "true",
        "tinyint": "(-128)::tinyint",
        "utinyint": "255::utinyint",
        "bigint": "(-9223372036854775808)::bigint",
        "ubigint": "18446744073709551615::ubigint",
        "hugeint": "12345678901234567890123456789012345678::hugeint",
        "hugeint, least": f"(-{2**127})::hugeint",
        "uhugeint": f"{2**128 - 1}::uhugeint",
        "bignum": f"{'1234567890' * 6}::bignum",
        "decimal(38,10)": "1234567890123456789012345678.1234567890::decimal(38,10)",
        "float": "1.5::float",
        "double": "1.7976931348623157e308::double",
        "varchar": "'häß 😀 \"q\"'",
        "blob": "'\\x00\\xFF'::blob",
        "bit": "'101'::bit",
        "date": "'9999-12-31'::date",
        "date, infinity": "'infinity'::date",
        "date, BC": "'0044-03-15 (BC)'::date",
        "time": "'23:59:59.999999'::time",
        "time, 24:00": "'24:00:00'::time",
        "timetz": "'12:34:56.789+05:30'::timetz",
        "timestamp_s": "'2020-02-29 12:34:56'::timestamp_s",
        "timestamp_ms": "'2020-02-29 12:34:56.123'::timestamp_ms",
        "timestamp": "'2020-02-29 12:34:56.123456'::timestamp",
        "timestamp, BC": "'0044-03-15 (BC) 10:00:00'::timestamp",
        "timestamp_ns": "'2020-02-29 12:34:56.123456'::timestamp_ns",
        "timestamptz": "'2020-02-29 12:34:56.123456+02'::timestamptz",
        "timestamptz, infinity": "'infinity'::timestamptz",
        "interval": "interval '1 year 2 months 3 days 4 seconds'",
        "uuid": "'3f333df6-90a4-4fda-8dd3-9485d27cee36'::uuid",
        "json": "'{\"a\": [1, null]}'::json",
        "enum": "'a'::enum('a', 'b')",
        "variant": "'x'::variant",
        "struct": "{'a': 1, 'b': '101'::bit}",
        "map": "map {'k': 5::uhugeint}",
        "array": "[1, 2]::int[2]",
    },
    nested=lambda expression: f"[{expression}, null]",
    as_text="({expression})::varchar",
    written_otherwise=frozenset(
        {
            *("boolean", "bigint", "ubigint", "float", "double", "blob", "timestamp_s", "timestamp_ms", "timestamp"),
            *("timestamp_ns", "timestamptz", "interval", "struct", "map", "array"),
        }
    ),
)
CLICKHOUSE = Engine(
    {
        "Bool": "true",
        "Int8": "toInt8(-128)",
        "UInt64": "toUInt64(18446744073709551615)",
        "Int128": f"toInt128('-{2**127}')",
        "UInt128": f"toUInt128('{2**128 - 1}')",
        "UInt256": f"toUInt256('{2**256 - 1}')",
        "Float32": "toFloat32(1.5)",
        "Float64": "1.7976931348623157e308",
        "BFloat16": "toBFloat16(1.5)",
        "Decimal(76, 3)": f"toDecimal256('{'9' * 70}.125', 3)",
        "String": "'häß 😀 \"q\"'",
        "FixedString": "toFixedString('ab', 3)",
        "UUID": "toUUID('3f333df6-90a4-4fda-8dd3-9485d27cee36')",
        "Date": "toDate('2149-06-06')",
        "Date32": "toDate32('1900-01-01')",
        "DateTime": "toDateTime('2020-02-29 12:34:56', 'UTC')",
        "DateTime64(6)": "toDateTime64('2020-02-29 12:34:56.123456', 6, 'UTC')",
        "Time64(3)": "toTime64('10:00:00.5', 3)",
        "IPv4": "toIPv4('10.1.2.3')",
        "IPv6": "toIPv6('::1')",
        "Enum8": "CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')",
        "LowCardinality": "toLowCardinality('a')",
        "Nullable": "toNullable(1)",
        "Array": "[1, 2]",
        "Tuple": "(1, 'a')",
        "Map": "map('k', [1])",
        "JSON": "'{\"a\":1}'::JSON",
        "Dynamic": "'x'::Dynamic",
        "Variant": "CAST('x', 'Variant(UInt8, String)')",
        "IntervalDay": "toIntervalDay(3)",
        "AggregateFunction": "initializeAggregation('sumState', 1)",
    },
    nested=lambda expression: f"[{expression}]",
    flat=frozenset({"Nullable", "JSON"}),
    as_text="toString({expression})",
    written_otherwise=frozenset(
        {
            *("Float64", "FixedString", "DateTime", "DateTime64(6)", "Array", "Tuple", "Map", "JSON"),
            *("AggregateFunction", "Variant", "Dynamic", "Bool", "UInt64", "BFloat16"),
        }
    ),
)
ENGINES: Mapping[str, Engine] = {
    "postgres": POSTGRES,
    "mariadb": MARIADB,
    "duckdb": DUCKDB,
    "clickhouse": CLICKHOUSE,
}
