"""The exit codes of the client's commands, and the one line that each failure prints."""

from __future__ import annotations

from collections.abc import Iterator

from moorings.client.errors import (
    CODES,
    AmbiguousName,
    ApiError,
    AuthenticationFailed,
    ClientError,
    ConnectionFailed,
    Gone,
    JobFailed,
    NotConfigured,
    NotFound,
    PermissionDenied,
    StreamBroken,
    Timeout,
    TooManyRequests,
    Unavailable,
    UnknownName,
)

OK, FAILED, USAGE, LOGIN, FORBIDDEN, NOT_FOUND, REFUSED, BUSY, UNREACHABLE, WAREHOUSE, BROKEN = range(11)
INTERRUPTED = 130

MEANINGS = {
    OK: "The command did what it was asked to do.",
    FAILED: "Another error, such as a file that cannot be written, or an error of the service (500).",
    USAGE: "The command line is wrong: an unknown option, or a value that is missing.",
    LOGIN: "There is no address or key, or the service refused the key. Run `moorings login`.",
    FORBIDDEN: "The key is valid, and may not do this.",
    NOT_FOUND: "Nothing has this name or id, several have this name, or it is archived.",
    REFUSED: "The service refused the request: a field is wrong, or something else stands in the way.",
    BUSY: "The rate limit is used up, or no session is free. Run the command again later.",
    UNREACHABLE: "The service cannot be reached.",
    WAREHOUSE: (
        "The database refused the statement or the login, cannot be reached, or ran into the time limit; or a job "
        "failed, or `health` found a connection that fails."
    ),
    BROKEN: "The result broke off after its first rows. What was written is not the whole result.",
    INTERRUPTED: "Ctrl-C. A query that ran was cancelled in the database.",
}
"""Exit code → meaning. Scripts rely on these numbers: they never change."""


class Failed(ClientError):
    """A failure of a command, with the exit code that says which."""

    def __init__(self, message: str, next_step: str | None = None, *, code: int = FAILED) -> None:
        super().__init__(message, next_step)
        self.exit_code = code


class UsageError(Failed):
    """A command line that lacks something, or has too much."""

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message, next_step, code=USAGE)


_CODES: tuple[tuple[type[ClientError], int], ...] = (
    (NotConfigured, LOGIN),
    (AuthenticationFailed, LOGIN),
    (PermissionDenied, FORBIDDEN),
    (UnknownName, NOT_FOUND),
    (AmbiguousName, NOT_FOUND),
    (NotFound, NOT_FOUND),
    (Gone, NOT_FOUND),
    (TooManyRequests, BUSY),
    (Unavailable, BUSY),
    (Timeout, WAREHOUSE),
    (StreamBroken, BROKEN),
    (ConnectionFailed, UNREACHABLE),
    (JobFailed, WAREHOUSE),
)


def code(error: ClientError) -> int:
    """The exit code of an error."""
    if isinstance(error, Failed):
        return error.exit_code
    for kind, found in _CODES:
        if isinstance(error, kind):
            return found
    if isinstance(error, ApiError) and error.status < 500:
        return WAREHOUSE if _of_warehouse(error) else REFUSED
    return FAILED


def _of_warehouse(error: ApiError) -> bool:
    """Whether a database is the reason: the service names its code, or the test of a connection failed."""
    return error.code not in CODES.values() or error.detail.startswith("Connection test failed")


def line(error: ClientError) -> str:
    """What happened and what to do next, in one line."""
    return " ".join(" ".join(_parts(error)).split())


def _parts(error: ClientError) -> Iterator[str]:
    message = error.message.strip() or "it failed without a reason"
    yield message if message.endswith((".", "!", "?")) else f"{message}."
    if error.next_step:
        yield error.next_step
    if isinstance(error, ApiError) and error.status >= 500 and error.request_id:
        yield f"(request {error.request_id})"
