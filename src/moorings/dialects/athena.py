"""Amazon Athena.

Driver: botocore, which PyAthena brings (extra `athena`). PyAthena's own Arrow cursor holds a whole result in memory and
makes empty text of nulls; here results stream from S3. Login: access key id (`username`) and secret access key
(`passwordUnencrypted`), or a role of another account, assumed with such a key or else with the operator's
(MOORINGS_AWS_ACCESS_KEY_ID). Limits: Athena has no read-only session, so a statement passes by its first word, which
decides in Athena's grammar whether it can write; it has no time limit for a statement, so Moorings stops it; there are
no sessions, so nothing is left behind and no time zone is kept; arrays, maps, rows and JSON arrive as text; `database`
is the data catalog. Source: https://docs.aws.amazon.com/athena/latest/APIReference/Welcome.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moorings import errors
from moorings.dialects import endpoints
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.destinations import DESTINATIONS, Destinations, another_value
from moorings.dialects.failures import https_faults, of_transport
from moorings.dialects.places import Line, Region
from moorings.dialects.required import Login, Need, always
from moorings.dialects.tls import failure

SERVICES = ATHENA, S3, STS = ("athena", "s3", "sts")
"""The services that hostOverride may name; a URL alone stands for all."""
ACCESS_KEY, ROLE = "aws-access-key", "aws-cross-account-role"
CATALOG, WORKGROUP = "AwsDataCatalog", "primary"
"""What every account has."""


class Config(ConnectionConfig, frozen=True):
    """What an Athena connection needs for each way to log in."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("region")
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login(ACCESS_KEY, ("username", "password")),
        Login(ROLE, ("aws_role_arn",), inferred_from="aws_role_arn", uses=("password",)),
    )
    DESTINATIONS: ClassVar[Destinations] = {**DESTINATIONS, "region": another_value}

    dialect: Literal["athena"] = "athena"
    username: Line | None = None
    region: Region | None = None
    host_override: Annotated[str, endpoints.place(SERVICES)] | None = None
    always_scope_view_names: bool = True
    external_oauth_audience: Line | None = Field(
        None, description="The external id that the role's trust policy asks for."
    )


class ExecutionError(Exception):
    """A statement that did not succeed: the state it ended in, and Athena's own reason."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state


LOGIN = errors.LoginRefused("username", "password", message="AWS does not know the key, or its secret is another one.")
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
        ("ExpiredTokenException", "ExpiredToken"), errors.SessionLost(message="The credentials ran out. Try again.")
    ),
    "role": errors.LoginRefused(
        "aws_role_arn",
        "external_oauth_audience",
        message="The role may not be assumed. Check its ARN, and the account and external id in its trust policy.",
    ),
    "workgroup": errors.DatabaseNotFound("warehouse", message="There is no such workgroup in this region."),
    "no grant on workgroup": errors.DatabaseForbidden(
        "warehouse", message="The login may not use this workgroup. Grant it athena:GetWorkGroup on it."
    ),
    "catalog": errors.DatabaseNotFound("database", message="There is no such data catalog in this region."),
    "AccessDeniedException": errors.StatementForbidden(),
    "AccessDenied": errors.StatementForbidden(),
    "denied": errors.StatementForbidden(),
    "results": errors.StatementForbidden(
        "results_location", message="The results cannot be written there. Grant s3:PutObject, or name another bucket."
    ),
    "TooManyRequestsException": errors.SessionLost(message="Athena takes no more requests for now. Try again shortly."),
    "ThrottlingException": errors.SessionLost(message="AWS takes no more requests for now. Try again shortly."),
    "InternalServerException": errors.SessionLost(message="Athena itself failed. Try again shortly."),
    "CANCELLED": errors.QueryCancelled(),
    "parameters": errors.ParametersRefused(),
    "InvalidRequestException": errors.StatementRefused(),
    "FAILED": errors.StatementRefused(),
    "ResponseParserError": errors.AnotherService(
        "host_override", message="What answers there does not speak as AWS does. Check the endpoint."
    ),
    "unreadable": errors.StatementRefused(
        message="The result has a value that Moorings cannot read. Cast it to varchar."
    ),
}
"""The code of an error of AWS's, the state of a statement, or a word of TELLTALES or of `failure`."""

