"""Messages of SAP HANA's SQL Command Network Protocol, as far as the stub speaks it.

A message has a header, one segment, and parts of a kind each; numbers are little-endian. Public reference: SAP's own
"SAP HANA SQL Command Network Protocol".
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import hmac
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXECUTE_DIRECT, PREPARE, EXECUTE, AUTHENTICATE, CONNECT = 2, 3, 13, 65, 66
COMMIT, ROLLBACK, CLOSE_RESULT, FETCH_NEXT, DISCONNECT, DATABASE_CONNECT_INFO = 67, 68, 69, 71, 77, 82
"""Kinds of messages."""

PART_COMMAND, PART_RESULT, PART_ERROR, PART_STATEMENT, PART_ROWS_AFFECTED, PART_RESULT_ID = 3, 5, 6, 10, 12, 13
PART_PARAMETERS, PART_AUTHENTICATION, PART_CONNECT_OPTIONS, PART_FETCH_SIZE = 32, 33, 42, 45
PART_CONTEXT = 39
PART_PARAMETER_METADATA, PART_RESULT_METADATA, PART_CLIENT_INFO, PART_DATABASE_CONNECT_INFO = 47, 48, 57, 67
"""Kinds of parts."""

HEADER, SEGMENT, PART = struct.Struct("<qiIIhBBII"), struct.Struct("<iihhBBh8x"), struct.Struct("<BBhiii")
NOTHING_LEFT, NOTHING_FOUND = 0x11, 0x19
SELECT, FETCHED, DDL, OTHER = 5, 10, 1, 0
JULIAN_DAYS = 2
"""HANA counts days by the Julian calendar until 1582. The stub is right for what came after."""
TICKS = 10_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """What a client asked: the kind, whether it commits at once, and the parts by their kinds."""

    kind: int
    commits: bool
    parts: Mapping[int, bytes]
    number: int
    """The client counts its messages; each answer says which one it is for."""


def read(header: bytes, body: bytes) -> Message:
    """A request, from its 32 bytes of header and the rest."""
    count = struct.unpack_from("<h", body, 8)[0]
    kind, commits = body[13], bool(body[14])
    place, parts = 24, dict[int, bytes]()
    for _ in range(count):
        part, _, _, _, size, _ = PART.unpack_from(body, place)
        parts[part] = body[place + 16 : place + 16 + size]
        place += 16 + size + (-size % 8)
    return Message(kind, commits, parts, struct.unpack_from("<i", header, 8)[0])


def length(header: bytes) -> int:
    """How many bytes follow a header."""
    return struct.unpack_from("<I", header, 12)[0]


def part(kind: int, data: bytes, arguments: int = 1, attributes: int = 0) -> bytes:
    """One part."""
    few, many = (arguments, 0) if arguments < 32_767 else (-1, arguments)
    return PART.pack(kind, attributes, few, many, len(data), 131_072) + data + b"\0" * (-len(data) % 8)


def reply(session: int, parts: Sequence[bytes], function: int = OTHER, kind: int = 2) -> bytes:
    """A reply; `kind` 5 is an error."""
    body = b"".join(parts)
    segment = SEGMENT.pack(24 + len(body), 0, len(parts), 1, kind, 0, function) + body
    return HEADER.pack(session, 0, len(segment), len(segment) + 100_000, 1, 0, 0, 0, 0) + segment


CONTEXT = part(PART_CONTEXT, b"\x01\x21\x0a\x00" + bytes(10) + b"\x02\x04" + bytes(8), 2)
"""A statement's context: where it ran, and how long it took."""


def timeout(message: Message) -> int:
    """The time limit in seconds that a statement's context holds; 0 for none."""
    found = re.search(rb"\x05\x04(.{8})$", message.parts.get(PART_CONTEXT, b""), re.DOTALL)
    return struct.unpack("<q", found[1])[0] if found else 0


