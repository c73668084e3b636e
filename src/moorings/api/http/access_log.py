"""The access log: one line per request, written in batches to keep the cost per request small."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from moorings import clock
from moorings.telemetry.tokens import TOKEN

FLUSH_SECONDS = 0.1
"""How long a line may wait in a batch."""

_encode = msgspec.json.Encoder().encode


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class AccessLog:
    """Lines like those of the service's log, at the same place, without the cost of a logger."""

    def __init__(self, *, json: bool, write: Callable[[str], None] = _write) -> None:
        self._line = _json if json else _plain
        self._write = write
        self._waiting: list[tuple[int, dict[str, Any]]] = []

    def note(self, facts: dict[str, Any]) -> None:
        """Log a request, soon."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._waiting.append((clock.now(), facts))

    def flush(self) -> None:
        """Write the waiting lines."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._write(TOKEN.sub("***", "".join(self._line(at, facts) for at, facts in waiting)))


_instant = functools.lru_cache(maxsize=128)(clock.iso)
"""Requests that end within the same millisecond share the text of their timestamp."""


def _json(at: int, facts: dict[str, Any]) -> str:
    facts |= {"event": "request", "level": "info", "timestamp": _instant(at)}
    return _encode(facts).decode() + "\n"


def _plain(at: int, facts: dict[str, Any]) -> str:
    return f"{_instant(at)} [info     ] request {' '.join(f'{key}={_shown(value)}' for key, value in facts.items())}\n"


def _shown(value: object) -> str:
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text else repr(text)
