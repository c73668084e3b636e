"""Converts ClickHouse's types to Arrow's, by their names and by their form in the Arrow format.

The format writes numbers if Arrow lacks the type (DateTime and IPv4 as uint32, Enum8 as int8), and differs between
versions of the server; only the type's own name is unambiguous. Source:
https://clickhouse.com/docs/interfaces/formats/Arrow.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from moorings import errors
from moorings.dialects.arrow.columns import TICKS, decimal_type, uuids
from moorings.dialects.arrow.nested import field, parse_nested
from moorings.dialects.clickhouse.statements import literal

LABEL = re.compile(r"'((?:[^'\\]|\\.)*)'\s*=\s*(-?\d+)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}

SAME = {
    "Bool": pa.bool_(),
    "Int8": pa.int8(),
    "Int16": pa.int16(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "BFloat16": pa.float32(),
    "Date": pa.date32(),
    "Date32": pa.date32(),
    "FixedString": pa.binary(),
    "Int128": pa.decimal256(39, 0),
    "UInt128": pa.decimal256(39, 0),
    "Nothing": pa.null(),
    "State": pa.binary(),
    "Duration": pa.duration("s"),
}
TEXTS = ("String", "UUID", "IPv4", "IPv6", "Enum8", "Enum16", "Int256", "UInt256", "JSON")
"""Types that are sent as text; 256 bits have one digit more than Arrow's widest decimal."""
TRANSPARENT = ("Nullable", "LowCardinality", "SimpleAggregateFunction")
SHAPES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}
PRECISIONS = {"Decimal32": 9, "Decimal64": 18, "Decimal128": 38, "Decimal256": 76}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: its name, and the text in the brackets after it."""

    name: str
    arguments: Sequence[str] = ()


@functools.lru_cache(maxsize=1024)
def kind_of(native: str) -> Kind:
    """The type of a name, without wrappers that do not change its values."""
    name, arguments = parse_nested(native)
    if name in SHAPES:
        return kind_of(SHAPES[name])
    if name == "Nested":
        return Kind("Array", [f"Tuple({', '.join(arguments)})"])
    return kind_of(arguments[-1]) if name in TRANSPARENT else Kind(name, arguments)


def nullable(native: str) -> bool:
    """Whether a column of this type can hold null."""
    return native.startswith(("Nullable(", "LowCardinality(Nullable(", "Dynamic", "Variant("))


def _elements(kind: Kind) -> list[tuple[str, str]]:
    """Name and type of a tuple's elements; those without a name are numbered."""
    elements: list[tuple[str, str]] = []
    for place, argument in enumerate(kind.arguments, 1):
        name, native = field(argument)
        elements.append((str(place) if name is None else _unescaped(name.strip("`")), native))
    return elements


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)


def arrow_type(native: str, zone: str) -> pa.DataType | None:
    """The Arrow type of a column; None if only a result shows it. `zone` applies to times without a declared zone."""
    kind = kind_of(native)
    if kind.name in SAME:
        return SAME[kind.name]
    if kind.name in TEXTS:
        return pa.string()
    if kind.name.startswith("Decimal"):
        return _decimal(kind)
    if kind.name in ("DateTime", "DateTime64"):
        return _moment(kind, zone)
    if kind.name == "Duration64":
        return pa.duration(_unit(int(kind.arguments[0])))
    return _container(kind, zone)


def _decimal(kind: Kind) -> pa.DataType:
    numbers = [int(argument) for argument in kind.arguments]
    return decimal_type(*([PRECISIONS[kind.name], *numbers] if kind.name in PRECISIONS else numbers))


def _moment(kind: Kind, zone: str) -> pa.DataType:
    scale = int(kind.arguments[0]) if kind.name == "DateTime64" else 0
    declared = kind.arguments[-1].strip("'") if len(kind.arguments) > (kind.name == "DateTime64") else zone
    return pa.timestamp(_unit(scale), declared)


