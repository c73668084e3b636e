"""What both clients share: settings, the form of requests, and how answers are read."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from moorings import __version__
from moorings.client import profiles
from moorings.client.errors import ApiError, ClientError, ConnectionFailed, api_error
from moorings.client.retries import IDEMPOTENT_METHODS, Retries, Unreached, takes_key
from moorings.client.steps import Request

AGENT = f"moorings-client/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"
UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""Failures before anything was sent."""


class Core:
    """The settings of a client."""

    def __init__(
        self, url: str | None, key: str | None, profile: str | None, timeout: float | None, retries: int | Retries
    ) -> None:
        found = profiles.resolve(url, key, profile)
        self.url = found.url
        self.connection = found.connection
        self.retries = Retries(retries) if isinstance(retries, int) else retries
        self.timeout = timeout
        self.headers = {"Authorization": f"Bearer {found.key}", "User-Agent": AGENT, "Accept": "application/json"}

    @property
    def options(self) -> dict[str, Any]:
        """The options of the httpx client. It follows no redirects: a key goes to the address that it is for."""
        return {"base_url": self.url, "headers": self.headers, "timeout": self.timeout, "follow_redirects": False}


def prepared(request: Request) -> dict[str, Any]:
    """The arguments for httpx. The same ones are sent again on a retry, with the same Idempotency-Key."""
    headers = dict(request.headers or {})
    if takes_key(request.method, request.path):
        headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    body = None if request.json is None else json.dumps(request.json, ensure_ascii=False).encode("utf-8")
    if body is not None:
        headers["Content-Type"] = "application/json"
    params = {name: _text(value) for name, value in (request.params or {}).items() if value is not None}
    return {
        "method": request.method,
        "url": request.whole_path,
        "content": body,
        "params": params or None,
        "headers": headers,
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def repeatable(arguments: Mapping[str, Any]) -> bool:
    """Whether a second execution of a request changes nothing."""
    return arguments["method"] in IDEMPOTENT_METHODS or "Idempotency-Key" in arguments["headers"]


def unreachable(url: str, failed: Exception) -> ConnectionFailed:
    """The error for a request that got no whole answer."""
    kind = Unreached if isinstance(failed, UNREACHED) else ConnectionFailed
    words = "did not answer in time" if isinstance(failed, httpx.TimeoutException) else "cannot be reached"
    return kind(f"{url} {words}: {str(failed) or type(failed).__name__}")


def refusal(response: httpx.Response) -> ApiError | None:
    """The error that an answer is, whose body is read; None for a success."""
    if response.is_success:
        return None
    return api_error(response.status_code, _detail(response), response.headers)


def _detail(response: httpx.Response) -> str:
    try:
        found = response.json()
        return str(found["detail"])
    except (ValueError, KeyError, TypeError):
        where = response.headers.get("location")
        moved = f"; it redirects to {where}: use that address" if where else ""
        return f"{response.url.host} answered {response.status_code} {response.reason_phrase}{moved}"


def read(response: httpx.Response) -> Any:
    """The answer: the decoded JSON, or the text of other formats; None where there is none."""
    if not response.content:
        return None
    if "json" not in response.headers.get("content-type", ""):
        return response.text
    try:
        return response.json()
    except ValueError as failed:
        raise ClientError(f"The answer of {response.url.host} is not JSON: {failed}") from failed
