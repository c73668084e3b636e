"""Google BigQuery.

Driver: google-cloud-bigquery (no extra yet). Login: service account, OAuth of the user (with Google's client or one's
own), workload identity federation. Connections are stored and checked, but not opened yet. Of a service account's key
only the shape is checked. Source: https://cloud.google.com/iam/docs/service-account-creds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, cast

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import UNWHOLESOME
from moorings.dialects.required import Login

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


class Config(ConnectionConfig, frozen=True):
    """What a BigQuery connection needs for each way to log in."""

    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("bigquery-service-account"),
        Login("bigquery-oauth-user", ()),
        Login("bigquery-byo-oauth-user", ("oauth_client_id", "oauth_client_secret")),
        Login("bigquery-workload-identity-federation", ("wif_audience",), inferred_from="wif_audience"),
    )

    dialect: Literal["bigquery"] = "bigquery"
    region: str | None = "us"
    always_scope_view_names: bool = True

    @classmethod
    def further_faults(cls, given: Mapping[str, Any], login: Login | None) -> Iterable[tuple[str, str]]:
        """What is wrong with the shape of the service account's key."""
        key = given.get("password")
        if isinstance(key, str) and key and login and login.name == "bigquery-service-account":
            reason = _reason_against(_decoded(key))
            return [("password", reason)] if reason else []
        return []

    def derived(self) -> dict[str, Any]:
        """The project and the e-mail address of the service account, where no others are given."""
        derived = super().derived()
        account = _decoded(self.password.get_secret_value() if self.password else "") or {}
        for field, key in (("database", "project_id"), ("username", "client_email")):
            if getattr(self, field) is None and _storable(account.get(key)):
                derived[field] = account[key]
        return derived


def _decoded(key: str) -> dict[str, Any] | None:
    """The object that a service account's key is; None when it is none."""
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


class BigQuery(BaseDialect):
    """Google BigQuery."""

    name = "bigquery"
    title = "Google BigQuery"
    abilities = Abilities(several_catalogs=True)
    Config = Config
