"""The Python client of Moorings: `Client` waits, `AsyncClient` is awaited.

It needs httpx alone, and nothing else of Moorings. pyarrow is imported when rows are read, if it is installed.

Importing it loads none of that: a name's module is imported when the name is first used, so commands start quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moorings.client.awaiting import AsyncClient
    from moorings.client.blocking import Client
    from moorings.client.errors import (
        AmbiguousName,
        ApiError,
        AuthenticationFailed,
        ChangedMeanwhile,
        ClientError,
        Conflict,
        ConnectionFailed,
        Gone,
        InvalidRequest,
        JobFailed,
        NotConfigured,
        NotFound,
        PermissionDenied,
        ServerError,
        StreamBroken,
        Timeout,
        TooManyRequests,
        Unavailable,
        UnknownName,
    )
    from moorings.client.results.awaiting import AsyncDownload, AsyncResult
    from moorings.client.results.blocking import Download, Result
    from moorings.client.retries import Retries

_MODULES = {
    "AmbiguousName": "errors",
    "ApiError": "errors",
    "AsyncClient": "awaiting",
    "AsyncDownload": "results.awaiting",
    "AsyncResult": "results.awaiting",
    "AuthenticationFailed": "errors",
    "ChangedMeanwhile": "errors",
    "Client": "blocking",
    "ClientError": "errors",
    "Conflict": "errors",
    "ConnectionFailed": "errors",
    "Download": "results.blocking",
    "Gone": "errors",
    "InvalidRequest": "errors",
    "JobFailed": "errors",
    "NotConfigured": "errors",
    "NotFound": "errors",
    "PermissionDenied": "errors",
    "Result": "results.blocking",
    "Retries": "retries",
    "ServerError": "errors",
    "StreamBroken": "errors",
    "Timeout": "errors",
    "TooManyRequests": "errors",
    "Unavailable": "errors",
    "UnknownName": "errors",
}
"""Name → the module below this one that has it."""

__all__ = [
    "AmbiguousName",
    "ApiError",
    "AsyncClient",
    "AsyncDownload",
    "AsyncResult",
    "AuthenticationFailed",
    "ChangedMeanwhile",
    "Client",
    "ClientError",
    "Conflict",
    "ConnectionFailed",
    "Download",
    "Gone",
    "InvalidRequest",
    "JobFailed",
    "NotConfigured",
    "NotFound",
    "PermissionDenied",
    "Result",
    "Retries",
    "ServerError",
    "StreamBroken",
    "Timeout",
    "TooManyRequests",
    "Unavailable",
    "UnknownName",
]


def __getattr__(name: str) -> Any:
    """A public name, on its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__]
