"""Decodes a text's escapes, to find secrets in every spelling that an error message may use.

The spellings of a secret cannot be listed. Instead, the text is decoded in each known way: URL
escapes, HTML entities, backslashes of JSON, Python and libpq, doubled quotes of SQL, base64, base32 and hexadecimal
digits, also with separators between bytes.
Each decoded view knows where in the text its bytes came from. All of it is linear in the text.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import NamedTuple

DEPTH = 2
"""How many spellings may be nested, as base64 in a URL."""


class Segment(NamedTuple):
    """A part of a view: its start in the view, and the start and end of its source.

    Its byte `k` was made from the characters that hold the bits from `8 k + phase` on, each of them `bits`. An escape
    has 0 bits: one source for all of its bytes.
    """

    begins: int
    source: int
    ends: int
    bits: int = 8
    phase: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """Bytes, and the view that they were made from; None for the text itself. `textual` ones are not from digits."""

    data: bytes
    segments: tuple[Segment, ...]
    parent: View | None = None
    textual: bool = True
    starts: list[int] = field(default_factory=list[int])

    @classmethod
    def of(cls, data: bytes) -> View:
        """The text itself."""
        return cls(data, ())

    def source(self, begin: int, stop: int) -> tuple[int, int]:
        """The source of a span's bytes in the text itself."""
        if self.parent is None:
            return begin, stop
        return self.parent.source(self._place(begin)[0], self._place(stop - 1)[1])

    def _place(self, position: int) -> tuple[int, int]:
        segment = self.segments[bisect_right(self.starts, position) - 1]
        if not segment.bits:
            return segment.source, segment.ends
        bit = 8 * (position - segment.begins) + segment.phase
        first, last = segment.source + bit // segment.bits, segment.source + (bit + 7) // segment.bits
        return first, min(last + 1, segment.ends)


def views(root: View) -> Iterator[View]:
    """The text itself, and its views after one or two decodings in sequence."""
    seen, level = {root.data}, [root]
    yield root
    for _ in range(DEPTH):
        made = [decoded for view in level for decode in DECODERS if (decoded := decode(view)) is not None]
        level = [view for view in made if view.data not in seen and not seen.add(view.data)]
        yield from level


Decoder = Callable[[View], View | None]
"""Decodes a view into another one; None if there is nothing to decode."""


def _replacing(pattern: bytes, decoded: Callable[[re.Match[bytes]], bytes]) -> Decoder:
    """Decodes matches, and copies the rest."""
    compiled = re.compile(pattern, re.DOTALL)

    def decode(view: View) -> View | None:
        parts, segments, length, at = list[bytes](), list[Segment](), 0, 0
        for found in compiled.finditer(view.data):
            begin, stop = found.span()
            if begin > at:
                segments.append(Segment(length, at, begin))
                parts.append(view.data[at:begin])
                length += begin - at
            if value := decoded(found):
                segments.append(Segment(length, begin, stop, bits=0))
                parts.append(value)
                length += len(value)
            at = stop
        if at == 0:
            return None
        segments.append(Segment(length, at, len(view.data)))
        parts.append(view.data[at:])
        return _view(view, parts, segments, textual=view.textual)

    return decode


def _digits(pattern: bytes, bits: int, phase: int, decoded: Callable[[bytes], bytes]) -> Decoder:
    """Decodes runs of digits, and leaves out the rest."""
    compiled = re.compile(pattern)

    def decode(view: View) -> View | None:
        parts, segments, length = list[bytes](), list[Segment](), 0
        for found in compiled.finditer(view.data):
            value = decoded(found[0]) + b"\0"
            segments.append(Segment(length, found.start(), found.end(), bits, phase))
            parts.append(value)
            length += len(value)
        return _view(view, parts, segments, textual=False) if parts else None

    return decode


def _view(parent: View, parts: list[bytes], segments: list[Segment], *, textual: bool) -> View:
    starts = [segment.begins for segment in segments]
    return View(b"".join(parts), tuple(segments), parent, textual, starts)


