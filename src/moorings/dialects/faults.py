"""Drivers' exceptions as our errors, with no secret in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from moorings import errors
from moorings.dialects.https_faults import causes

if TYPE_CHECKING:
    from moorings.dialects.base import Dialect

HIDDEN = "***"
SHORT = 4
"""Secrets shorter than this are hidden only where they stand alone: `a` would hide half of every text."""
LONGEST_DETAIL = 500


def translated(dialect: Dialect, error: BaseException, secrets: Sequence[str]) -> errors.WarehouseError:
    """Our error for a driver's: the template that FAULTS has for it, with the driver's redacted text as detail."""
    if (ours := _ours(error)) is not None:
        return ours
    key = dialect.fault_key(error)
    template = dialect.FAULTS.get(key) if key is not None else None
    return (template or errors.UnknownFault()).with_detail(detail(dialect.said(error), secrets))


def _ours(error: BaseException) -> errors.WarehouseError | None:
    """The error of ours that a driver's came of: drivers wrap what is raised while they dial."""
    return next((each for each in causes(error) if isinstance(each, errors.WarehouseError)), None)


def detail(text: str, secrets: Sequence[str]) -> str:
    """A driver's text on one line, redacted and cut to a readable length."""
    text = " ".join(redact(text, secrets).split())
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}…"


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without secrets, whether raw, URL-escaped or as a JSON or Python string has them."""
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = _hide(text, spelling)
    return text


def _spellings(secret: str) -> Iterator[str]:
    if not secret:
        return
    lines = (line for line in secret.splitlines() if len(line.strip()) >= SHORT)
    for part in {secret, secret.strip(), *lines}:
        yield part
        yield quote(part, safe="")
        yield quote(part)
        yield quote_plus(part)
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield repr(part)[1:-1]
        yield part.replace("'", "''")


def _hide(text: str, spelling: str) -> str:
    if not spelling:
        return text
    if len(spelling) < SHORT:
        return re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", HIDDEN, text)
    return text.replace(spelling, HIDDEN)
