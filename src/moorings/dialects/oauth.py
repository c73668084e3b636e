"""Access tokens for machines, by OAuth's client credentials. Source: https://www.rfc-editor.org/rfc/rfc6749#section-4.4."""

from __future__ import annotations

import base64
import http.client
import json
import math
import re
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

from moorings import clock, errors
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.https import Answer, fetch

SPARE_SECONDS = 60.0
"""How long before its expiry a token is renewed."""
UNREACHABLE = "The OAuth server does not answer. Check its URL, and that this machine can reach it."
UNVERIFIED = "The OAuth server's certificate cannot be verified. Set sslRootCert to its authority."
NO_TOKEN = "The OAuth server returned no access token. Check that the client is allowed to use client credentials."  # noqa: S105


MAX_TOKEN_LENGTH = 32_768
"""Characters of a token: headers of most servers end below that."""


def _granted(body: bytes) -> tuple[str, float] | None:
    """The token of a response and the seconds until it expires; None if a header cannot carry it.

    Drivers put the token into a header, and log the header when it is malformed.
    """
    try:
        answer: Any = json.loads(body)
        token, seconds = answer["access_token"], answer.get("expires_in") or 0
        if not isinstance(seconds, str | int | float):
            return None
        expires = float(seconds)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return None
    whole = isinstance(token, str) and re.fullmatch(r"[!-~]+", token) and len(token) <= MAX_TOKEN_LENGTH
    return (token, expires) if whole and math.isfinite(expires) else None


@dataclass
class Client:
    """An OAuth client that fetches tokens; caches the last one until shortly before it expires.

    `blamed` are the Config's fields to blame when the server refuses, `address` those that say where it is. Redirects
    are not followed: they could send the secret anywhere.
    """

    url: str
    id: str
    secret: str = field(repr=False)
    blamed: tuple[str, ...]
    address: tuple[str, ...]
    network: Network
    timeout_seconds: float
    context: ssl.SSLContext | None = None
    scope: str | None = None
    audience: str | None = None
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    def token(self) -> str:
        """An access token. Raises LoginRefused if the server issues none."""
        if clock.monotonic() >= self._until:
            self._token, seconds = self._ask()
            self._until = clock.monotonic() + seconds - SPARE_SECONDS
        return self._token

    def _ask(self) -> tuple[str, float]:
        """A token, and the seconds that it is valid."""
        try:
            answered = self._post()
        except ssl.SSLCertVerificationError:
            raise errors.LoginRefused(*self.blamed, message=UNVERIFIED) from None
        except (OSError, http.client.HTTPException, errors.HostNotFound):
            raise errors.LoginRefused(*self.blamed, message=UNREACHABLE) from None
        except errors.AnotherService as refused:  # a redirect, or far too long an answer
            raise errors.LoginRefused(*self.blamed, message=refused.message) from None
        if answered.status in (400, 401, 403):
            raise errors.LoginRefused(*self.blamed, message="The OAuth server refused the client id or its secret.")
        granted = _granted(answered.body) if answered.status == http.client.OK else None
        if granted is None:
            raise errors.LoginRefused(*self.blamed, message=NO_TOKEN)
        return granted

    def _post(self) -> Answer:
        return fetch(
            self.network,
            self.url,
            method="POST",
            body=self._form(),
            headers=self._headers(),
            timeout_seconds=self.timeout_seconds,
            tls=self.context,
            fields=self.address,
        )

    def _form(self) -> str:
        form = {"grant_type": "client_credentials", "scope": self.scope, "audience": self.audience}
        return urlencode({name: value for name, value in form.items() if value})

    def _headers(self) -> dict[str, str]:
        pair = f"{quote_plus(self.id)}:{quote_plus(self.secret)}"
        return {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
