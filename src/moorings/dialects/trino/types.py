"""Converts Trino's types to Arrow's, and the JSON of its protocol to columns.

Values stay in the protocol's form until Arrow's kernels convert whole columns: the driver's own objects have only
microseconds. Source: https://trino.io/docs/current/language/types.html.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from moorings.dialects.arrow.columns import FIRST_DAY, TICKS, decimal_type
from moorings.dialects.arrow.columns import column as plain_column
from moorings.dialects.arrow.nested import field, parse_nested

SAME = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "unknown": pa.null(),
}
ZONED = re.compile(r"timestamp(?:\((\d+)\))? with time zone")
MOMENT = re.compile(r"(timestamp|time)(?:\((\d+)\))?")
FINEST = 9
"""The most fractional digits of a second in Arrow; Trino has twelve."""
LATTER_HALVES = ("with time zone", "day to second", "year to month")
"""The words after the first one, for types of several words."""
ORDINARY = re.compile(r"(?!0000)\d{4}-")
"""Years 1 to 9999: others are 0, have a sign, or more digits."""
MOMENT_TEXT = re.compile(r"([+-]?\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?")
DAYS_OF_400_YEARS = 146_097


def arrow_type(native: str) -> pa.DataType:
    """The Arrow type of a column; text if Arrow has no matching type."""
    if native in SAME:
        return SAME[native]
    if zoned := ZONED.fullmatch(native):
        return pa.timestamp(_unit(zoned[1]), "UTC")
    if moment := MOMENT.fullmatch(native):
        unit = _unit(moment[2])
        return pa.timestamp(unit) if moment[1] == "timestamp" else pa.time64("ns" if unit == "ns" else "us")
    name, inner = parse_nested(native)
    if name == "decimal":
        return decimal_type(int(inner[0]), int(inner[1]) if len(inner) > 1 else 0)
    if name == "array":
        return pa.list_(arrow_type(inner[0]))
    if name == "map":
        key = arrow_type(inner[0])
        return pa.map_(pa.string() if pa.types.is_null(key) else key, arrow_type(inner[1]))  # no key is null
    if name == "row":
        return pa.struct([(label, arrow_type(each)) for label, each in _fields(inner)])
    return pa.string()


def _unit(precision: str | None) -> str:
    digits = int(precision or 3)
    return "s" if digits == 0 else "ms" if digits <= 3 else "us" if digits <= 6 else "ns"


def _fields(inner: Iterable[str]) -> list[tuple[str, str]]:
    """Name and type of a row's fields; those without a name are numbered from 0, as `DESCRIBE` does.

    A repeated name gets a number: readers of Arrow find a field by its name.
    """
    found: list[tuple[str, str]] = []
    for name, native in _named(inner):
        names, unique, number = {each for each, _ in found}, name, 2
        while unique in names:
            unique, number = f"{name}_{number}", number + 1
        found.append((unique, native))
    return found


def _named(inner: Iterable[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for place, argument in enumerate(inner):
        name, native = field(argument)
        if name is None or native in LATTER_HALVES:
            found.append((f"field{place}", argument))
        else:
            found.append((name[1:-1].replace('""', '"') if name.startswith('"') else name, native))
    return found


def column(values: Sequence[Any], native: str) -> pa.Array:
    """A column of JSON values in its Arrow type."""
    target = arrow_type(native)
    kinds: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Sequence[Any], str, pa.DataType], pa.Array]], ...] = (
        (pa.types.is_map, _map),
        (pa.types.is_list, _list),
        (pa.types.is_struct, _struct),
        (pa.types.is_timestamp, _timestamps),
        (pa.types.is_time, _times),
        (pa.types.is_date, _dates),
        (pa.types.is_decimal, _decimals),
        (pa.types.is_binary, _bytes),
        (pa.types.is_string, _texts),
    )
    convert = next((convert for is_kind, convert in kinds if is_kind(target)), _simple)
    return convert(values, native, target)


def _simple(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    return plain_column(values, target)  # NaN and infinity are strings among numbers; keys of maps are all strings


def _texts(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    texts = [value if isinstance(value, str) or value is None else json.dumps(value) for value in values]
    return pa.array(texts, target)


def _bytes(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else base64.b64decode(value) for value in values], target)


def _decimals(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    return pa.array(values, pa.string()).cast(target)


def _dates(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    if _are_ordinary(values):
        return pa.array(values, pa.string()).cast(target)
    return pa.array([None if value is None else _ticks(value, "d") for value in values], pa.int32()).cast(target)


def _times(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    """Parsed with a date: Arrow parses no time alone."""
    texts = [None if value is None else f"1970-01-01 {value[: 9 + FINEST]}" for value in values]
    return pa.array(texts, pa.string()).cast(pa.timestamp(target.unit)).cast(target)


def _timestamps(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    if target.tz is None:
        return _moments(values, target)
    parts = [(None, None) if value is None else value.rsplit(" ", 1) for value in values]
    local = _moments([moment for moment, _ in parts], pa.timestamp(target.unit))
    zones = pa.array([zone for _, zone in parts], pa.string())
    found = pa.nulls(len(values), target)
    for zone in pc.unique(zones).drop_null().to_pylist():
        instants = pc.assume_timezone(local, _region(zone), ambiguous="earliest", nonexistent="latest").cast(target)
        found = pc.if_else(pc.fill_null(pc.equal(zones, zone), fill_value=False), instants, found)
    return found


def _region(zone: str) -> str:
    return "UTC" if zone in ("Z", "UTC", "+00:00") else zone


def _moments(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Dates with times. Null outside the range of nanoseconds (1677 to 2262), where the type has them."""
    if target.unit != "ns" and not _are_ordinary(values):
        return pa.array([None if value is None else _ticks(value, target.unit) for value in values], target)
    cut = [None if value is None or not ORDINARY.match(value) else value[: 20 + FINEST] for value in values]
    texts = pa.array(cut, pa.string())
    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        sayable = pc.and_(pc.greater_equal(texts, "1678"), pc.less(texts, "2262"))
        return pc.if_else(sayable, texts, pa.scalar(None, pa.string())).cast(target)


