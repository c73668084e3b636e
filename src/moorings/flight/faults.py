"""Our errors as gRPC statuses: the only place that words what clients of Flight SQL see of them."""

from __future__ import annotations

import asyncio

from pyarrow import ArrowNotImplementedError, flight

from moorings import errors

LONGEST = 1000
"""The most characters of a message: it travels in gRPC's trailers, which hold 8 KB in all."""
INTERNAL = "Internal server error"

STATUS: dict[type[errors.MooringsError], str] = {
    errors.MooringsError: "UNKNOWN",
    errors.AuthenticationRequired: "UNAUTHENTICATED",
    errors.InvalidToken: "UNAUTHENTICATED",
    errors.PermissionDenied: "PERMISSION_DENIED",
    errors.InvalidTicket: "PERMISSION_DENIED",
    errors.AccessLost: "PERMISSION_DENIED",
    errors.CommandNotSupported: "UNIMPLEMENTED",
    errors.RateLimited: "UNAVAILABLE",
    errors.Saturated: "UNAVAILABLE",
    errors.QueryTimeout: "DEADLINE_EXCEEDED",
    errors.QueryCancelled: "CANCELLED",
    errors.OperatorError: "INTERNAL",
}
"""The status of each class of errors; a class that is not named here has that of its nearest ancestor.

pyarrow sends a Python traceback with the statuses that it has no error class for, INVALID_ARGUMENT and NOT_FOUND among
them. So what they would say is UNKNOWN, with its message.
"""
CLASSES: dict[str, type[Exception]] = {
    "UNKNOWN": flight.FlightServerError,
    "UNAUTHENTICATED": flight.FlightUnauthenticatedError,
    "PERMISSION_DENIED": flight.FlightUnauthorizedError,
    "UNAVAILABLE": flight.FlightUnavailableError,
    "DEADLINE_EXCEEDED": flight.FlightTimedOutError,
    "CANCELLED": flight.FlightCancelledError,
    "INTERNAL": flight.FlightInternalError,
    "UNIMPLEMENTED": ArrowNotImplementedError,
}


def status(error: BaseException) -> str:
    """The name of the gRPC status of an error."""
    if isinstance(error, asyncio.CancelledError):
        return "CANCELLED"
    if not isinstance(error, errors.MooringsError):
        return "INTERNAL"
    return next(STATUS[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUS)


def fault(error: BaseException) -> Exception:
    """The exception that pyarrow turns into the status."""
    name = status(error)
    if isinstance(error, asyncio.CancelledError):
        return CLASSES[name]("The call was cancelled")
    text = message(error) if isinstance(error, errors.MooringsError) else INTERNAL
    return CLASSES[name](text)


def message(error: errors.MooringsError) -> str:
    """The words of an error. Always valid Unicode."""
    match error:
        case errors.OperatorError():
            text = INTERNAL
        case errors.WarehouseError():
            text = error.explained
        case errors.ScopeMissing():
            text = f"{error.message}. The key needs the scope {' or '.join(error.scopes)}"
        case errors.RateLimited() | errors.Saturated():
            text = f"{error.message}. Retry after {error.retry_after_seconds} s"
        case _:
            text = error.message
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return cut.replace("\0", "").encode("utf-8", "replace").decode()