def _unit(scale: int) -> str:
    """The unit of time with this many fractional digits."""
    return "s" if scale == 0 else "ms" if scale <= 3 else "us" if scale <= 6 else "ns"


def _container(kind: Kind, zone: str) -> pa.DataType | None:
    if kind.name not in ("Array", "Map", "Tuple"):
        return None
    elements = _elements(kind) if kind.name == "Tuple" else [("", argument) for argument in kind.arguments]
    types = [arrow_type(native, zone) for _, native in elements]
    known = [each for each in types if each is not None]
    if len(known) < len(types):
        return None
    if kind.name == "Array":
        return pa.list_(known[0])
    if kind.name == "Map":
        return pa.map_(known[0], known[1])
    return pa.struct([(label, each) for (label, _), each in zip(elements, known, strict=True)])


def is_clear(kind: pa.DataType) -> bool:
    """Whether this Arrow type has only one source type: others are ambiguous, or in the server's zone."""
    return (
        kind in (pa.bool_(), pa.uint8(), pa.int32(), pa.int64(), pa.uint64(), pa.date32(), pa.string())
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


# ---- what the Arrow format cannot write ------------------------------------------------------------------------------

RECAST = re.compile(r"\b(?:AggregateFunction|BFloat16|Dynamic|Duration|Duration64|Variant)\b")
"""Types that the format writes as inner bytes or as JSON, or cannot write."""


def durations(native: str) -> str:
    """A type with our Duration in place of Time, which can exceed a day and which the format cannot write."""
    return re.sub(r"\bTime(64)?\b", r"Duration\1", native)


def recast(expression: str, native: str) -> str | None:
    """An expression that converts a value to a form that the format can write; None if no conversion is needed.

    Raises StatementRefused for a state of an aggregate deep inside of other types.
    """
    if not RECAST.search(native):
        return None
    kind = kind_of(native)
    if kind.name == "AggregateFunction":
        return f"hex({expression})"
    if "AggregateFunction" in native:
        if kind.name == "Array" and (inner := recast("x", kind.arguments[0])):
            return f"arrayMap(x -> {inner}, {expression})"
        raise errors.StatementRefused(
            message="A state of an aggregate function is nested in the result. Select it by itself, or finalize it."
        )
    return f"CAST({expression}, {literal(_server_type(recast_type(native)))})"


def _server_type(recasted: str) -> str:
    """The server's name of a recast type."""
    return re.sub(r"\bDuration64\((\d)\)", r"Decimal(18, \1)", recasted).replace("Duration", "Int32")


def recast_type(native: str) -> str:
    """The type of `recast`'s result; `State` and `Duration` are our own."""
    name, arguments = parse_nested(native)
    if name == "AggregateFunction":
        return "State"
    if name in ("Dynamic", "Variant"):
        return "Nullable(String)"
    if name == "BFloat16":
        return "Float32"
    if name in ("Tuple", "Nested"):
        parts = [(label, recast_type(inner)) for label, inner in map(field, arguments)]
        return f"{name}({', '.join(inner if label is None else f'{label} {inner}' for label, inner in parts)})"
    if name in ("Array", "Map", "Nullable", "LowCardinality"):
        return f"{name}({', '.join(map(recast_type, arguments))})"
    return native


# ---- values ----------------------------------------------------------------------------------------------------------


def convert(column: pa.Array, native: str, target: pa.DataType) -> pa.Array:
    """A column as the Arrow format wrote it, in the type that `arrow_type` promises."""
    kind = kind_of(native)
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if kind.name in LEAVES:
        return LEAVES[kind.name](column, kind)
    if kind.name in ("Array", "Map", "Tuple"):
        return _convert_container(column, kind, target)
    if pa.types.is_temporal(target) and pa.types.is_integer(column.type):  # seconds, or days in older servers
        column = column.cast(pa.int32() if pa.types.is_date(target) else pa.int64())
    return column if column.type == target else column.cast(target)


def _convert_container(column: pa.Array, kind: Kind, target: pa.DataType) -> pa.Array:
    mask = column.is_null() if column.null_count else None
    if kind.name == "Array":
        values = convert(column.values, kind.arguments[0], target.value_type)
        return pa.ListArray.from_arrays(column.offsets, values, type=target, mask=mask)
    if kind.name == "Map":
        keys = convert(column.keys, kind.arguments[0], target.key_type)
        items = convert(column.items, kind.arguments[1], target.item_type)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=target, mask=mask)
    parts = [
        convert(part, native, element.type)
        for part, (_, native), element in zip(column.flatten(), _elements(kind), target, strict=True)
    ]
    return pa.StructArray.from_arrays(parts, fields=list(target), mask=mask)


