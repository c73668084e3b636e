"""Values for spreadsheets: numbers and dates that cells store exactly, and text that they do not run.

Imports pyarrow.
"""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from moorings.api.results import cells

FORMULA = r"^[=+\-@\t\r]"
"""The first characters of texts that spreadsheets treat as formulas."""


def without_formulas(column: pa.Array) -> pa.Array:
    """A column of text with an apostrophe before formulas; other columns unchanged."""
    column = cells.plain(column)
    if not types.is_large_string(column.type):
        return column
    return pc.if_else(pc.match_substring_regex(column, FORMULA), cells.join("'", column), column)


def sheet_values(column: pa.Array) -> list[Any]:
    """Values for the cells of a spreadsheet: numbers and dates that it stores exactly, and text for all others."""
    column = cells.plain(column)
    kind = column.type
    if types.is_boolean(kind) or types.is_decimal(kind):
        return column.to_pylist()
    if types.is_integer(kind):
        return [
            value if value is None or abs(value) <= cells.MAX_EXACT_INTEGER else str(value)
            for value in column.to_pylist()
        ]
    if types.is_floating(kind):
        return [value if value is None or math.isfinite(value) else None for value in column.to_pylist()]
    if types.is_date(kind) or (types.is_timestamp(kind) and kind.unit != "ns"):
        return _sheet_dates(column)
    return cells.texts(column).to_pylist()


def _sheet_dates(column: pa.Array) -> list[Any]:
    year = pc.year(column)
    held = pc.and_(pc.greater(year, 1900), pc.less(year, 10_000))
    dates = pc.if_else(pc.fill_null(held, False), column, pa.scalar(None, column.type)).to_pylist()
    written = cells.texts(column).to_pylist()
    return [text if date is None else date for date, text in zip(dates, written, strict=True)]
