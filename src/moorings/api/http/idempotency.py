"""Idempotency-Key: a repeated request gets the first response again, and changes nothing.

Only successful responses are stored: a failed request changed nothing, and may be retried with its key.
"""

from __future__ import annotations

import functools
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import repeats
from moorings.access.installation import fingerprint_key
from moorings.api.http.call import Call, Parameter
from moorings.errors import Fault, InvalidInput

REPLAYED = "Idempotency-Replayed"
HEADERS = {REPLAYED: "`true` when the response is that of an earlier request with the same Idempotency-Key."}
KEY = Parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "A string of your choice that identifies the request. If you send a request with the same key "
    "again within 24 hours, "
    "it is not executed again: you get the first response.",
    place="header",
)

_encode = msgspec.json.Encoder().encode


def once(handler: Callable[[Call], Awaitable[Any]]) -> Callable[[Call], Awaitable[bytes]]:
    """The handler of a plain route, for requests that may be sent again."""

    @functools.wraps(handler)
    async def handled(call: Call) -> bytes:
        return await answered(call, call.session, lambda: handler(call))

    return handled


async def answered(call: Call, session: AsyncSession, act: Callable[[], Awaitable[Any]]) -> bytes:
    """The first response to this request, rendered: the stored one, or the response of `act` in this transaction."""
    name = _name(call)
    if name is None:
        return _encode(await act())
    found = await repeats.claim(session, call.actor, name, await _fingerprint(call, session))
    if isinstance(found, bytes):
        return _replayed(call, found)
    found.answer = _encode(await act())
    await session.flush()
    return found.answer


async def earlier(call: Call, session: AsyncSession) -> bytes | None:
    """The stored response for this request; None if it was not sent before."""
    name = _name(call)
    if name is None:
        return None
    answer = await repeats.earlier(session, call.actor, name, await _fingerprint(call, session))
    return None if answer is None else _replayed(call, answer)


def _replayed(call: Call, answer: bytes) -> bytes:
    call.extra_headers.append((REPLAYED.lower().encode(), b"true"))
    return answer


def _name(call: Call) -> str | None:
    sent = call.header(b"idempotency-key")
    if sent is not None and not re.fullmatch(rb"[!-~]{1,255}", sent):
        raise InvalidInput([Fault(KEY.name, "custom", {"reason": "Expected 1 to 255 visible ASCII characters"})])
    return sent.decode() if sent else None


async def _fingerprint(call: Call, session: AsyncSession) -> bytes:
    """The fingerprint of this request. It is keyed because the body may hold secrets."""
    key = await fingerprint_key(session, call.services.keyset)
    canonical = json.dumps([call.scope["method"], call.scope["path"], call.query(), call.body], sort_keys=True)
    return hmac.digest(key, canonical.encode("utf-8", "surrogatepass"), "sha256")