def numbered(answer: bytes, number: int) -> bytes:
    """An answer that says which message it is for."""
    return answer[:8] + struct.pack("<i", number) + answer[12:]


def error(session: int, code: int, text: str, state: str = "HY000") -> bytes:
    """A reply that says what went wrong."""
    words = text.encode()
    return reply(
        session, [part(PART_ERROR, struct.pack("<iiib5s", code, 0, len(words), 1, state.encode()) + words)], kind=5
    )


# ---- fields and options -----------------------------------------------------------------------------------------


def encoded(words: str) -> bytes:
    """CESU-8: UTF-8 of UTF-16, so that what is beyond the first 65,536 characters takes six bytes."""
    pairs = words.encode("utf-16-le", "surrogatepass")
    units = struct.unpack(f"<{len(pairs) // 2}H", pairs)
    return "".join(map(chr, units)).encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """The text that CESU-8 stands for."""
    return data.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def text(value: str | bytes) -> bytes:
    """A value behind its length."""
    data = encoded(value) if isinstance(value, str) else value
    if len(data) <= 245:
        return bytes([len(data)]) + data
    return (
        b"\xf6" + struct.pack("<h", len(data)) + data
        if len(data) < 32_768
        else b"\xf7" + struct.pack("<i", len(data)) + data
    )


def fields(*values: bytes) -> bytes:
    """Values of the authentication, counted."""
    return struct.pack("<H", len(values)) + b"".join(text(value) for value in values)


def read_texts(data: bytes, place: int = 0) -> list[bytes]:
    """The values that `text` wrote one after the other."""
    found = []
    while place < len(data):
        value, place = read_text(data, place)
        found.append(value)
    return found


def read_text(data: bytes, place: int) -> tuple[bytes, int]:
    """One such value, and where the next one begins."""
    size, place = data[place], place + 1
    if size == 0xF6:
        size, place = struct.unpack_from("<H", data, place)[0], place + 2
    elif size == 0xF7:
        size, place = struct.unpack_from("<I", data, place)[0], place + 4
    return data[place : place + size], place + size


def option(name: int, value: bool | int | str) -> bytes:
    """An option with its type."""
    if isinstance(value, bool):
        return bytes([name, 28, value])
    if isinstance(value, int):
        return bytes([name, 3]) + struct.pack("<i", value)
    data = value.encode()
    return bytes([name, 29]) + struct.pack("<h", len(data)) + data


def scram_accepts(password: str, salt: bytes, challenge: bytes, client_challenge: bytes, proof: bytes) -> bool:
    """Whether a proof of SCRAMSHA256 was made with this password."""

    def signed(key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, hashlib.sha256).digest()

    key = hashlib.sha256(signed(password.encode(), salt)).digest()
    signature = signed(hashlib.sha256(key).digest(), salt + challenge + client_challenge)
    expected = bytes(one ^ other for one, other in zip(signature, key, strict=True))
    return hmac.compare_digest(expected, proof)


# ---- columns ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type of DuckDB's travels: HANA's number for it, its scale and length, and how a value is written."""

    code: int
    scale: int
    length: int
    write: Callable[[Any], bytes]


def _flagged(layout: str) -> Callable[[Any], bytes]:
    packing = struct.Struct(layout)
    return lambda value: b"\0" if value is None else b"\1" + packing.pack(value)


def _floating(layout: str, null: bytes) -> Callable[[Any], bytes]:
    packing = struct.Struct(layout)
    return lambda value: null if value is None else packing.pack(value)


def _boolean(value: Any) -> bytes:
    return b"\1" if value is None else bytes([2 if value else 0])


def _text(value: Any) -> bytes:
    return b"\xff" if value is None else text(value if isinstance(value, bytes) else str(value))


def _fixed(scale: int) -> Callable[[Any], bytes]:
    def write(value: decimal.Decimal | None) -> bytes:
        if value is None:
            return b"\0"
        return b"\1" + int(value.scaleb(scale, decimal.Context(prec=60))).to_bytes(16, "little", signed=True)

    return write


