"""Google's credentials for a connection. Imports the driver: only the session imports this.

It reads nothing from the machine except the sources that `federation` allows in an external account configuration.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from google.auth import identity_pool
from google.auth.credentials import Credentials
from google.oauth2 import service_account

from moorings import errors
from moorings.dialects import credential_files
from moorings.dialects.base import SessionContext
from moorings.dialects.bigquery.config import FEDERATION, Config, decoded, endpoint, storage_endpoint
from moorings.dialects.bigquery.federation import (
    JWT,
    STS,
    TOKEN_URIS,
    fault_in,
    impersonation_url,
    is_googles,
    token_uri,
)
from moorings.dialects.network import https

SCOPES = ("https://www.googleapis.com/auth/bigquery",)


def credentials(config: Config, context: SessionContext) -> Credentials:
    """The credentials of a login; raises LoginRefused for an unusable key or configuration."""
    if config.authentication_type == FEDERATION:
        return _federated(config, context)
    given = _given(config)
    uri = token_uri(given.get("token_uri"), context)
    if uri is None:
        message = f"The token_uri in the service account's key must be {TOKEN_URIS[0]}."
        raise errors.LoginRefused("password", message=message)
    try:
        made = service_account.Credentials.from_service_account_info(given | {"token_uri": uri}, scopes=SCOPES)
        made.sign_bytes(b"")  # a key of another kind than RSA is read, and fails here
    except (ValueError, TypeError):  # their texts may quote the key
        message = "The private key in the service account's key cannot be used. Paste the file as it was downloaded."
    else:
        return made
    raise errors.LoginRefused("password", message=message)


def _given(config: Config) -> dict[str, Any]:
    return decoded(config.secrets().get("password", "")) or {}


def _federated(config: Config, context: SessionContext) -> Credentials:
    given = _given(config)
    if reason := fault_in(given, context):
        raise errors.LoginRefused("password", message=f"{reason.rstrip('.')}.")
    for url in (endpoint(config), storage_endpoint(config)):
        if url is not None and not is_googles(url, context):
            message = "The token may be sent to Google alone: to https://*.googleapis.com."
            raise errors.LoginRefused("host_override", message=message)
    try:
        return identity_pool.Credentials(
            audience=config.wif_audience,
            subject_token_type=given.get("subject_token_type", JWT),
            token_url=context.google_sts_url or STS,
            service_account_impersonation_url=impersonation_url(given, config.wif_service_account_email, context),
            subject_token_supplier=_Supplier(given["credential_source"], context),
            scopes=SCOPES,
        )
    except (ValueError, TypeError):
        message = "The external account configuration cannot be used. Download it anew from the identity pool."
    raise errors.LoginRefused("password", "wif_audience", message=message)


class _Supplier(identity_pool.SubjectTokenSupplier):
    """Supplies the subject token whenever one is needed."""

    def __init__(self, source: Mapping[str, Any], context: SessionContext) -> None:
        self._source = source
        self._context = context

    def get_subject_token(self, context: object, request: object) -> str:
        """The token; raises LoginRefused, which quotes no part of the read data."""
        data = self._of_file() if "file" in self._source else self._of_url()
        try:
            return self._token(data.decode())
        except (ValueError, KeyError, TypeError):
            message = "The credential_source contains no token in its format. Check its format."
        raise errors.LoginRefused("password", message=message)

    def _token(self, text: str) -> str:
        how: Mapping[str, Any] = self._source.get("format", {})
        token = json.loads(text)[how["subject_token_field_name"]] if how.get("type") == "json" else text.strip()
        if not isinstance(token, str) or not token:
            raise ValueError
        return token

    def _of_file(self) -> bytes:
        where = self._context
        try:
            return credential_files.read(self._source["file"], where.credential_directories, where.never_read)
        except credential_files.Refused as refused:
            message = str(refused)
        raise errors.LoginRefused("password", message=message)

    def _of_url(self) -> bytes:
        try:
            answer = https.fetch(
                self._context.network,
                self._source["url"],
                headers=self._source.get("headers", {}),
                timeout_seconds=self._context.connect_timeout_seconds,
                fields=("password",),
            )
        except (OSError, http.client.HTTPException, errors.HostNotFound):
            message = "The url of the credential_source does not answer."
        except errors.AnotherService as refused:  # a redirect, or far too long an answer
            message = f"The url of the credential_source: {refused.message}"
        else:
            if answer.status == http.client.OK:
                return answer.body
            message = f"The url of the credential_source answered with HTTP status {answer.status}."
        raise errors.LoginRefused("password", message=message)
