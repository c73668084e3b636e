"""The errors of the client: one tree, so that `except ClientError` catches them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


class ClientError(Exception):
    """The client could not do what it was asked. `next_step` says what to do about it, where that is known."""

    next_step: str | None = None

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.next_step


class NotConfigured(ClientError):
    """The address of the service or the key is missing."""


class ConnectionFailed(ClientError):
    """The service cannot be reached, or the connection to it broke before the whole answer arrived."""

    next_step = "Check the address, and that the service is running: open /health of that address."


class StreamBroken(ConnectionFailed):
    """A result broke off after its first rows. The rows that arrived are not the whole result."""

    next_step = "The log of the service has the reason. Run the query again."


class UnknownName(ClientError):
    """Nothing has this name."""


class AmbiguousName(ClientError):
    """Several things have this name. `ids` lists them."""

    def __init__(self, kind: str, name: str, ids: Iterable[str]) -> None:
        self.ids = tuple(ids)
        super().__init__(f'{len(self.ids)} {kind}s are named "{name}": {", ".join(self.ids)}', "Use one of these ids.")


class JobFailed(ClientError):
    """A job that the client waited for has failed. `job` is the job, as the service shows it."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        error: Mapping[str, Any] = job.get("error") or {}
        super().__init__(f"The job {job.get('job_id')} failed: {error.get('message', 'no reason')}")


class ApiError(ClientError):
    """The service refused a request. The classes below this one are named for the status.

    `status` is the HTTP status, `code` a word for the reason, `detail` the reason in words, `fields` the faults by
    field (of a 400), `request_id` finds the request in the service's log, and `retry_after` is in seconds.
    """

    def __init__(
        self, status: int, detail: str, *, code: str = "", request_id: str = "", retry_after: float | None = None
    ) -> None:
        self.status = status
        self.detail = detail
        self.code = code or CODES.get(status, "error")
        self.fields = faults(detail)
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(detail)


class InvalidRequest(ApiError):
    """400, 406, 408, 413, 415, 422: the request is wrong. Of a query: the database refused it, or cannot be reached."""


class AuthenticationFailed(ApiError):
    """401, or 403 with an unknown key."""

    next_step = "Check the key: MOORINGS_KEY, or `moorings login`."


class PermissionDenied(ApiError):
    """403: the key may not do this."""

    next_step = "Ask an admin of the connection or of the organization for the role that this needs."


class NotFound(ApiError):
    """404: it does not exist, or the key may not see it."""


class Conflict(ApiError):
    """409: something else stands in the way. Of a query: it was cancelled."""


class Gone(ApiError):
    """410: it is archived."""

    next_step = "Restore it first."


class ChangedMeanwhile(ApiError):
    """412: somebody else changed it after it was read."""

    next_step = "Read it again, and send the change with its new etag."


class TooManyRequests(ApiError):
    """429: the key's rate limit is used up."""

    next_step = "Wait for the seconds in `retry_after`."


class ServerError(ApiError):
    """500 and above, but for those below."""

    next_step = "The log of the service has the reason, under the request id."


class Unavailable(ServerError):
    """502, 503: the service has no free session, or is not ready."""

    next_step = "Try again in a moment."


class Timeout(ServerError):
    """504: the statement ran into its time limit."""

    next_step = "Narrow the statement, or raise its time limit."


CLASSES: Mapping[int, type[ApiError]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: ChangedMeanwhile,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Timeout,
}
"""Status → class; other statuses are InvalidRequest below 500 and ServerError above."""

CODES: Mapping[int, str] = {
    400: "invalid_request",
    401: "authentication_required",
    403: "permission_denied",
    404: "not_found",
    406: "not_acceptable",
    408: "body_too_slow",
    409: "conflict",
    410: "archived",
    412: "precondition_failed",
    413: "body_too_large",
    415: "wrong_content_type",
    422: "idempotency_key_reused",
    429: "too_many_requests",
    500: "internal_error",
    502: "bad_gateway",
    503: "unavailable",
    504: "timeout",
}
"""The code of an error whose answer names none."""


def api_error(status: int, detail: str, headers: Mapping[str, str]) -> ApiError:
    """The error for an answer of the service, or of a proxy in front of it."""
    kind = CLASSES.get(status, ServerError if status >= 500 else InvalidRequest)
    if detail == "Invalid bearer token":
        kind = AuthenticationFailed
    return kind(
        status,
        detail,
        code=headers.get("moorings-error-code", ""),
        request_id=headers.get("moorings-request-id", ""),
        retry_after=seconds(headers.get("retry-after")),
    )


def seconds(header: str | None) -> float | None:
    """The value of Retry-After, which the service sends in seconds; None for dates, which proxies may send."""
    return float(header) if header and re.fullmatch(r"\d+(\.\d+)?", header.strip()) else None


_FIELD = re.compile(r"[A-Za-z_][\w.:-]*")


def faults(detail: str) -> dict[str, str]:
    """The faults by field, from `Bad Request: name: Required; port: Expected number, received string`."""
    prefix = "Bad Request: "
    if not detail.startswith(prefix):
        return {}
    found: dict[str, str] = {}
    last = ""
    for part in detail.removeprefix(prefix).split("; "):
        field, colon, reason = part.partition(": ")
        if colon and _FIELD.fullmatch(field):
            found[field], last = reason, field
        elif last:  # a reason has semicolons of its own
            found[last] += f"; {part}"
    return found
