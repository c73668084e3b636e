"""Values of TDS: DuckDB's columns as a server sends them, and a call's parameters as a client does."""

from __future__ import annotations

import datetime
import decimal
import struct
import uuid
from collections.abc import Callable
from typing import Any

from tests.warehouses.mssql.wire import COLLATION, utf16

Encode = Callable[[Any], bytes]

OFFSET_MINUTES = 120
"""DATETIMEOFFSET is sent as of this zone, so that who reads it has something to convert."""
TICKS = 10**7
MONEY = "DECIMAL(19,4)"
SCALE = 7


def column(kind: str) -> tuple[bytes, Encode]:
    """TYPE_INFO and the encoder of a DuckDB type; what has no match is sent as NVARCHAR(4000)."""
    if kind == MONEY:
        return b"\x6e\x08", _money
    if kind.startswith("DECIMAL"):
        precision, scale = map(int, kind[8:-1].split(","))
        return bytes([0x6C, 17, precision, scale]), lambda value: _decimal(value, scale)
    return KNOWN.get(kind, TEXT)


def _integer(size: str, number: int) -> Encode:
    return lambda value: bytes([number]) + struct.pack(f"<{size}", value)


def _decimal(value: decimal.Decimal, scale: int) -> bytes:
    number = int(decimal.Decimal(value).scaleb(scale, decimal.Context(prec=60)))
    return bytes([17, number >= 0]) + abs(number).to_bytes(16, "little")


def _money(value: decimal.Decimal) -> bytes:
    number = int(value.scaleb(4, decimal.Context(prec=60)))
    return b"\x08" + struct.pack("<iI", number >> 32, number & 0xFFFFFFFF)


def _days(value: datetime.date) -> bytes:
    return (value.toordinal() - 1).to_bytes(3, "little")


def _ticks(value: datetime.datetime | datetime.time) -> bytes:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return (seconds * TICKS + value.microsecond * 10).to_bytes(5, "little")


def _moment(value: datetime.datetime) -> bytes:
    return b"\x08" + _ticks(value) + _days(value)


def _instant(value: datetime.datetime) -> bytes:
    utc = value.astimezone(datetime.UTC)
    return b"\x0a" + _ticks(utc) + _days(utc) + struct.pack("<h", OFFSET_MINUTES)


def _long(raw: bytes) -> bytes:
    chunk = struct.pack("<I", len(raw)) + raw if raw else b""
    return struct.pack("<Q", len(raw)) + chunk + struct.pack("<I", 0)


LONG_NULL, SHORT_NULL = b"\xff" * 8, b"\xff" * 2


def _text(value: Any) -> bytes:
    raw = utf16(str(value))
    return struct.pack("<H", len(raw)) + raw


TEXT: tuple[bytes, Encode] = (b"\xe7\x40\x1f" + COLLATION, _text)
"""NVARCHAR(4000)"""
LONG_TEXT: tuple[bytes, Encode] = (b"\xe7\xff\xff" + COLLATION, lambda value: _long(utf16(value[0])))
"""NVARCHAR(MAX), which stands in a list in DuckDB, to be told from other texts."""
BYTES: tuple[bytes, Encode] = (b"\xa5\xff\xff", lambda value: _long(bytes(value)))
KNOWN: dict[str, tuple[bytes, Encode]] = {
    "BOOLEAN": (b"\x68\x01", lambda value: bytes([1, value])),
    "UTINYINT": (b"\x26\x01", _integer("B", 1)),
    "TINYINT": (b"\x26\x02", _integer("h", 2)),
    "SMALLINT": (b"\x26\x02", _integer("h", 2)),
    "INTEGER": (b"\x26\x04", _integer("i", 4)),
    "BIGINT": (b"\x26\x08", _integer("q", 8)),
    "HUGEINT": (b"\x6c\x11\x26\x00", lambda value: _decimal(decimal.Decimal(value), 0)),
    "FLOAT": (b"\x6d\x04", _integer("f", 4)),
    "DOUBLE": (b"\x6d\x08", _integer("d", 8)),
    "VARCHAR[]": LONG_TEXT,
    "UUID": (b"\x24\x10", lambda value: b"\x10" + value.bytes_le),
    "BLOB": BYTES,
    "DATE": (b"\x28", lambda value: b"\x03" + _days(value)),
    "TIME": (bytes([0x29, SCALE]), lambda value: b"\x05" + _ticks(value)),
    "TIMESTAMP": (bytes([0x2A, SCALE]), _moment),
    "TIMESTAMP WITH TIME ZONE": (bytes([0x2B, SCALE]), _instant),
}


