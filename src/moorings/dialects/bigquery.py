"""Google BigQuery.

Driver: google-cloud-bigquery and google-cloud-bigquery-storage (extra `bigquery`). Login: service account, or workload
identity federation, whose external account configuration is the password; the two kinds of OAuth of a user are stored,
and need that user's sign-in. Nothing is ever taken from the machine itself: no application default credentials, no
metadata server. Limits: BigQuery has no read-only session, so a dry run tells first what a statement is, and only a
SELECT passes; there are no sessions, so nothing is left behind by a statement; NUMERIC arrives as decimal128(38, 9) and
BIGNUMERIC as decimal256(76, 38) whatever is declared; JSON and GEOGRAPHY arrive as text; two columns of a
result cannot share a name. Source: https://cloud.google.com/bigquery/docs/reference/rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from moorings import errors
from moorings.dialects import endpoints
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.failures import https_faults, of_transport
from moorings.dialects.fields import UNWHOLESOME
from moorings.dialects.places import Region, matching
from moorings.dialects.required import Login
from moorings.dialects.tls import failure

API, STORAGE = "bigquery", "storage"
"""The services that hostOverride may name."""

SERVICE_ACCOUNT, FEDERATION = "bigquery-service-account", "bigquery-workload-identity-federation"

SERVICE_ACCOUNT_KEYS = (
    "type",
    "project_id",
    "private_key_id",
    "private_key",
    "client_email",
    "client_id",
    "auth_uri",
    "token_uri",
    "auth_provider_x509_cert_url",
    "client_x509_cert_url",
)
"""What the JSON of a service account's key must hold."""


Project = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}",
        "Only the id of a Google Cloud project, such as my-project or example.com:my-project",
    ),
]
Dataset = Annotated[str, matching(r"[A-Za-z0-9._:-]{1,1200}", "Only the name of a dataset, or project.dataset")]
AccountEmail = Annotated[
    str,
    matching(
        r"[A-Za-z0-9._+-]{1,200}@[A-Za-z0-9.-]{1,200}",
        "Only the e-mail address of a service account, such as name@project.iam.gserviceaccount.com",
    ),
]


class Config(ConnectionConfig, frozen=True):
    """What a BigQuery connection needs for each way to log in."""

    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login(SERVICE_ACCOUNT),
        Login("bigquery-oauth-user", ()),
        Login("bigquery-byo-oauth-user", ("oauth_client_id", "oauth_client_secret")),
        Login(FEDERATION, ("wif_audience",), inferred_from="wif_audience", uses=("password",)),
    )

    dialect: Literal["bigquery"] = "bigquery"
    database: Project | None = None
    default_schema: Dataset | None = None
    region: Region | None = "us"
    host_override: Annotated[str, endpoints.place((API, STORAGE))] | None = None
    wif_service_account_email: AccountEmail | None = None
    always_scope_view_names: bool = True

    @classmethod
    def further_faults(cls, given: Mapping[str, Any], login: Login | None) -> Iterable[tuple[str, str]]:
        """What is wrong with the shape of the service account's key."""
        key = given.get("password")
        key = key if isinstance(key, str) and login and login.name == SERVICE_ACCOUNT else ""
        if key and (reason := _reason_against(decoded(key))):
            yield "password", reason

    def derived(self) -> dict[str, Any]:
        """The project and the e-mail address of the service account, where no others are given."""
        derived = super().derived()
        account = decoded(self.password.get_secret_value() if self.password else "") or {}
        for field, key in (("database", "project_id"), ("username", "client_email")):
            if getattr(self, field) is None and _storable(account.get(key)):
                derived[field] = account[key]
        return derived


def decoded(key: str) -> dict[str, Any] | None:
    """The object that a key or an external account configuration is; None when it is none."""
    try:
        decoded = json.loads(key)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else None


def _reason_against(account: dict[str, Any] | None) -> str | None:
    """What is wrong with a decoded key, quoting none of it."""
    if account is None:
        return "Service account key must be a JSON object"
    if missing := [key for key in SERVICE_ACCOUNT_KEYS if key not in account]:
        return f"Service account key lacks {', '.join(missing)}"
    if account["type"] != "service_account":
        return "Service account key must have the type service_account"
    return None


def _storable(value: object) -> bool:
    return isinstance(value, str) and value != "" and not UNWHOLESOME.search(value)


DENIED = "Grant it roles/bigquery.dataViewer on the dataset, or leave out what it may not read."
FAULTS: Mapping[str, errors.WarehouseError] = {
    **https_faults("host_override"),
    "no answer": errors.AnotherService(
        "host_override", message="Something answers there that is not BigQuery. Check the endpoint."
    ),
    "login": errors.LoginRefused(
        "password", message="Google refused the credentials. Make a new key, and paste it whole."
    ),
    "authError": errors.LoginRefused("password"),
    "no job": errors.DatabaseForbidden(
        "database",
        "username",
        message="The account may not run queries in this project. Grant it roles/bigquery.jobUser there.",
    ),
    "no project": errors.DatabaseNotFound(
        "database", message="There is no such project, or BigQuery is not enabled in it. Check the project's id."
    ),
    "billingNotEnabled": errors.DatabaseForbidden(
        "database", message="The project has no billing account. Link one, or name another project."
    ),
    "no region": errors.DatabaseNotFound(
        "region", message="BigQuery has no such region. Name it as `us` or `europe-west1`."
    ),
    "accessDenied": errors.StatementForbidden(message=f"The account may not read something that this names. {DENIED}"),
    "bytesBilledLimitExceeded": errors.StatementRefused(
        "max_billing_bytes",
        message="The statement would be billed for more than maxBillingBytes. Narrow it, or raise that.",
    ),
    "stopped": errors.QueryCancelled(),
    "timed out job": errors.QueryTimeout(),
    "parameters": errors.ParametersRefused(),
    "quotaExceeded": errors.StatementRefused(
        message="A quota of the project is used up. Wait, or raise it in the console."
    ),
    "rateLimitExceeded": errors.SessionLost(message="BigQuery takes no more requests for now. Try again shortly."),
    "backendError": errors.SessionLost(message="BigQuery itself failed. Try again shortly."),
    "internalError": errors.SessionLost(message="BigQuery itself failed. Try again shortly."),
    "resourcesExceeded": errors.StatementRefused(
        message="BigQuery ran out of resources for this statement. Narrow it."
    ),
    "responseTooLarge": errors.StatementRefused(message="The result is larger than BigQuery hands out. Narrow it."),
    "statement": errors.StatementRefused(),
}
"""BigQuery's reason of an error, or a word of TELLTALES or of `failure`.

Source of the reasons: https://cloud.google.com/bigquery/docs/error-messages."""