def _are_ordinary(values: Sequence[Any]) -> bool:
    """Whether Arrow parses all of these dates."""
    return all(value is None or ORDINARY.match(value) for value in values)


def _ticks(text: str, unit: str) -> int | None:
    """A date in days (`d`) or a date with time in a unit, since 1970, of any year."""
    found = MOMENT_TEXT.match(text)
    if found is None:
        return None
    cycles, year = divmod(int(found[1]) - 1, 400)
    day = datetime.date(year + 1, int(found[2]), int(found[3])).toordinal() - 1
    days = FIRST_DAY + day + cycles * DAYS_OF_400_YEARS
    if unit == "d":
        return days
    hours, minutes, seconds = (int(each or 0) for each in found.groups()[3:6])
    digits = len(str(TICKS[unit])) - 1
    fraction = int((found[7] or "").ljust(digits, "0")[:digits] or 0)
    return ((days * 24 + hours) * 3600 + minutes * 60 + seconds) * TICKS[unit] + fraction


def _list(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    (inner,) = parse_nested(native)[1]
    items = column(list(chain.from_iterable(value or () for value in values)), inner)
    return pa.ListArray.from_arrays(_offsets(values), items, type=target, mask=_missing(values))


def _map(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    key, item = parse_nested(native)[1]
    keys = column(list(chain.from_iterable(value or () for value in values)), key).cast(target.key_type)
    items = column(list(chain.from_iterable(value.values() for value in values if value)), item)
    return pa.MapArray.from_arrays(_offsets(values), keys, items, type=target, mask=_missing(values))


def _struct(values: Sequence[Any], native: str, target: pa.DataType) -> pa.Array:
    fields = _fields(parse_nested(native)[1])
    parts = [
        column([None if value is None else value[place] for value in values], inner)
        for place, (_, inner) in enumerate(fields)
    ]
    return pa.StructArray.from_arrays(parts, fields=list(target), mask=_missing(values))


def _offsets(values: Sequence[Any]) -> pa.Array:
    return pa.array([0, *accumulate(len(value or ()) for value in values)], pa.int32())


def _missing(values: Sequence[Any]) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())
