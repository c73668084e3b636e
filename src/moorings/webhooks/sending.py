"""Sends one message by the Standard Webhooks specification. Source: https://www.standardwebhooks.com."""

from __future__ import annotations

import asyncio
import base64
import functools
import hmac
from collections.abc import Sequence
from http.client import HTTPException
from urllib.parse import unquote, urlsplit

from moorings import clock
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.https import fetch
from moorings.errors import MooringsError

ANSWER_SECONDS = 10.0
MAX_ATTEMPTS = 12
FIRST_PAUSE, LONGEST_PAUSE = 10_000, 4 * 3600 * 1000
"""Milliseconds between attempts: the pause doubles each time."""


GONE = "status 410"
"""The result of `post` for a URL that accepts no more messages. Standard Webhooks: disable the endpoint."""


def pause(attempts: int) -> int:
    """Milliseconds until the next attempt, after this number of attempts."""
    return min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)


def arrived(answer: str) -> bool:
    """Whether an answer of `post` means that the message arrived."""
    return answer.startswith("status 2")


async def post(
    network: Network, url: str, secrets: Sequence[str], message_id: str, body: str, seconds: float = ANSWER_SECONDS
) -> str:
    """Send a message; returns `status <number>`, or the kind of failure."""
    headers = {"content-type": "application/json"} | signed(secrets, message_id, clock.now(), body)
    parts = urlsplit(url)
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    send = functools.partial(fetch, network, url, method="POST", body=body, headers=headers, timeout_seconds=seconds)
    try:
        async with asyncio.timeout(seconds):
            return f"status {(await asyncio.to_thread(send)).status}"
    except (OSError, HTTPException, MooringsError) as refused:
        return type(refused).__name__


def signed(secrets: Sequence[str], message_id: str, now: int, body: str) -> dict[str, str]:
    """The headers of a message, with a signature by each secret. A receiver accepts the message if one of them fits."""
    seconds = str(now // 1000)
    headers = {"webhook-id": message_id, "webhook-timestamp": seconds}
    signatures = [_signature(secret, f"{message_id}.{seconds}.{body}") for secret in secrets]
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def _signature(secret: str, text: str) -> str:
    """A signature. A secret `whsec_…` is base64; any other is used as it is."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    return "v1," + base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