def text(column: pa.Array) -> pa.Array:
    """A column of strings; invalid UTF-8 is replaced, because Arrow readers would fail on it."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    try:
        column = column.cast(pa.string())
        column.validate(full=True)
    except pa.ArrowInvalid:
        values = [None if value is None else value.decode("utf-8", "replace") for value in _raw(column)]
        return pa.array(values, pa.string())
    return column


def _raw(column: pa.Array) -> list[bytes | None]:
    return column.cast(pa.binary()).to_pylist()


def _uuids(column: pa.Array, kind: Kind) -> pa.Array:
    return uuids(column.storage if isinstance(column, pa.ExtensionArray) else column)


def _addresses(column: pa.Array, kind: Kind) -> pa.Array:
    parse = ipaddress.IPv4Address if kind.name == "IPv4" else ipaddress.IPv6Address
    return _each(column, lambda value: str(parse(value)), pa.string())


def _labels(column: pa.Array, kind: Kind) -> pa.Array:
    if not pa.types.is_integer(column.type):
        return text(column)
    labels = {int(found[2]): _unescaped(found[1]) for each in kind.arguments if (found := LABEL.fullmatch(each))}
    return _each(column, lambda value: labels.get(value, str(value)), pa.string())


def _wide(column: pa.Array, kind: Kind) -> pa.Array:
    """Integers of 128 and 256 bits, which come as bytes, the lowest first."""
    signed = not kind.name.startswith("U")
    if kind.name.endswith("256"):
        return _each(column, lambda value: str(int.from_bytes(value, "little", signed=signed)), pa.string())
    return _each(column, lambda value: int.from_bytes(value, "little", signed=signed), SAME[kind.name])


def _each(column: pa.Array, change: Callable[[Any], Any], target: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else change(value) for value in column.to_pylist()], target)


def _text(column: pa.Array, kind: Kind) -> pa.Array:
    return text(column)


def _states(column: pa.Array, kind: Kind) -> pa.Array:
    """States of aggregate functions, requested as hexadecimal digits."""
    return _each(column, bytes.fromhex, SAME[kind.name])


def _durations(column: pa.Array, kind: Kind) -> pa.Array:
    """Times, which may be longer than a day and negative; requested as numbers of seconds."""
    unit = _unit(int(kind.arguments[0]) if kind.arguments else 0)
    scale = TICKS[unit]
    ticks = pc.multiply(column.cast(pa.decimal128(18, len(str(scale)) - 1)), pa.scalar(Decimal(scale)))
    return ticks.cast(pa.int64()).cast(pa.duration(unit))


LEAVES: Mapping[str, Callable[[pa.Array, Kind], pa.Array]] = {
    "String": _text,
    "JSON": _text,
    "UUID": _uuids,
    "IPv4": _addresses,
    "IPv6": _addresses,
    "Enum8": _labels,
    "Enum16": _labels,
    "Int128": _wide,
    "UInt128": _wide,
    "Int256": _wide,
    "UInt256": _wide,
    "State": _states,
    "Duration": _durations,
    "Duration64": _durations,
}
"""Types whose values are not Arrow's."""
