"""Renders error bodies; no other module does."""

from __future__ import annotations

import msgspec

from moorings import errors
from moorings.api.http import wording

STATUS: dict[type[errors.MooringsError], int] = {
    errors.MooringsError: 400,
    errors.AuthenticationRequired: 401,
    errors.InvalidToken: 403,
    errors.PermissionDenied: 403,
    errors.DbtSecretsDisabled: 403,
    errors.NotFound: 404,
    errors.NotAcceptable: 406,
    errors.NameTaken: 409,
    errors.AttributeHasDependents: 409,
    errors.QueryCancelled: 409,
    errors.AccessLost: 403,
    errors.Archived: 410,
    errors.PreconditionFailed: 412,
    errors.BodyTooSlow: 408,
    errors.BodyTooLarge: 413,
    errors.WrongContentType: 415,
    errors.RepeatDiffers: 422,
    errors.RateLimited: 429,
    errors.Saturated: 503,
    errors.QueryTimeout: 504,
    errors.OperatorError: 500,
    errors.ExtraMissing: 501,
}
"""The status of each class of errors; a class that is not named here has that of its nearest ancestor."""


class Problem(msgspec.Struct):
    """The body of every error."""

    detail: str
    status: int


INTERNAL = Problem("Internal server error", 500)
"""The response to an internal error; the log has the details."""


ERROR_CODE = b"moorings-error-code"
"""The header with the code of what a database refused: the one that connection tests and the page of errors have."""


def status(kind: type[errors.MooringsError]) -> int:
    """The HTTP status of a class of errors."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def problem(error: errors.MooringsError) -> Problem:
    """The body for an error."""
    if isinstance(error, errors.OperatorError):
        return INTERNAL
    return Problem(wording.detail(error), status(type(error)))


def _policy(error: errors.RateLimited) -> str:
    """The limit in the form of draft-ietf-httpapi-ratelimit-headers-07, with the setting as its comment."""
    return f'{error.limit};w={error.window_seconds};comment="{error.setting}"'


def headers(error: errors.MooringsError) -> list[tuple[bytes, bytes]]:
    """The headers that belong to an error."""
    if isinstance(error, errors.RateLimited):
        return [
            (b"retry-after", b"%d" % error.retry_after_seconds),
            (b"ratelimit-limit", b"%d" % error.limit),
            (b"ratelimit-remaining", b"0"),
            (b"ratelimit-reset", b"%d" % error.full_seconds),
            # The contract fixes the text of the body, so the headers name the limit and its setting.
            (b"ratelimit-policy", _policy(error).encode()),
        ]
    if isinstance(error, errors.InvalidMethod) and error.allowed:
        return [(b"allow", ", ".join(error.allowed).encode())]
    if isinstance(error, errors.WarehouseError):
        return [(ERROR_CODE, error.code.encode())]
    if isinstance(error, errors.Saturated):
        return [(b"retry-after", b"%d" % error.retry_after_seconds)]
    if isinstance(error, errors.AuthenticationRequired):
        return [(b"www-authenticate", b"Bearer")]
    if isinstance(error, errors.ScopeMissing):  # RFC 6750, section 3: the body's words are the contract's
        scope = f', scope="{" ".join(error.scopes)}"' if error.scopes else ""
        return [(b"www-authenticate", f'Bearer error="insufficient_scope"{scope}'.encode())]
    return []
