"""Values that fit into Arrow's buffers but that Arrow readers cannot represent.

Imports pyarrow. Infinite dates, years outside 1 to 9999, the hour 24 and integers of 39 digits fit into the buffers,
but `validate(full=True)` and Python refuse them. A session passes them on as they are; its field may name the
`Notation` in which its engine writes them. `Sound` replaces them by null, and marks the field with `LOSSY`; text
formats get the engine's spelling from `worded`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from moorings.dialects.arrow.columns import FIRST_DAY, LAST_DAY, SECONDS_A_DAY, TICKS
from moorings.dialects.arrow.leaves import leaf_types, leaves, replaced

NOTATION = b"moorings.notation"
"""Key of a field's metadata, inside of the service only: one of NOTATIONS."""
LOSSY = b"moorings.lossy"
"""Key of a field's metadata: values that are null because Arrow readers cannot represent them."""
WHAT = b"infinite dates, years outside 1 to 9999, 24:00 and numbers of more than 38 digits are null"

DAYS_OF_400_YEARS = 146_097


@dataclass(frozen=True, slots=True)
class Notation:
    """How an engine writes a date or time, and its day 0."""

    before_date: str = ""
    """The suffix of a date in a year before 1."""
    before_end: str = ""
    """The suffix of the whole value."""
    signed: bool = False
    """Years before 1 have a sign, with year 0 between; a blank and no T stands before the time."""
    epoch_days: int = 0
    """The engine's own day 0. The driver added this number, which may have overflowed."""

    def text(self, ticks: int, kind: pa.DataType) -> str:
        """A value that Arrow readers cannot represent, as the engine writes it."""
        bits = kind.bit_width
        a_day = 1 if types.is_date(kind) else SECONDS_A_DAY * TICKS[kind.unit]
        own = (ticks - self.epoch_days * a_day + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
        if own >= 2 ** (bits - 1) - 1:
            return "infinity"
        if own <= 1 - 2 ** (bits - 1):
            return "-infinity"
        days, rest = divmod(own + self.epoch_days * a_day, a_day)
        year, day = _civil(days)
        if self.signed:
            return self._signed(year, day, rest, kind)
        historic = year < 1
        written = f"{1 - year if historic else year:04}-{day}" + (self.before_date if historic else "")
        if not types.is_date(kind):
            written += self._time(rest, kind, historic=historic)
        return written + (self.before_end if historic else "")

    def _signed(self, year: int, day: str, ticks: int, kind: pa.DataType) -> str:
        date = f"{'-' if year < 0 else ''}{abs(year):04}-{day}"
        if types.is_date(kind):
            return date
        return f"{'+' if year > 9999 else ''}{date} {_clock(ticks, kind.unit)}{' UTC' if kind.tz else ''}"

    def _time(self, ticks: int, kind: pa.DataType, *, historic: bool) -> str:
        clock = _clock(ticks, kind.unit)
        if not historic:
            return f"T{clock}" + ("Z" if kind.tz else "")
        bare = clock.rstrip("0").rstrip(".") if "." in clock else clock
        return f" {bare}" + ("+00" if kind.tz else "")


NOTATIONS: Mapping[bytes, Notation] = {
    b"postgres": Notation(before_end=" BC", epoch_days=10_957),
    b"duckdb": Notation(before_date=" (BC)"),
    b"trino": Notation(signed=True),
}


def noted(field: pa.Field, notation: bytes) -> pa.Field:
    """A field that names its notation, if its type has values that Arrow readers cannot represent."""
    return field.with_metadata({**(field.metadata or {}), NOTATION: notation}) if _is_limited(field) else field


def _is_limited(field: pa.Field) -> bool:
    return any(_limits(kind) for kind in leaf_types(field.type))


def sound_schema(schema: pa.Schema) -> pa.Schema:
    """A schema for Arrow readers: `LOSSY` replaces the notations."""
    return pa.schema([_marked(field) for field in schema])


def _marked(field: pa.Field) -> pa.Field:
    metadata = {key: value for key, value in (field.metadata or {}).items() if key != NOTATION}
    return field.with_metadata(metadata | {LOSSY: WHAT}) if _is_limited(field) else field


def notations(schema: pa.Schema) -> dict[int, Notation]:
    """The positions of columns that name a notation, with that notation."""
    named = ((place, (field.metadata or {}).get(NOTATION)) for place, field in enumerate(schema))
    return {place: NOTATIONS[name] for place, name in named if name is not None}


class Sound:
    """Converts a result's batches to values that Arrow readers can represent."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = sound_schema(schema)
        self._places = [place for place, field in enumerate(schema) if _is_limited(field)]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with null in place of other values."""
        beyond = [place for place in self._places if _goes_beyond(batch.column(place))]
        if not beyond:
            return batch
        columns = list(batch.columns)
        for place in beyond:
            columns[place] = replaced(columns[place], _nulled).cast(self.schema.field(place).type)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def worded(columns: Sequence[pa.Array], places: Mapping[int, Notation], write: Any) -> list[pa.Array]:
    """Columns with text in place of values that Arrow readers cannot represent.

    `write` converts all other values to text.
    """
    written = list(columns)
    for place, notation in places.items():
        if _goes_beyond(written[place]):
            written[place] = replaced(written[place], lambda leaf, way=notation: _written(leaf, way, write))
    return written


def _goes_beyond(column: pa.Array) -> bool:
    return any(_beyond(leaf) is not None for leaf in leaves(column))


def _limits(kind: pa.DataType) -> tuple[Any, Any] | None:
    """The smallest and the largest value for readers, in ticks; None for types without values beyond them."""
    if types.is_date32(kind):
        return FIRST_DAY, LAST_DAY
    if types.is_timestamp(kind):
        ticks = SECONDS_A_DAY * TICKS[kind.unit]
        if kind.unit == "ns":  # all years of its range are allowed
            return 1 - 2**63 + 1, 2**63 - 2
        return FIRST_DAY * ticks, (LAST_DAY + 1) * ticks - 1
    if types.is_time64(kind):
        return 0, SECONDS_A_DAY * TICKS[kind.unit] - 1
    if kind == pa.decimal128(38, 0):
        return Decimal(1 - 10**38), Decimal(10**38 - 1)
    return None


def _ticks(column: pa.Array) -> pa.Array:
    if types.is_decimal(column.type):
        return column
    return column.view(pa.int32() if types.is_date32(column.type) else pa.int64())  # a cast takes ten times as long


def _beyond(column: pa.Array) -> pa.Array | None:
    """The values beyond the limits; None if there are none."""
    limits = _limits(column.type)
    if limits is None:
        return None
    ticks = _ticks(column)
    extremes = pc.min_max(ticks).as_py()
    least, most = extremes["min"], extremes["max"]
    if least is None or (least >= limits[0] and most <= limits[1]):
        return None
    low, high = (pa.scalar(limit, ticks.type) for limit in limits)
    return pc.fill_null(pc.or_(pc.less(ticks, low), pc.greater(ticks, high)), False)


def _nulled(column: pa.Array) -> pa.Array:
    found = _beyond(column)
    return column if found is None else pc.if_else(found, pa.scalar(None, column.type), column)


def _written(column: pa.Array, notation: Notation, write: Any) -> pa.Array:
    if _limits(column.type) is None:
        return column
    found = _beyond(column)
    if found is None:
        return write(column)
    texts = write(_nulled(column)).to_pylist()
    ticks = _ticks(column)
    for place, is_beyond in enumerate(found.to_pylist()):
        if is_beyond:
            texts[place] = _word(ticks[place].as_py(), column.type, notation)
    return pa.array(texts, pa.large_string())


def _word(ticks: Any, kind: pa.DataType, notation: Notation) -> str:
    if types.is_decimal(kind):
        return str(int(ticks))
    return _clock(ticks, kind.unit) if types.is_time(kind) else notation.text(ticks, kind)


def _civil(days: int) -> tuple[int, str]:
    """Year, month and day of a day since 1970, in the calendar that repeats every 400 years."""
    cycles, day = divmod(days - FIRST_DAY, DAYS_OF_400_YEARS)
    found = datetime.date.min + datetime.timedelta(days=day)
    return found.year + 400 * cycles, f"{found:%m-%d}"


def _clock(ticks: int, unit: str) -> str:
    seconds, fraction = divmod(ticks, TICKS[unit])
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    digits = len(str(TICKS[unit])) - 1
    if hours == 24:
        return "24:00:00"
    return f"{hours:02}:{minutes:02}:{seconds:02}" + (f".{fraction:0{digits}}" if digits else "")
