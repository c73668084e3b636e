"""Values that clients bind to prepared statements, as statements over HTTP take them. Imports pyarrow."""

from __future__ import annotations

import decimal
import uuid
from collections.abc import Sequence
from typing import Any

from moorings.errors import InvalidCommand
from moorings.flight.tickets import Value

MAX_BYTES = 1024 * 1024
"""The most bytes of all values together, as the body of a request over HTTP."""
MOST = 10_000
"""The most parameters of a statement."""
ONE_ROW = "Bind exactly one row of parameters: a statement runs once."


def first_row(reader: Any) -> Sequence[Value] | None:
    """The one row of parameters that a client sends; None if it sends none. Raises InvalidCommand."""
    found: Sequence[Value] | None = None
    while (batch := _next(reader)) is not None:
        if not batch.num_rows and not batch.num_columns:
            continue
        if batch.nbytes > MAX_BYTES:
            raise InvalidCommand(f"The parameters have {batch.nbytes} bytes; at most {MAX_BYTES} are allowed.")
        if batch.num_columns > MOST:
            raise InvalidCommand(f"There are {batch.num_columns} parameters; at most {MOST} are allowed.")
        if found is not None or batch.num_rows != 1:
            raise InvalidCommand(ONE_ROW)
        found = [_value(place, column[0].as_py()) for place, column in enumerate(batch.columns, 1)]
    return found


def _next(reader: Any) -> Any:
    try:
        return reader.read_chunk().data
    except StopIteration:
        return None
    except Exception:  # noqa: BLE001  # a stream that is none: pyarrow raises many kinds
        raise InvalidCommand("The parameters are not a valid Arrow stream.") from None


def _value(place: int, value: Any) -> Value:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case decimal.Decimal() | uuid.UUID():
            return str(value)
        case _ if hasattr(value, "isoformat"):  # a date, a time of day, or an instant
            return str(value)
        case _:
            raise InvalidCommand(
                f"Parameter {place} has a type that is not supported. Send a number, text, boolean, date or time."
            )