def _day(value: datetime.date | None) -> bytes:
    return struct.pack("<i", 3_652_062 if value is None else value.toordinal() + JULIAN_DAYS)


def _second_of_day(value: datetime.time | None) -> bytes:
    return struct.pack("<i", 86_402 if value is None else value.hour * 3600 + value.minute * 60 + value.second + 1)


def _moment(ticks: int, null: int) -> Callable[[Any], bytes]:
    def write(value: datetime.datetime | None) -> bytes:
        if value is None:
            return struct.pack("<q", null)
        passed = value - datetime.datetime(1, 1, 1)  # noqa: DTZ001  # HANA's moments have no zone
        seconds = (passed.days + JULIAN_DAYS) * 86_400 + passed.seconds
        return struct.pack("<q", seconds * ticks + passed.microseconds * ticks // 1_000_000 + 1)

    return write


KINDS: Mapping[str, Kind] = {
    "BOOLEAN": Kind(28, 0, 1, _boolean),
    "UTINYINT": Kind(1, 0, 3, _flagged("<B")),
    "SMALLINT": Kind(2, 0, 5, _flagged("<h")),
    "INTEGER": Kind(3, 0, 10, _flagged("<i")),
    "BIGINT": Kind(4, 0, 19, _flagged("<q")),
    "FLOAT": Kind(6, 0, 7, _floating("<f", b"\xff" * 4)),
    "DOUBLE": Kind(7, 0, 15, _floating("<d", b"\xff" * 8)),
    "BLOB": Kind(13, 0, 5000, _text),
    "DATE": Kind(63, 0, 10, _day),
    "TIME": Kind(64, 0, 8, _second_of_day),
    "TIMESTAMP": Kind(61, 7, 27, _moment(TICKS, 3_155_380_704_000_000_001)),
    "TIMESTAMP_S": Kind(62, 0, 19, _moment(1, 315_538_070_401)),
}
WORDS = Kind(11, 0, 5000, _text)
"""NVARCHAR, for every other type."""


def kind(duckdb_type: str) -> Kind:
    """How a column of this type travels."""
    if duckdb_type.startswith("DECIMAL"):
        precision, scale = map(int, duckdb_type[8:-1].split(","))
        return Kind(76, scale, precision, _fixed(scale))
    return KINDS.get({"HUGEINT": "BIGINT"}.get(duckdb_type, duckdb_type), WORDS)


def result_metadata(columns: Sequence[tuple[str, Kind]]) -> bytes:
    """The part that describes a result's columns."""
    names, described = b"", b""
    for name, found in columns:
        place, names = len(names), names + text(name)
        described += struct.pack("<BBhhhiiii", 2, found.code, found.scale, found.length, 0, -1, -1, place, place)
    return part(PART_RESULT_METADATA, described + names, len(columns))


def parameter_metadata(kinds: Iterable[Kind]) -> bytes:
    """The part that describes a statement's parameters."""
    described = [struct.pack("<BBBBIhhI", 2, each.code, 1, 0, 0xFFFFFFFF, each.length, each.scale, 0) for each in kinds]
    return part(PART_PARAMETER_METADATA, b"".join(described), len(described))


def read_parameters(data: bytes) -> list[Any]:
    """The values of one row of parameters, of the two kinds that the stub asks for: BIGINT and NVARCHAR."""
    values, place = list[Any](), 0
    while place < len(data):
        code, place = data[place], place + 1
        if code & 0x80:
            values.append(None)
        elif code in INTEGERS:
            values.append(INTEGERS[code].unpack_from(data, place)[0])
            place += INTEGERS[code].size
        else:
            value, place = read_text(data, place)
            values.append(decoded(value))
    return values


INTEGERS = {1: struct.Struct("<B"), 2: struct.Struct("<h"), 3: struct.Struct("<i"), 4: struct.Struct("<q")}
