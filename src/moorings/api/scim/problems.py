"""Errors in SCIM's form (RFC 7644, 3.12), without the library: a request may be refused before it is loaded."""

from __future__ import annotations

from typing import Any

from moorings import errors
from moorings.api.http import problems, wording
from moorings.api.scim.vocabulary import ERROR

SCIM_TYPES: dict[type[errors.MooringsError], str | None] = {
    errors.MooringsError: None,
    errors.InvalidJson: "invalidSyntax",
    errors.NotAnObject: "invalidSyntax",
    errors.UnknownKeys: "invalidSyntax",
    errors.InvalidInput: "invalidValue",
    errors.NotUsers: "invalidValue",
    errors.NameTaken: "uniqueness",
}
"""The keyword of each class of errors; a class that is not named here has that of its nearest ancestor."""


def parts(error: errors.MooringsError) -> tuple[int, str | None, str]:
    """Status, keyword and sentence of an error."""
    if isinstance(error, errors.OperatorError):
        return 500, None, problems.INTERNAL.detail
    kind = next(SCIM_TYPES[ancestor] for ancestor in type(error).__mro__ if ancestor in SCIM_TYPES)
    return (
        problems.status(type(error)),
        kind,
        wording.detail(error).removeprefix("Bad Request: ").removeprefix("formErrors: "),
    )


def body(status: int, detail: str, scim_type: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    found = {"schemas": [ERROR], "status": str(status), "detail": detail}
    return found if scim_type is None else found | {"scimType": scim_type}
