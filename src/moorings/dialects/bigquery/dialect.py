"""Google BigQuery: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from moorings import errors
from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.bigquery.config import FEDERATION, SERVICE_ACCOUNT, Config, decoded, endpoint
from moorings.dialects.bigquery.faults import FAULTS, MESSAGE_PATTERNS
from moorings.dialects.config import endpoints
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.https_faults import of_transport


class BigQuery(Dialect):
    """Google BigQuery."""

    name = "bigquery"
    title = "Google BigQuery"
    extra = "bigquery"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    ADDRESS_FIELDS = ("host_override",)
    PARAMETERS = "?, ?"
    over_http = True
    stateless = True
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Config) -> tuple[str, int]:
        """The API."""
        return endpoints.host_and_port(endpoint(config))

    def config_faults(self, config: Config, context: SessionContext) -> Iterable[tuple[str, str]]:
        """The faults of an external account configuration; none if the connection has none yet."""
        from moorings.dialects.bigquery.federation import fault_in

        password = config.secrets().get("password")
        if config.authentication_type == FEDERATION and password:
            reason = fault_in(decoded(password), context)
            if reason:
                yield "password", reason

    def fault_key(self, error: BaseException) -> str | None:
        """The transport failure, the server's message, or its reason."""
        if network_fault := failure(error):
            return network_fault
        if _of_login(error):
            return "login"
        if _is_anothers(error):
            return "no answer"
        text = self.error_text(error)
        if matched := next((key for pattern, key in MESSAGE_PATTERNS if pattern in text), None):
            return matched
        code = getattr(error, "code", None)
        if code is None:
            return None
        reason = _reason(error)
        return reason if reason in FAULTS else {401: "authError", 403: "accessDenied"}.get(code, "statement")

    def error_text(self, error: BaseException) -> str:
        """The server's message, without the driver's request before it and the job's id after it.

        Answers of token servers, and answers without the form of Google's errors, are reduced to their status.
        """
        if _of_login(error):
            return of_transport(error)
        if _is_anothers(error):
            return f"HTTP status {int(getattr(error, 'code', 0))}"
        if getattr(error, "code", None) is None:
            return of_transport(error)
        text = str(getattr(error, "message", None) or error)
        return re.sub(r"^(GET|POST) \S+: |; reason: .*|(?<!\s)\s*+Location: .*", "", text, flags=re.DOTALL)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-bigquery; other logins than a key use the credentials of the machine where dbt runs."""
        return {
            "type": "bigquery",
            **(_key_login(config) if config.authentication_type == SERVICE_ACCOUNT else {"method": "oauth"}),
            "project": place.database or config.database,
            "dataset": place.schema,
            "location": config.region,
            "maximum_bytes_billed": int(config.max_billing_bytes) if config.max_billing_bytes else None,
            "api_endpoint": config.host_override,
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in, and check that queries may run in the project."""
        if config.authentication_type not in (SERVICE_ACCOUNT, FEDERATION):
            raise errors.LoginRefused(
                "authentication_type",
                message=(
                    "This login method needs an interactive sign-in at Google, which Moorings does not "
                    "support. Use a service account or workload identity federation."
                ),
            )
        with importing("bigquery"):
            from moorings.dialects.bigquery.session import BigQuerySession
        return BigQuerySession(config, context)


def _is_anothers(error: BaseException) -> bool:
    """Whether an HTTP answer has no list of reasons, as every error of Google's has; the driver quotes it whole."""
    answer = getattr(error, "response", None)
    return hasattr(answer, "status_code") and not _reason(error)


def _of_login(error: BaseException) -> bool:
    return any(kind.__name__ == "GoogleAuthError" for kind in type(error).__mro__)


def _reason(error: BaseException) -> str | None:
    """BigQuery's own name of the error; errors of the Storage API have none."""
    matched = [cast("dict[str, Any]", each) for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    return matched[0].get("reason") if matched else None


def _key_login(config: Config) -> Mapping[str, Any]:
    """The members of a service account's key, for dbt; only one of them is a secret."""
    account = {
        "type": "service_account",
        "project_id": config.database,
        "client_email": config.username,
        "private_key": DbtSecret("password", "private_key"),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return {"method": "service-account-json", "keyfile_json": account}