# ---- each way of decoding ---------------------------------------------------------------------------------------

SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"a": b"\a", b"0": b"\0"}
URL_SAFE = bytes.maketrans(b"-_", b"+/")
PAIR = rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"


def _character(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b""


def _entity(found: re.Match[bytes]) -> bytes:
    name = found[1].decode()
    if name.startswith("#"):
        return _character(int(f"0{name[1:]}", 0) if name[1] in "xX" else int(name[1:]))
    return html5.get(f"{name};", html5.get(name, found[0].decode())).encode()


def _escape(found: re.Match[bytes], *, bytewise: bool) -> bytes:
    """The value of an escape after a backslash. `xe9` is a byte in a repr of bytes, a character in one of str."""
    escape = found[1]
    if re.fullmatch(PAIR, escape):
        return (bytes.fromhex(escape[1:5].decode()) + bytes.fromhex(escape[7:].decode())).decode("utf-16-be").encode()
    if len(escape) > 1 and escape[:1] == b"x" and bytewise:
        return bytes.fromhex(escape[1:].decode())
    if len(escape) > 1 and escape[:1] in b"xuU":
        return _character(int(escape[1:].strip(b"{}"), 16))
    if len(escape) > 1:
        return bytes([int(escape, 8) & 0xFF])
    return SIMPLE.get(escape, escape)


def _base64(shift: int) -> Decoder:
    """Decodes base64 that begins `shift` characters into a group of four. Bytes that are not whole are left out."""

    def decoded(run: bytes) -> bytes:
        digits = b"A" * shift + run.translate(URL_SAFE)
        digits = digits[:-1] if len(digits) % 4 == 1 else digits
        return base64.b64decode(digits + b"=" * (-len(digits) % 4))[shift:]

    return _digits(rb"[A-Za-z0-9+/_-]{6,}", 6, 2 * shift, decoded)


def _base32(shift: int) -> Decoder:
    """Decodes base32 that begins `shift` characters into a group of eight, in either case."""
    before = -(-5 * shift // 8)
    """Bytes that begin before the digits do."""

    def decoded(run: bytes) -> bytes:
        digits = b"A" * shift + run
        digits = digits[: len(digits) - (len(digits) % 8 in (1, 3, 6))]
        return base64.b32decode(digits + b"=" * (-len(digits) % 8), casefold=True)[before:]

    return _digits(rb"[A-Za-z2-7]{8,}", 5, 8 * before - 5 * shift, decoded)


def _hexadecimal(shift: int) -> Decoder:
    """Decodes hexadecimal digits, from the first or the second on."""

    def decoded(run: bytes) -> bytes:
        return bytes.fromhex(run[shift : len(run) - (len(run) - shift) % 2].decode())

    return _digits(rb"[0-9A-Fa-f]{8,}", 4, 4 * shift, decoded)


ESCAPED = rb"\\(" + PAIR + rb"|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{2,3}|.)"
DECODERS: tuple[Decoder, ...] = (
    _replacing(rb"\s+", lambda found: b""),
    _replacing(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode())),
    _replacing(
        rb"%([0-9A-Fa-f]{2})|\+", lambda found: bytes.fromhex(found[1].decode()) if found[1] is not None else b" "
    ),
    _replacing(rb"&(#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?", _entity),
    _replacing(ESCAPED, lambda found: _escape(found, bytewise=True)),
    _replacing(ESCAPED, lambda found: _escape(found, bytewise=False)),
    _replacing(rb"''|\"\"|``", lambda found: found[0][:1]),
    _replacing(rb"(?<=[0-9A-Fa-f]{2})[:;,._|\s-]{1,3}(?:0x|\\x|%|#)?(?=[0-9A-Fa-f]{2})", lambda found: b""),
    *map(_base64, range(4)),
    *map(_base32, range(8)),
    *map(_hexadecimal, range(2)),
)
