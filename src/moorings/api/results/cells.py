"""Converts Arrow columns to text by Arrow's kernels, for JSON, NDJSON and CSV.

Only types without a kernel (binary, intervals, unions) need loops. This module imports pyarrow, so it is itself
imported only once there is a result to encode. In every format: decimals, and each 64-bit integer beyond 2^53, are
strings; instants are ISO 8601 in UTC; times without a zone are ISO 8601 without one; durations and intervals ISO 8601;
binary base64; NaN, infinity and dates beyond Arrow's calendar (PostgreSQL's `infinity` among them) null.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

TEXT = pa.large_string()
"""Every text is a large string: 32-bit offsets would overflow on a batch of long values."""
MAX_EXACT_INTEGER = 2**53
"""JSON numbers are doubles to most clients: integers beyond this would be rounded."""

ESCAPES = {byte: f"\\u{byte:04x}" for byte in range(0x20)} | {
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0C: "\\f",
    0x0D: "\\r",
    0x22: '\\"',
    0x5C: "\\\\",
}
_HARMLESS = bytes(sorted(set(range(256)) - set(ESCAPES)))
_EMPTY = pa.scalar("", TEXT)
_NULL = pa.scalar("null", TEXT)


def join(*parts: Any) -> pa.Array:
    """Texts joined element by element; each part is an array or one string for all. At least one is an array."""
    scalars = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, _EMPTY)


def content(texts: pa.Array, skipped: int = 0) -> bytes:
    """All texts of an array as one run of bytes, taken from its buffer; without the first few bytes."""
    if len(texts) == 0:
        return b""
    offsets, data = texts.buffers()[1:]
    places = memoryview(offsets).cast("q")
    first, last = places[texts.offset] + skipped, places[texts.offset + len(texts)]
    return data.slice(first, last - first).to_pybytes() if last > first else b""


def repeated(text: str, times: int) -> pa.Array:
    """The same text, repeated."""
    return pa.repeat(pa.scalar(text, TEXT), times)


# ---- JSON -------------------------------------------------------------------------------------------------------


def json_values(column: pa.Array) -> pa.Array:
    """Each cell as a JSON value; no element of the answer is null."""
    column = plain(column)
    values = _json_fragments(column)
    return values.fill_null(_NULL) if values.null_count else values


def _json_fragments(column: pa.Array) -> pa.Array:
    kind = column.type
    if types.is_nested(kind) or types.is_boolean(kind) or types.is_floating(kind):
        return texts(column)
    if types.is_integer(kind):
        return _integers(column)
    if types.is_large_string(kind):
        return join('"', _escaped(column), '"')
    if types.is_null(kind):
        return pa.repeat(_NULL, len(column))
    return join('"', texts(column), '"')


def _integers(column: pa.Array) -> pa.Array:
    numbers = column.cast(TEXT)
    if column.type.bit_width < 64:
        return numbers
    beyond = pc.greater(column, pa.scalar(MAX_EXACT_INTEGER, column.type))
    if types.is_signed_integer(column.type):
        beyond = pc.or_(beyond, pc.less(column, -MAX_EXACT_INTEGER))
    return pc.if_else(beyond, join('"', numbers, '"'), numbers) if pc.any(beyond).as_py() else numbers


def to_escape(text: bytes) -> list[int]:
    """The bytes that JSON escapes; the backslash first, because the other escapes add backslashes."""
    return sorted(set(text.translate(None, _HARMLESS)), key=lambda byte: byte != ord("\\"))


def _escaped(column: pa.Array) -> pa.Array:
    """Texts with JSON's escapes; only characters that occur need a pass."""
    for byte in to_escape(content(column)):
        column = pc.replace_substring(column, pattern=chr(byte), replacement=ESCAPES[byte])
    return column


# ---- CSV --------------------------------------------------------------------------------------------------------


def csv_fields(column: pa.Array) -> pa.Array:
    """Each cell as a CSV field.

    Text and nested values in quotes, null as an empty field, so that "" differs from it.
    """
    column = plain(column)
    fields = texts(column)
    if types.is_large_string(column.type) or types.is_nested(column.type):
        fields = quoted(fields)
    elif is_binary(column.type):
        fields = fill_empty(fields, '""')
    return fields.fill_null(_EMPTY) if fields.null_count else fields


def is_binary(kind: pa.DataType) -> bool:
    """Whether a type is binary, in any layout."""
    checks = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(check(kind) for check in checks)


def fill_empty(fields: pa.Array, instead: str) -> pa.Array:
    """The fields, with a default for nulls."""
    return pc.if_else(pc.equal(fields, _EMPTY), pa.scalar(instead, TEXT), fields)


def quoted(fields: pa.Array) -> pa.Array:
    """Texts in CSV's quotes."""
    if b'"' in content(fields):
        fields = pc.replace_substring(fields, pattern='"', replacement='""')
    return join('"', fields, '"')


# ---- text of every type -----------------------------------------------------------------------------------------