TELLTALES = (
    ("on resource: arn:aws:iam", "role"),
    ("sts:AssumeRole", "role"),
    ("athena:GetWorkGroup", "no grant on workgroup"),
    ("WorkGroup", "workgroup"),
    ("workgroup", "workgroup"),
    ("atalog", "catalog"),
)
"""What AWS says of a login → the key of FAULTS. Statements are not searched: they could say anything."""
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
"""What Athena says of a statement → the key of FAULTS."""


class Athena(BaseDialect):
    """Amazon Athena."""

    name = "athena"
    title = "Amazon Athena"
    extra = "athena"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    ADDRESS_FIELDS = ("host_override", "region")
    PARAMETERS = "?, ?"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Config) -> tuple[str, int]:
        """Athena's endpoint in the region."""
        return endpoints.host_and_port(endpoint(config, ATHENA) or f"https://athena.{config.region}.amazonaws.com")

    def fault_key(self, error: BaseException) -> str | None:
        """What kept us from the server, the state that a statement ended in, or the code of AWS's error."""
        if isinstance(error, ExecutionError):
            return error.state if error.state == "CANCELLED" else _told(STATEMENTS, str(error)) or error.state
        response: Mapping[str, Any] = getattr(error, "response", None) or {}
        said: Mapping[str, str] = response.get("Error", {})
        if response and not _is_awss(response):
            return "ResponseParserError"
        if "Code" in said:
            return _of_code(said["Code"], said.get("Message", ""), getattr(error, "operation_name", ""))
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "ArrowInvalid" in kinds:
            return "unreadable"
        return failure(error) or _of_botocore(kinds)

    def said(self, error: BaseException) -> str:
        """AWS's words, where an answer has the shape of AWS's errors; of any other, the status alone."""
        if isinstance(error, ExecutionError):
            return str(error)
        response: Mapping[str, Any] = getattr(error, "response", None) or {}
        if not response:
            return of_transport(error)
        return str(error) if _is_awss(response) else f"HTTP status {_status(response)}"

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-athena; a role is assumed with the credentials of the machine where dbt runs."""
        login: Mapping[str, Any] = {
            "aws_access_key_id": config.username,
            "aws_secret_access_key": DbtSecret("password"),
        }
        if config.authentication_type == ROLE:
            external = config.external_oauth_audience
            login = {"assume_role_arn": config.aws_role_arn, "assume_role_external_id": external}
        return {
            "type": "athena",
            "region_name": config.region,
            **login,
            "work_group": config.warehouse,
            "s3_staging_dir": config.results_location,
            "database": place.database or config.database or CATALOG,
            "schema": place.schema,
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in, and look for the workgroup and the catalog."""
        with importing("athena"):
            from moorings.dialects.athena_session import AthenaSession
        return AthenaSession(config, surroundings)


def endpoint(config: Config, service: str) -> str | None:
    """The URL of a service where hostOverride says it; None for AWS's own."""
    return endpoints.overridden(config.host_override, SERVICES, SERVICES).get(service)


def _is_awss(response: Mapping[str, Any]) -> bool:
    """Whether an error has a name of AWS's; botocore makes a number or nothing of other answers, and quotes them."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9.]+", str(response.get("Error", {}).get("Code", ""))))


def _status(response: Mapping[str, Any]) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _told(telltales: Iterable[tuple[str, str]], text: str) -> str | None:
    return next((key for telltale, key in telltales if telltale in text), None)


def _of_code(code: str, message: str, operation: str) -> str:
    """The key for AWS's code; a call that runs no statement tells of the login's own settings."""
    statement = operation in ("StartQueryExecution", "GetQueryExecution", "GetQueryResults", "GetObject")
    told = _told(STATEMENTS if statement else TELLTALES, message)
    return told or (code if code in FAULTS else "InvalidRequestException")


def _of_botocore(kinds: set[str]) -> str | None:
    """A failed connection, which botocore tells without its cause."""
    words = {"ConnectTimeoutError": "timed out", "ReadTimeoutError": "timed out", "SSLError": "no tls"}
    words |= {
        "ResponseParserError": "ResponseParserError",
        "EndpointConnectionError": "unreachable",
        "ConnectionClosedError": "lost",
        "HTTPClientError": "lost",
    }
    return next((words[kind] for kind in words if kind in kinds), None)
