"""Amazon Athena: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from moorings.dialects.athena.config import ATHENA, CATALOG, ROLE, Config, endpoint
from moorings.dialects.athena.faults import FAULTS, MESSAGE_PATTERNS, STATEMENTS, ExecutionError
from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config import endpoints
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.https_faults import of_transport


class Athena(Dialect):
    """Amazon Athena."""

    name = "athena"
    title = "Amazon Athena"
    extra = "athena"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    ADDRESS_FIELDS = ("host_override", "region")
    PARAMETERS = "?, ?"
    over_http = True
    stateless = True
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Config) -> tuple[str, int]:
        """Athena's endpoint in the region."""
        return endpoints.host_and_port(endpoint(config, ATHENA) or f"https://athena.{config.region}.amazonaws.com")

    def fault_key(self, error: BaseException) -> str | None:
        """The transport failure, the final state of a statement, or the code of AWS's error."""
        if isinstance(error, ExecutionError):
            return error.state if error.state == "CANCELLED" else _matching(STATEMENTS, str(error)) or error.state
        response: Mapping[str, Any] = getattr(error, "response", None) or {}
        fault: Mapping[str, str] = response.get("Error", {})
        if response and not _is_awss(response):
            return "ResponseParserError"
        if "Code" in fault:
            return _of_code(fault["Code"], fault.get("Message", ""), getattr(error, "operation_name", ""))
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "ArrowInvalid" in kinds:
            return "unreadable"
        return failure(error) or _of_botocore(kinds)

    def error_text(self, error: BaseException) -> str:
        """AWS's message if the answer has the form of AWS's errors; else only the status."""
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

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in, and look for the workgroup and the catalog."""
        with importing("athena"):
            from moorings.dialects.athena.session import AthenaSession
        return AthenaSession(config, context)


def _is_awss(response: Mapping[str, Any]) -> bool:
    """Whether an error has one of AWS's names.

    For other answers, botocore sets a number or nothing, and quotes them.
    """
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9.]+", str(response.get("Error", {}).get("Code", ""))))


def _status(response: Mapping[str, Any]) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _matching(patterns: Iterable[tuple[str, str]], text: str) -> str | None:
    return next((key for pattern, key in patterns if pattern in text), None)


def _of_code(code: str, message: str, operation: str) -> str:
    """The key of FAULTS for AWS's code; a call that runs no statement shows faults of the login's settings."""
    statement = operation in ("StartQueryExecution", "GetQueryExecution", "GetQueryResults", "GetObject")
    key = _matching(STATEMENTS if statement else MESSAGE_PATTERNS, message)
    return key or (code if code in FAULTS else "InvalidRequestException")


def _of_botocore(kinds: set[str]) -> str | None:
    """A failed connection, which botocore reports without its cause."""
    words = {"ConnectTimeoutError": "timed out", "ReadTimeoutError": "timed out", "SSLError": "no tls"}
    words |= {
        "ResponseParserError": "ResponseParserError",
        "EndpointConnectionError": "unreachable",
        "ConnectionClosedError": "lost",
        "HTTPClientError": "lost",
    }
    return next((words[kind] for kind in words if kind in kinds), None)
