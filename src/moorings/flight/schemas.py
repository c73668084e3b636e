"""The Arrow schemas of the answers to catalog commands, and of the tables in them. Imports pyarrow.

Source: the comments of format/FlightSql.proto. Clients compare these schemas exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from moorings.dialects.introspection import Column


def _fields(*declared: tuple[str, pa.DataType, bool]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable) for name, kind, nullable in declared])


TEXT, NUMBER, TINY = pa.string(), pa.int32(), pa.uint8()

CATALOGS = _fields(("catalog_name", TEXT, False))
SCHEMAS = _fields(("catalog_name", TEXT, True), ("db_schema_name", TEXT, False))
TABLE_TYPES = _fields(("table_type", TEXT, False))
TABLES = _fields(
    ("catalog_name", TEXT, True),
    ("db_schema_name", TEXT, True),
    ("table_name", TEXT, False),
    ("table_type", TEXT, False),
)
TABLES_WITH_SCHEMA = pa.schema([*TABLES, pa.field("table_schema", pa.binary(), False)])
PRIMARY_KEYS = _fields(
    ("catalog_name", TEXT, True),
    ("db_schema_name", TEXT, True),
    ("table_name", TEXT, False),
    ("column_name", TEXT, False),
    ("key_sequence", NUMBER, False),
    ("key_name", TEXT, True),
)
FOREIGN_KEYS = _fields(
    ("pk_catalog_name", TEXT, True),
    ("pk_db_schema_name", TEXT, True),
    ("pk_table_name", TEXT, False),
    ("pk_column_name", TEXT, False),
    ("fk_catalog_name", TEXT, True),
    ("fk_db_schema_name", TEXT, True),
    ("fk_table_name", TEXT, False),
    ("fk_column_name", TEXT, False),
    ("key_sequence", NUMBER, False),
    ("fk_key_name", TEXT, True),
    ("pk_key_name", TEXT, True),
    ("update_rule", TINY, False),
    ("delete_rule", TINY, False),
)
XDBC_TYPES = _fields(
    ("type_name", TEXT, False),
    ("data_type", NUMBER, False),
    ("column_size", NUMBER, True),
    ("literal_prefix", TEXT, True),
    ("literal_suffix", TEXT, True),
    ("create_params", pa.list_(pa.field("item", TEXT, False)), True),
    ("nullable", NUMBER, False),
    ("case_sensitive", pa.bool_(), False),
    ("searchable", NUMBER, False),
    ("unsigned_attribute", pa.bool_(), True),
    ("fixed_prec_scale", pa.bool_(), False),
    ("auto_increment", pa.bool_(), True),
    ("local_type_name", TEXT, True),
    ("minimum_scale", NUMBER, True),
    ("maximum_scale", NUMBER, True),
    ("sql_data_type", NUMBER, False),
    ("datetime_subcode", NUMBER, True),
    ("num_prec_radix", NUMBER, True),
    ("interval_precision", NUMBER, True),
)
SQL_INFO = pa.schema(
    [
        pa.field("info_name", pa.uint32(), False),
        pa.field(
            "value",
            pa.dense_union(
                [
                    pa.field("string_value", TEXT),
                    pa.field("bool_value", pa.bool_()),
                    pa.field("bigint_value", pa.int64()),
                    pa.field("int32_bitmask", NUMBER),
                    pa.field("string_list", pa.list_(TEXT)),
                    pa.field("int32_to_int32_list_map", pa.map_(NUMBER, pa.list_(NUMBER))),
                ]
            ),
            False,
        ),
    ]
)

SIMPLE: Mapping[str, pa.DataType] = {
    str(kind): kind
    for kind in (
        *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float32(), pa.float64(), pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.date32()),
        *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.null()),
    )
}
DECIMAL = re.compile(r"decimal(128|256)\((\d{1,2}), ?(-?\d{1,2})\)")
TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([\w/+:-]{1,64}))?\]")
LIST = re.compile(r"list<(?:item|element): (.{1,200})>")


def arrow_type(text: str | None) -> pa.DataType:
    """The type with a name as Arrow writes it; text for names that this does not know."""
    found = SIMPLE.get(text or "")
    if found is not None:
        return found
    if (decimal := DECIMAL.fullmatch(text or "")) is not None:
        make = pa.decimal128 if decimal[1] == "128" else pa.decimal256
        try:
            return make(int(decimal[2]), int(decimal[3]))
        except ValueError:
            return pa.string()
    if (timestamp := TIMESTAMP.fullmatch(text or "")) is not None:
        return pa.timestamp(timestamp[1], timestamp[2])
    listed = LIST.fullmatch(text or "")
    return pa.string() if listed is None else pa.list_(arrow_type(listed[1].removesuffix(" not null")))


def table_schema(columns: Sequence[Column]) -> bytes:
    """The schema of a table's rows as an IPC message; fields carry the engine's own types and comments."""
    return pa.schema([_field(column) for column in columns]).serialize().to_pybytes()


def _field(column: Column) -> pa.Field:
    facts: dict[str, Any] = {"ARROW:FLIGHT:SQL:TYPE_NAME": column.native_type}
    if column.comment:
        facts["ARROW:FLIGHT:SQL:REMARKS"] = column.comment
    kind = arrow_type(column.arrow_type)
    if pa.types.is_decimal(kind):
        facts |= {"ARROW:FLIGHT:SQL:PRECISION": str(kind.precision), "ARROW:FLIGHT:SQL:SCALE": str(kind.scale)}
    metadata = {key.encode(): value.encode("utf-8", "replace") for key, value in facts.items()}
    return pa.field(column.name, kind, column.nullable, metadata)
