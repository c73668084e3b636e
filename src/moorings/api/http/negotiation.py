"""Content negotiation: chooses the format of a result by `Accept`.

The rules are those of RFC 9110: the most specific range that fits a format gives its quality. Among formats of equal
quality, the most exactly named one wins, then the first named one, then the one that we prefer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from moorings.errors import NotAcceptable

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"

PARQUET = "application/vnd.apache.parquet"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FORMATS = (ARROW, JSON, NDJSON, CSV)
"""The streaming formats of results, in our order of preference."""
FILES = (PARQUET, XLSX)
"""The file formats of results, which cannot be streamed."""
CODECS = ("lz4", "zstd")
"""How an Arrow stream's buffers may be compressed: `Accept: application/vnd.apache.arrow.stream; codecs=zstd`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The format of a result."""

    media_type: str
    codec: str | None = None
    """For Arrow: the compression of its buffers."""


@dataclass(frozen=True, slots=True)
class _Range:
    pattern: str
    quality: float
    codecs: tuple[str, ...]
    position: int

    def exactness(self, media_type: str) -> int:
        """2 for the type itself, 1 for its family, 0 for `*/*`, -1 if the range does not contain it."""
        if self.pattern == media_type:
            return 2
        if self.pattern == media_type.partition("/")[0] + "/*":
            return 1
        return 0 if self.pattern == "*/*" else -1


SHOWS_TEXT = re.compile(r"curl/|Mozilla/", re.IGNORECASE)
"""The start of User-Agent for clients that display the response: a terminal, a browser."""


def choose(accept: str | None, agent: str = "") -> Choice:
    """The format for an Accept header; raises NotAcceptable if it allows none of our formats.

    Clients that accept anything, or send no Accept, get Arrow; clients that would display binary data get JSON.
    """
    anything = Choice(JSON if SHOWS_TEXT.match(agent) else ARROW)
    if accept is None or not accept.strip():
        return anything
    ranges = _parsed(accept)
    ranked = [(rank, media_type) for media_type in FORMATS + FILES if (rank := _rank(ranges, media_type)) is not None]
    if not ranked:
        raise NotAcceptable(message=f"{NotAcceptable.__doc__}. Send one of these: {', '.join(FORMATS + FILES)}")
    (_, exactness, position), media_type = max(ranked, key=lambda candidate: candidate[0])
    if exactness == 0 and media_type == ARROW:
        return anything
    return Choice(media_type, _codec(ranges[-position].codecs) if media_type == ARROW else None)


def _rank(ranges: Sequence[_Range], media_type: str) -> tuple[float, int, int] | None:
    """Quality, exactness and negative position of the range that applies to a format; None if the format is refused."""
    fitting = [(found.exactness(media_type), -found.position, found) for found in ranges]
    exactness, position, decisive = max(fitting, key=lambda fit: fit[:2], default=(-1, 0, None))
    if decisive is None or exactness < 0 or decisive.quality == 0:
        return None
    return decisive.quality, exactness, position


def _codec(accepted: Sequence[str]) -> str | None:
    """The first codec of the caller's list that we support; default: uncompressed, which every reader supports."""
    return next((codec for codec in accepted if codec in CODECS), None)


MAX_RANGES = 100
"""Browsers send ten; further ones are ignored."""
# An unclosed quote extends to the end: a pattern that could fail here would take quadratic time.
_PART = r'(?:[^{separator}"]|"(?:[^"\\]|\\.?)*(?:"|$))+'
_ELEMENTS = re.compile(_PART.format(separator=","), re.DOTALL)
_PARAMETERS = re.compile(_PART.format(separator=";"), re.DOTALL)


def _parsed(accept: str) -> list[_Range]:
    elements = [found[0] for found in itertools.islice(_ELEMENTS.finditer(accept), MAX_RANGES) if found[0].strip()]
    return [_range(element, position) for position, element in enumerate(elements)]


def _range(element: str, position: int) -> _Range:
    pattern, *rest = [part.strip() for part in _PARAMETERS.findall(element)] or [""]
    pairs = (parameter.partition("=") for parameter in rest)
    parameters = {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}
    codecs = tuple(codec.strip() for codec in parameters.get("codecs", "").split(","))
    return _Range(pattern.lower(), _quality(parameters.get("q", "1")), codecs, position)


def _quality(value: str) -> float:
    """The quality, between 0 and 1; text that is no number counts as 0."""
    return float(value) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", value) else 0.0