def plain(column: pa.Array) -> pa.Array:
    """The same values in plain layouts, without extensions, dictionaries, views and run ends."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _uuids(column.storage)
        storage = column.storage
        return storage.cast(pa.bool_()) if kind.extension_name == "arrow.bool8" else plain(storage)
    if types.is_dictionary(kind):
        return plain(column.dictionary_decode())
    if types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if types.is_string(kind) or types.is_string_view(kind) or types.is_large_string(kind):
        return _valid_unicode(column)
    return column


def _valid_unicode(column: pa.Array) -> pa.Array:
    """Large strings, with invalid UTF-8 replaced: databases without a declared encoding send any bytes."""
    try:
        column.validate(full=True)
        return column.cast(TEXT)
    except pa.ArrowInvalid:
        values = [None if value is None else value.decode("utf-8", "replace") for value in _as_bytes(column)]
        return pa.array(values, TEXT)


def _as_bytes(column: pa.Array) -> list[bytes | None]:
    return column.cast(pa.large_binary()).to_pylist()


def texts(column: pa.Array) -> pa.Array:
    """Each cell of a plain column as text, nested ones as JSON; null stays null."""
    for fits, render in RENDERERS:
        if fits(column.type):
            return render(column)
    return column.cast(TEXT)


def _floats(column: pa.Array) -> pa.Array:
    exact = column.cast(pa.float32()) if types.is_float16(column.type) else column
    rendered = exact.cast(TEXT)
    finite = pc.is_finite(exact)
    if pc.all(finite).as_py() is False:
        return pc.if_else(finite, rendered, pa.scalar(None, TEXT))
    return rendered


def _decimals(column: pa.Array) -> pa.Array:
    rendered = column.cast(TEXT)
    if b"E" not in content(rendered):
        return rendered
    # Arrow writes small numbers as 1.00E-8; databases do not.
    return pa.array([_digits(value) for value in rendered.to_pylist()], TEXT)


def _digits(value: str | None) -> str | None:
    return format(Decimal(value), "f") if value is not None and "E" in value else value


def _timestamps(column: pa.Array) -> pa.Array:
    # Without its zone an instant is UTC; with it, Arrow writes wrong years beyond 32767, without an error.
    instant = pa.timestamp(column.type.unit)
    rendered = _in_calendar(column.cast(instant).cast(TEXT))
    rendered = pc.replace_substring(rendered, pattern=" ", replacement="T", max_replacements=1)
    return rendered if column.type.tz is None else join(rendered, "Z")


def _in_calendar(rendered: pa.Array) -> pa.Array:
    if b"<" not in content(rendered):
        return rendered
    return pc.if_else(pc.starts_with(rendered, pattern="<"), pa.scalar(None, TEXT), rendered)


def _dates(column: pa.Array) -> pa.Array:
    return _in_calendar(column.cast(TEXT))


def _times(column: pa.Array) -> pa.Array:
    rendered = column.cast(TEXT)
    if b"<" not in content(rendered):
        return rendered
    # PostgreSQL and ISO 8601 have 24:00:00, the end of a day, which differs from the start of the next day.
    ticks = column.cast(pa.int32() if types.is_time32(column.type) else pa.int64())
    midnight = pc.equal(ticks.cast(pa.int64()), 86_400 * PER_SECOND[column.type.unit])
    return pc.if_else(midnight, pa.scalar("24:00:00", TEXT), _in_calendar(rendered))


PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _durations(column: pa.Array) -> pa.Array:
    """ISO 8601: `PT90.5S`, `-PT1S`."""
    scale = PER_SECOND[column.type.unit]
    ticks = column.cast(pa.int64())
    seconds = pc.divide(ticks, scale)  # towards zero
    rest = pc.abs(pc.subtract(ticks, pc.multiply(seconds, scale)))
    sign = pc.if_else(pc.less(ticks, 0), pa.scalar("-PT", TEXT), pa.scalar("PT", TEXT))
    whole = pc.abs(seconds).cast(TEXT)
    if scale == 1:
        return join(sign, whole, "S")
    padded = pc.utf8_lpad(rest.cast(TEXT), width=len(str(scale)) - 1, padding="0")
    fraction = pc.utf8_rtrim(join(".", padded), characters="0")
    return join(sign, whole, pc.if_else(pc.equal(rest, 0), _EMPTY, fraction), "S")


def _intervals(column: pa.Array) -> pa.Array:
    """ISO 8601: `P14M3DT4.5S`; its parts do not convert into each other, so each has its own sign."""
    return pa.array([None if value is None else _interval(*value) for value in column.to_pylist()], TEXT)


def _interval(months: int, days: int, nanoseconds: int) -> str:
    parts = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    if nanoseconds or not parts:
        seconds = format(Decimal(nanoseconds).scaleb(-9), "f")
        parts += "T" + (seconds.rstrip("0").rstrip(".") if "." in seconds else seconds) + "S"
    return "P" + parts


def _binaries(column: pa.Array) -> pa.Array:
    encode = binascii.b2a_base64
    values = [None if value is None else encode(value, newline=False) for value in _as_bytes(column)]
    return pa.array(values, pa.large_binary()).cast(TEXT)


def _uuids(storage: pa.Array) -> pa.Array:
    """Hexadecimal in groups: of the whole buffer at once, then cut."""
    data = storage.buffers()[1]
    digits = data.slice(storage.offset * 16, len(storage) * 16).to_pybytes().hex() if data is not None else ""
    fixed = pa.Array.from_buffers(pa.binary(32), len(storage), [None, pa.py_buffer(digits.encode())])
    whole = fixed.cast(pa.large_binary()).cast(TEXT)
    ends = (8, 12, 16, 20, 32)
    groups = [pc.utf8_slice_codeunits(whole, start, end) for start, end in zip((0, *ends), ends, strict=False)]
    joined = pc.binary_join_element_wise(*groups, pa.scalar("-", TEXT))
    return _where_valid(storage, joined)


# ---- nested -----------------------------------------------------------------------------------------------------


def _lists(column: pa.Array) -> pa.Array:
    """A JSON array, built by lengths rather than offsets: views may have their elements in any order."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    joined = _joined(offsets, json_values(pc.list_flatten(column)))
    return _where_valid(column, join("[", joined, "]"))


