"""JSON results, decoded as their bytes arrive: for machines without pyarrow."""

from __future__ import annotations

import base64
import binascii
import codecs
import datetime as dt
import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from moorings.client.errors import StreamBroken

Row = tuple[Any, ...]


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(_microseconds(text))


def _microseconds(text: str) -> str:
    """Without the digits that Python's times cannot hold."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


READ: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("decimal", Decimal),
    ("numeric", Decimal),
    ("int", int),
    ("uint", int),
    ("timestamp", _instant),
    ("date", dt.date.fromisoformat),
    ("time", lambda text: dt.time.fromisoformat(_microseconds(text))),
    ("binary", base64.b64decode),
)
"""How a type's name begins → how its values are read."""


def reader(kind: str) -> Callable[[Any], Any]:
    """The function that makes a value of a type from its JSON; what Python cannot hold stays text."""
    read = next((read for start, read in READ if kind.startswith(start) and "<" not in kind), None)
    if read is None:
        return lambda value: value
    found = read

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return Decimal(value) if isinstance(value, int) and found is Decimal else value
        try:
            return found(value)
        except (ValueError, InvalidOperation, binascii.Error):
            return value

    return convert


class JsonDecoder:
    """Bytes in, rows out: `{"columns":[…],"rows":[[…],…],"rowCount":…,"truncated":…}`."""

    accept = "application/json"

    def __init__(self) -> None:
        self.columns: list[str] | None = None
        self.types: list[str] = []
        self.truncated = False
        self.ended = False
        self._readers: list[Callable[[Any], Any]] = []
        self._text = ""
        self._enough = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._decode = json.JSONDecoder().raw_decode

    def feed(self, data: bytes) -> list[list[Row]]:
        """The rows that these bytes complete, in one list if there are any."""
        self._text += self._utf8.decode(data)
        if len(self._text) < self._enough:  # a long row: parsing it again for each piece would take quadratic time
            return []
        rows = self._rows() if self._head() else []
        self._enough = 2 * len(self._text)
        return [rows] if rows else []

    def finish(self) -> list[list[Row]]:
        """The rows that wait; raises StreamBroken unless the object has its end."""
        self._enough = 0
        rows = self.feed(b"")
        if not self.ended:
            raise StreamBroken("The result broke off: its last part is missing")
        return rows

    def _head(self) -> bool:
        """Whether the columns are known."""
        if self.columns is not None:
            return True
        opening, mark = '{"columns":', ',"rows":['
        if not self._text.startswith(opening[: len(self._text)]):
            raise StreamBroken("The answer is no result")
        try:
            columns, end = self._decode(self._text, len(opening))
        except ValueError:
            return False
        if len(self._text) < end + len(mark):
            return False
        self.columns = [each["name"] for each in columns]
        self.types = [each["type"] for each in columns]
        self._readers = [reader(kind) for kind in self.types]
        self._text = self._text[end + len(mark) :]
        return True

    def _rows(self) -> list[Row]:
        """Every whole row of the text."""
        found, place = list[Row](), 0
        while True:
            start = place + self._text.startswith(",", place)
            if self._text.startswith("]", start):
                self._tail(start)
                return found
            try:
                row, place = self._decode(self._text, start)
            except ValueError:
                self._text = self._text[start:]
                return found
            values = cast("list[Any]", row)
            found.append(tuple(read(value) for read, value in zip(self._readers, values, strict=True)))

    def _tail(self, start: int) -> None:
        """The end of the object: `],"rowCount":2,"truncated":false}`."""
        self._text = self._text[start:]
        try:
            end = json.loads('{"rows":[' + self._text)
        except ValueError:
            return
        self.truncated, self.ended = end["truncated"], True
