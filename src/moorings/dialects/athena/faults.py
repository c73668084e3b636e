"""Athena's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.https_faults import https_faults


class ExecutionError(Exception):
    """A statement that did not succeed: the state it ended in, and Athena's own reason."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state


LOGIN = errors.LoginRefused("username", "password", message="AWS refused the access key or its secret. Check both.")
FAULTS: Mapping[str, errors.WarehouseError] = {
    **https_faults("host_override", "region"),
    **dict.fromkeys(
        (
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
        ),
        LOGIN,
    ),
    **dict.fromkeys(
        ("ExpiredTokenException", "ExpiredToken"),
        errors.SessionLost(message="The temporary credentials expired. Try again."),
    ),
    "role": errors.LoginRefused(
        "aws_role_arn",
        "external_oauth_audience",
        message="AWS refused to assume the role. Check its ARN, and the account and external id in its trust policy.",
    ),
    "workgroup": errors.DatabaseNotFound(
        "warehouse", message="The workgroup does not exist in this region. Check warehouse and region."
    ),
    "no grant on workgroup": errors.DatabaseForbidden(
        "warehouse", message="The login has no permission on this workgroup. Grant it athena:GetWorkGroup."
    ),
    "catalog": errors.DatabaseNotFound(
        "database", message="The data catalog does not exist in this region. Check database and region."
    ),
    "AccessDeniedException": errors.StatementForbidden(),
    "AccessDenied": errors.StatementForbidden(),
    "denied": errors.StatementForbidden(),
    "results": errors.StatementForbidden(
        "results_location",
        message="Athena cannot write results to resultsLocation. Grant s3:PutObject, or name another bucket.",
    ),
    "TooManyRequestsException": errors.SessionLost(message="Athena limits requests. Try again shortly."),
    "ThrottlingException": errors.SessionLost(message="AWS limits requests. Try again shortly."),
    "InternalServerException": errors.SessionLost(message="Athena reported an internal error. Try again shortly."),
    "CANCELLED": errors.QueryCancelled(),
    "parameters": errors.ParametersRefused(),
    "InvalidRequestException": errors.StatementRefused(),
    "FAILED": errors.StatementRefused(),
    "ResponseParserError": errors.AnotherService(
        "host_override", message="Another service than AWS answers at this endpoint. Check hostOverride."
    ),
    "unreadable": errors.StatementRefused(
        message="The result has a value that Moorings cannot read. Cast it to varchar."
    ),
}
"""The code of an AWS error, the state of a statement, or a word of TELLTALES or of `failure`."""

MESSAGE_PATTERNS = (
    ("on resource: arn:aws:iam", "role"),
    ("sts:AssumeRole", "role"),
    ("athena:GetWorkGroup", "no grant on workgroup"),
    ("WorkGroup", "workgroup"),
    ("workgroup", "workgroup"),
    ("atalog", "catalog"),
)
"""AWS's message about a login → the key of FAULTS. Errors of statements are not searched: their text is arbitrary."""
STATEMENTS = (
    ("writing to S3", "results"),
    ("output location", "results"),
    ("output bucket", "results"),
    ("Access Denied", "denied"),
    ("AccessDenied", "denied"),
    ("not authorized", "denied"),
    ("nsufficient permissions", "denied"),
    ("ncorrect number of parameters", "parameters"),
    ("number of parameters", "parameters"),
)
"""Athena's message about a statement → the key of FAULTS."""
