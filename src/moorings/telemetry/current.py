"""The id of the request that a task works for: each log line has it."""

from __future__ import annotations

import itertools
import secrets
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")

_numbers = itertools.count(1)
_process = secrets.token_hex(6)


def new_request_id() -> str:
    """An id that no other request of any process has. It is made for each request, so it must be cheap."""
    return f"req_{_process}{next(_numbers):06x}"