def described(columns: list[tuple[str, str]]) -> tuple[bytes, list[tuple[bytes, Encode]]]:
    """The COLMETADATA token of names and DuckDB types, and for each column its null and its encoder."""
    metadata, encoders = b"\x81" + struct.pack("<H", len(columns)), []
    for name, kind in columns:
        info, encode = column(kind)
        metadata += struct.pack("<IH", 0, 9) + info + bytes([len(name)]) + utf16(name)
        null = LONG_NULL if info[:3] in (LONG_TEXT[0][:3], BYTES[0][:3]) else SHORT_NULL if info == TEXT[0] else b"\0"
        encoders.append((null, encode))
    return metadata, encoders


def row(values: tuple[Any, ...], encoders: list[tuple[bytes, Encode]]) -> bytes:
    """A ROW token."""
    return b"\xd1" + b"".join(
        null if value is None else encode(value) for value, (null, encode) in zip(values, encoders, strict=True)
    )


# ---- what clients send ------------------------------------------------------------------------------------------


class Reader:
    """The body of a call, read from the front."""

    def __init__(self, body: bytes) -> None:
        self._body, self._place = body, 0

    def left(self) -> bool:
        return self._place < len(self._body)

    def take(self, count: int) -> bytes:
        self._place += count
        return self._body[self._place - count : self._place]

    def number(self, layout: str) -> int:
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(layout)))[0]

    def text(self, characters: int) -> str:
        return self.take(2 * characters).decode("utf-16-le")

    def value(self) -> Any:
        """The type and value of a parameter."""
        kind = self.number("B")
        if kind in (0xE7, 0xA7, 0xA5):
            raw = self._text_or_bytes(kind)
            if raw is None or kind == 0xA5:
                return raw
            return raw.decode("utf-16-le" if kind == 0xE7 else "cp1252")
        return self._fixed(kind)

    def _text_or_bytes(self, kind: int) -> bytes | None:
        longest = self.number("H")
        if kind != 0xA5:
            self.take(5)
        if longest != 0xFFFF:
            length = self.number("H")
            return None if length == 0xFFFF else self.take(length)
        if self.number("Q") == 0xFFFFFFFFFFFFFFFF:
            return None
        parts = b""
        while length := self.number("I"):
            parts += self.take(length)
        return parts

    def _fixed(self, kind: int) -> Any:
        scale = 0
        if kind in (0x6A, 0x6C):
            self.take(2)
            scale = self.number("B")
        elif kind != 0x28:
            scale = self.number("B")  # the longest length, or the scale of a time
        raw = self.take(self.number("B"))
        return DECODERS[kind](raw, scale) if raw else None


def _signed(raw: bytes, scale: int) -> int:
    return int.from_bytes(raw, "little", signed=len(raw) > 1)


def _number(raw: bytes, scale: int) -> decimal.Decimal:
    number = decimal.Decimal(int.from_bytes(raw[1:], "little")).scaleb(-scale)
    return number if raw[0] else -number


def _date(raw: bytes, scale: int = 0) -> datetime.date:
    return datetime.date.fromordinal(int.from_bytes(raw, "little") + 1)


def _time(raw: bytes, scale: int) -> datetime.time:
    microseconds = int.from_bytes(raw, "little") * 10**6 // 10**scale
    return (datetime.datetime(1, 1, 1) + datetime.timedelta(microseconds=microseconds)).time()  # noqa: DTZ001  # a time alone


def _datetime(raw: bytes, scale: int) -> datetime.datetime:
    return datetime.datetime.combine(_date(raw[-3:]), _time(raw[:-3], scale))


def _datetimeoffset(raw: bytes, scale: int) -> datetime.datetime:
    return _datetime(raw[:-2], scale).replace(tzinfo=datetime.UTC)


DECODERS: dict[int, Callable[[bytes, int], Any]] = {
    0x24: lambda raw, scale: uuid.UUID(bytes_le=raw),
    0x26: _signed,
    0x28: _date,
    0x29: _time,
    0x2A: _datetime,
    0x2B: _datetimeoffset,
    0x68: lambda raw, scale: bool(raw[0]),
    0x6A: _number,
    0x6C: _number,
    0x6D: lambda raw, scale: struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0],
}
