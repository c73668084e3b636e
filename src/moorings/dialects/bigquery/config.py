"""The settings of a BigQuery connection."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from moorings.dialects.config import endpoints
from moorings.dialects.config.blanks import BLANKS
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import FORBIDDEN_CHARACTERS
from moorings.dialects.config.needs import Login
from moorings.dialects.config.places import Region, matching

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
"""The required members of a service account key's JSON."""


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
    """The settings of a BigQuery connection, for each login method."""

    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login(SERVICE_ACCOUNT),
        Login("bigquery-oauth-user", ()),
        Login(
            "bigquery-byo-oauth-user",
            ("oauth_client_id", "oauth_client_secret"),
            inferred_from="oauth_client_id",
            unless=("password", "wif_audience"),
        ),
        Login(FEDERATION, ("wif_audience",), inferred_from="wif_audience", uses=("password",)),
    )

    EXAMPLE: ClassVar[Mapping[str, object]] = {
        "passwordUnencrypted": json.dumps(
            {key: "service_account" if key == "type" else "…" for key in SERVICE_ACCOUNT_KEYS}, ensure_ascii=False
        )
    }

    dialect: Literal["bigquery"] = "bigquery"
    database: Project | None = None
    default_schema: Dataset | None = None
    region: Region | None = "us"
    host_override: Annotated[str, endpoints.place((API, STORAGE))] | None = None
    wif_service_account_email: AccountEmail | None = None
    always_scope_view_names: bool = True

    @classmethod
    def unwrapped(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The service account's key as JSON text: it may come as an object, with a byte order mark, or in base64."""
        key = given.get("password")
        if isinstance(key, dict):
            return given | {"password": json.dumps(key)}
        return given | {"password": _bare(key)} if isinstance(key, str) else given

    @classmethod
    def further_faults(cls, given: Mapping[str, Any], login: Login | None) -> Iterable[tuple[str, str]]:
        """The faults in the shape of the service account's key."""
        key = given.get("password")
        key = key if isinstance(key, str) and login and login.name == SERVICE_ACCOUNT else ""
        if key and (reason := _reason_against(decoded(key))):
            yield "password", reason

    def implied(self) -> dict[str, Any]:
        """The project and the e-mail address of the service account, if none are given."""
        account = decoded(self.password.get_secret_value() if self.password else "") or {}
        pairs = (("database", "project_id"), ("username", "client_email"))
        return {
            field: account[key] for field, key in pairs if getattr(self, field) is None and _storable(account.get(key))
        }


def _bare(key: str) -> str:
    bare = key.strip(BLANKS)
    if bare[:1] == "{":
        return bare
    try:
        inner = base64.b64decode("".join(bare.split()), validate=True).decode().strip(BLANKS)
    except ValueError:
        return bare
    return inner if inner[:1] == "{" else bare


def decoded(key: str) -> dict[str, Any] | None:
    """The JSON object of a key or an external account configuration; None if it is none."""
    try:
        decoded = json.loads(key)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else None


def _reason_against(account: dict[str, Any] | None) -> str | None:
    """The fault of a decoded key, without quoting the key."""
    if account is None:
        return "Service account key must be a JSON object"
    if missing := [key for key in SERVICE_ACCOUNT_KEYS if key not in account]:
        return f"Service account key lacks {', '.join(missing)}"
    if account["type"] != "service_account":
        return "Service account key must have the type service_account"
    return None


def _storable(value: object) -> bool:
    return isinstance(value, str) and value != "" and not FORBIDDEN_CHARACTERS.search(value)


def endpoint(config: Config) -> str:
    """The URL of the API."""
    return _overridden(config).get(API, "https://bigquery.googleapis.com")


def storage_endpoint(config: Config) -> str | None:
    """The URL of the Storage API; None if hostOverride names only the API: then the API also sends the rows."""
    usual = None if config.host_override else "https://bigquerystorage.googleapis.com"
    return _overridden(config).get(STORAGE, usual)


def _overridden(config: Config) -> Mapping[str, str]:
    return endpoints.overridden(config.host_override, (API, STORAGE), (API,))
