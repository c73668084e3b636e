"""The Python client of Moorings: `Client` waits, `AsyncClient` is awaited.

It needs httpx alone, and nothing else of Moorings. pyarrow is imported when rows are read, if it is installed.
"""

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