def _maps(column: pa.Array) -> pa.Array:
    """A JSON object; keys that are not text are their JSON value as text."""
    first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
    keys, values = column.keys.slice(first, last - first), column.items.slice(first, last - first)
    members = join(_keys(keys), ":", json_values(values))
    joined = _joined(pc.subtract(column.offsets.cast(pa.int64()), first), members)
    return _where_valid(column, join("{", joined, "}"))


def _keys(column: pa.Array) -> pa.Array:
    return join('"', _escaped(texts(plain(column))), '"')


def _joined(offsets: pa.Array, elements: pa.Array) -> pa.Array:
    return pc.binary_join(pa.LargeListArray.from_arrays(offsets, elements), pa.scalar(",", TEXT))


def _where_valid(column: pa.Array, rendered: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), rendered, pa.scalar(None, TEXT)) if column.null_count else rendered


def _structs(column: pa.Array) -> pa.Array:
    names = distinct([field.name for field in column.type])
    children = [json_values(child) for child in column.flatten()]
    return _where_valid(column, json_objects(names, children, len(column)))


def json_objects(names: Sequence[str], values: Sequence[pa.Array], rows: int, end: str = "}") -> pa.Array:
    """JSON objects from the values of their members; `end` closes each."""
    if not names:
        return pa.repeat(pa.scalar("{" + end, TEXT), rows)
    parts: list[Any] = []
    for position, (name, value) in enumerate(zip(names, values, strict=True)):
        parts += [("," if position else "{") + json.dumps(name, ensure_ascii=False) + ":", value]
    return join(*parts, end)


def distinct(names: Sequence[str]) -> list[str]:
    """The names, with `_2`, `_3` … after repeated ones: members of a JSON object must differ."""
    taken, found = set(names), list[str]()
    seen: set[str] = set()
    for name in names:
        unique, number = name, 2
        while unique in seen or (unique != name and unique in taken):
            unique, number = f"{name}_{number}", number + 1
        seen.add(unique)
        found.append(unique)
    return found


def _by_hand(column: pa.Array) -> pa.Array:
    """Unions: each value in Python, since there is no kernel."""
    return pa.array([None if cell.as_py() is None else _alone(cell.value) for cell in column], TEXT)


def _alone(value: Any) -> str:
    return json_values(pa.array([value.as_py()], value.type))[0].as_py()


RENDERERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (types.is_floating, _floats),
    (types.is_decimal, _decimals),
    (types.is_timestamp, _timestamps),
    (types.is_date, _dates),
    (types.is_time, _times),
    (types.is_duration, _durations),
    (types.is_interval, _intervals),
    (types.is_struct, _structs),
    (types.is_map, _maps),
    (types.is_union, _by_hand),
    (types.is_nested, _lists),
    (is_binary, _binaries),
)
"""Converters for types whose text by Arrow's cast differs from ours; the first match applies."""


# ---- names of types ---------------------------------------------------------------------------------------------


def type_name(kind: pa.DataType) -> str:
    """A type's name for clients: Arrow's name of the plain layout."""
    if isinstance(kind, pa.OpaqueType):
        return kind.type_name
    if isinstance(kind, pa.BaseExtensionType):
        return kind.extension_name.removeprefix("arrow.")
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return type_name(kind.value_type)
    if types.is_map(kind):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {type_name(field.type)}' for field in kind)}>"
    if types.is_nested(kind) and not types.is_union(kind):
        return f"list<{type_name(kind.value_type)}>"
    if types.is_timestamp(kind) and kind.tz is not None:
        return f"timestamp[{kind.unit}, tz=UTC]"
    if types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    return next((name for fits, name in TYPE_NAMES if fits(kind)), str(kind))


TYPE_NAMES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (lambda kind: types.is_large_string(kind) or types.is_string_view(kind), "string"),
    (is_binary, "binary"),
    (types.is_date, "date"),
    (types.is_time, "time"),
    (types.is_interval, "interval"),
)
