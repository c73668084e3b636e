"""Translates drivers' exceptions into our errors, and removes secrets from their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from moorings import errors
from moorings.dialects.https_faults import causes, dated
from moorings.dialects.spellings import View, views

if TYPE_CHECKING:
    from moorings.dialects.base import Dialect

HIDDEN = "***"
RUN = 12
"""The length of parts of a secret that are hidden; a shorter secret is hidden as a whole."""
SHORT = 4
"""Secrets shorter than this are hidden only where they stand alone: `a` would hide half of every text."""
MAX_TEXT_LENGTH = 4_000
"""Characters of a text that are searched; the rest is cut off."""
MARGIN = 1_000
"""Characters after the cut that are searched too: no secret below RUN is longer in any spelling."""
MAX_DETAIL_LENGTH = 500

PUBLIC = frozenset({
    "type", "project_id", "client_email", "client_id", "auth_uri", "token_uri", "auth_provider_x509_cert_url",
    "client_x509_cert_url", "universe_domain", "quota_project_id", "audience", "subject_token_type", "token_url",
    "token_info_url", "service_account_impersonation_url",
})  # fmt: skip
"""Members of Google's JSON credentials that are no secrets, and that messages name."""


def translated(dialect: Dialect, error: BaseException, secrets: Sequence[str]) -> errors.WarehouseError:
    """Our error for a driver's: the template that FAULTS has for it, with the driver's redacted text as detail."""
    if (ours := _ours(error)) is not None:
        return ours
    key = dialect.fault_key(error)
    template = dialect.FAULTS.get(key) if key is not None else None
    return dated(template or errors.UnknownFault(), error).with_detail(detail(dialect.error_text(error), secrets))


def _ours(error: BaseException) -> errors.WarehouseError | None:
    """Our own error among the causes of a driver's: drivers wrap errors that are raised while they dial."""
    return next((each for each in causes(error) if isinstance(each, errors.WarehouseError)), None)


def detail(text: str, secrets: Sequence[str]) -> str:
    """A driver's text on one line, redacted and cut to a readable length."""
    text = " ".join(redact(text, secrets).split())
    return text if len(text) <= MAX_DETAIL_LENGTH else f"{text[:MAX_DETAIL_LENGTH]}…"


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets and without any run of 12 characters of them, in any known spelling, or backwards.

    Spellings are those of `spellings`, two of them nested at most. A text of more than 4,000 characters is cut.
    """
    patterns = Patterns.of(secrets)
    if not patterns:
        return text if len(text) <= MAX_TEXT_LENGTH else f"{text[:MAX_TEXT_LENGTH]}…"
    end = len(_bytes(text[:MAX_TEXT_LENGTH]))
    root = View.of(_bytes(text[: MAX_TEXT_LENGTH + MARGIN]))
    spans = sorted(span for view in views(root) for span in patterns.spans(view))
    shown = _without(root.data, spans, end)
    return shown if len(text) <= MAX_TEXT_LENGTH else f"{shown}…"


def _without(data: bytes, spans: Iterable[tuple[int, int]], end: int) -> str:
    """The data up to `end`, with these sorted spans, which may overlap, replaced."""
    parts: list[bytes] = []
    at = 0
    for first, last in spans:
        begin, stop = _whole_characters(data, first, last)
        if begin >= end:
            break
        if begin >= at and (begin > at or not parts):
            parts += [data[at:begin], HIDDEN.encode()]
        at = max(at, stop)
    parts.append(data[at:end])
    return b"".join(parts).decode("utf-8", "surrogatepass")


def _whole_characters(data: bytes, begin: int, stop: int) -> tuple[int, int]:
    """The span, widened to where characters of UTF-8 begin and end."""
    while begin > 0 and data[begin] & 0xC0 == 0x80:
        begin -= 1
    while stop < len(data) and data[stop] & 0xC0 == 0x80:
        stop += 1
    return begin, stop


# ---- patterns of secrets ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Patterns:
    """The secrets as bytes: the runs of long ones, middling ones whole, and short ones where they stand alone."""

    runs: frozenset[bytes]
    whole: tuple[bytes, ...]
    alone: re.Pattern[bytes] | None

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Patterns:
        """The patterns of secrets, with and without their white space."""
        parts = {part for secret in secrets for part in _parts(secret)}
        parts |= {part[::-1] for part in parts if len(part) >= SHORT}
        spelled = {form for part in parts for form in _forms(part) if form.strip()}
        short = sorted(re.escape(form) for form in spelled if len(form) < SHORT)
        return cls(
            frozenset(form[at : at + RUN] for form in spelled for at in range(len(form) - RUN + 1)),
            tuple(form for form in spelled if SHORT <= len(form) < RUN),
            re.compile(rb"(?<!\w)(?:%b)(?!\w)" % b"|".join(short)) if short else None,
        )

    def __bool__(self) -> bool:
        return bool(self.runs or self.whole or self.alone)

    def spans(self, view: View) -> Iterator[tuple[int, int]]:
        """The spans of a view's root that contain a secret or a part of one."""
        data = view.data
        if self.runs:
            at = 0
            while (begin := self._run_from(data, at)) is not None:
                at = begin + 1
                while data[at : at + RUN] in self.runs:
                    at += 1
                yield view.source(begin, at - 1 + RUN)
        for form in self.whole:
            begin = data.find(form)
            while begin >= 0:
                yield view.source(begin, begin + len(form))
                begin = data.find(form, begin + 1)
        if self.alone is not None and view.textual:
            yield from (view.source(*found.span()) for found in self.alone.finditer(data))

    def _run_from(self, data: bytes, at: int) -> int | None:
        runs = self.runs
        return next((begin for begin in range(at, len(data) - RUN + 1) if data[begin : begin + RUN] in runs), None)


def _parts(secret: str) -> Iterator[str]:
    """The parts of a secret to hide: the secret and its lines; for a JSON object, the values of non-public members."""
    members = _object(secret)
    if members is None:
        yield secret
        yield from (line for line in secret.splitlines() if len(line.strip()) >= SHORT)
        return
    for name, member in members.items():
        if name not in PUBLIC and isinstance(member, str):
            yield from _parts(member)
        elif isinstance(member, dict):
            yield from _parts(json.dumps(member))


def _object(secret: str) -> dict[str, Any] | None:
    if not secret.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(secret)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _forms(part: str) -> Iterator[bytes]:
    for form in {part, part.strip(), "".join(part.split())}:
        yield _bytes(form)
        if len(form) >= SHORT:
            yield form.encode("utf-16-le", "surrogatepass")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