TELLTALES = (
    ("bigquery.jobs.create permission", "no job"),
    ("Not found: Project", "no project"),
    ("has not enabled BigQuery", "no project"),
    ("Cannot parse  as CloudRegion", "no region"),
    ("Invalid value for location", "no region"),
    ("is not supported for use in location", "no region"),
    ("timed out", "timed out job"),
    ("query parameter", "parameters"),
    ("prepared statement parameters", "parameters"),
    ("Parameter argument/count mismatch", "parameters"),
)
"""What BigQuery says → the key of FAULTS that is more exact than its reason."""


class BigQuery(BaseDialect):
    """Google BigQuery."""

    name = "bigquery"
    title = "Google BigQuery"
    extra = "bigquery"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    ADDRESS_FIELDS = ("host_override",)
    PARAMETERS = "?, ?"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Config) -> tuple[str, int]:
        """The API."""
        return endpoints.host_and_port(endpoint(config))

    def reasons_against(self, config: Config, surroundings: Surroundings) -> Iterable[tuple[str, str]]:
        """What is wrong with an external account configuration; without one there is nothing to log in with yet."""
        from moorings.dialects.bigquery_federation import reason_against

        password = config.secrets().get("password")
        if config.authentication_type == FEDERATION and password:
            reason = reason_against(decoded(password), surroundings)
            if reason:
                yield "password", reason

    def fault_key(self, error: BaseException) -> str | None:
        """What kept us from the server, what it said, or its reason."""
        if kept := failure(error):
            return kept
        if _of_login(error):
            return "login"
        if _is_anothers(error):
            return "no answer"
        text = self.said(error)
        if told := next((key for telltale, key in TELLTALES if telltale in text), None):
            return told
        code = getattr(error, "code", None)
        if code is None:
            return None
        reason = _reason(error)
        return reason if reason in FAULTS else {401: "authError", 403: "accessDenied"}.get(code, "statement")

    def said(self, error: BaseException) -> str:
        """The server's words, without the request that the driver puts before them and the job's id behind.

        Nothing of an answer that a token server gave, or of one without the shape of Google's errors: only the status.
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
        """For dbt-bigquery; other logins than a key are those of the machine where dbt runs."""
        return {
            "type": "bigquery",
            **(_key_login(config) if config.authentication_type == SERVICE_ACCOUNT else {"method": "oauth"}),
            "project": place.database or config.database,
            "dataset": place.schema,
            "location": config.region,
            "maximum_bytes_billed": int(config.max_billing_bytes) if config.max_billing_bytes else None,
            "api_endpoint": config.host_override,
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in, and see that queries may run in the project."""
        if config.authentication_type not in (SERVICE_ACCOUNT, FEDERATION):
            raise errors.LoginRefused(
                "authentication_type",
                message="This way to log in needs a user's sign-in at Google, which Moorings does not ask for. "
                "Use a service account or workload identity federation.",
            )
        with importing("bigquery"):
            from moorings.dialects.bigquery_session import BigQuerySession
        return BigQuerySession(config, surroundings)


def _is_anothers(error: BaseException) -> bool:
    """Whether an HTTP answer has no list of reasons, as every error of Google's has; the driver quotes it whole."""
    answer = getattr(error, "response", None)
    return hasattr(answer, "status_code") and not _reason(error)


def _of_login(error: BaseException) -> bool:
    return any(kind.__name__ == "GoogleAuthError" for kind in type(error).__mro__)


def _reason(error: BaseException) -> str | None:
    """BigQuery's own word for what is wrong; errors of the Storage API have none."""
    told = [cast("dict[str, Any]", each) for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    return told[0].get("reason") if told else None


def endpoint(config: Config) -> str:
    """The URL of the API."""
    return _overridden(config).get(API, "https://bigquery.googleapis.com")


def storage_endpoint(config: Config) -> str | None:
    """The URL of the Storage API; None where hostOverride names the API alone: then rows come by the API too."""
    usual = None if config.host_override else "https://bigquerystorage.googleapis.com"
    return _overridden(config).get(STORAGE, usual)


def _overridden(config: Config) -> Mapping[str, str]:
    return endpoints.overridden(config.host_override, (API, STORAGE), (API,))


def _key_login(config: Config) -> Mapping[str, Any]:
    """What a service account's key says, for dbt; only one member of it is a secret."""
    account = {
        "type": "service_account",
        "project_id": config.database,
        "client_email": config.username,
        "private_key": DbtSecret("password", "private_key"),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return {"method": "service-account-json", "keyfile_json": account}
