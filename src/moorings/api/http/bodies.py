"""Decodes request bodies to a plain mapping, and refuses ambiguous JSON.

Parsers differ: msgspec and most parsers accept duplicate keys, and Python's accepts NaN: a body that two parsers could
read differently is refused here.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

from moorings.dialects.config.fields import json_type
from moorings.errors import InvalidJson, NotAnObject

T = TypeVar("T")

LARGE = 32 * 1024
"""The most bytes of a body that are read in the event loop: a millisecond's work."""
DEEPEST = 64
"""How many arrays and objects may be nested, the outermost included."""


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """Run work on this many bytes of a request; in a thread if it would block other requests."""
    return await asyncio.to_thread(work) if size > LARGE else work()


def decode(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises InvalidJson (also for duplicate keys, NaN, numbers beyond Python's and nesting over 64), or NotAnObject.
    """
    value = _decoded(raw)
    if _depth_exceeds(value, DEEPEST):
        raise InvalidJson
    if not isinstance(value, dict):
        raise NotAnObject(json_type(value))
    return cast("dict[str, Any]", value)


def _decoded(raw: bytes) -> object:
    try:
        return json.loads(
            raw.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refused, parse_float=_finite
        )
    except (ValueError, RecursionError):  # JSONDecodeError, UnicodeDecodeError and too many digits are ValueErrors
        pass
    raise InvalidJson


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _refused(constant: str) -> NoReturn:
    raise ValueError


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError
    return number


def _depth_exceeds(value: object, limit: int) -> bool:
    """Whether arrays and objects are nested deeper; iterates by level, because it guards against deep recursion."""
    level: list[object] = [value]
    for _ in range(limit + 1):
        level = [container for container in level if isinstance(container, (list, dict))]
        if not level:
            return False
        level = [child for container in level for child in _children(cast("Any", container))]
    return True


def _children(container: list[object] | dict[str, object]) -> list[object]:
    return list(container.values()) if isinstance(container, dict) else container
