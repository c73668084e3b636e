"""Clients of AWS's services for a connection. Imports the driver: only the session imports this.

The machine's own files, variables and metadata service are asked in one case alone: for the credentials that assume a
role of another account, where the connection has no access key. They serve every connection then; what keeps one's role
from the next is the external id in the role's trust policy.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import urllib3
from botocore.config import Config as ClientConfig
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.loaders import create_loader
from botocore.session import Session as AwsSession

from moorings.dialects.athena import STS, Config, endpoint

NO_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Settings of botocore's that would have it read files: name in the file, variables, default, conversion."""
MODELS = create_loader()
"""Descriptions of AWS's services, which take longer to read than a login takes."""


class Clients:
    """Makes the clients of one login."""

    def __init__(self, config: Config, connect_timeout_seconds: float, application_name: str) -> None:
        self._config = config
        self._settings = ClientConfig(
            connect_timeout=connect_timeout_seconds,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 2},
            user_agent_extra=application_name,
            ignore_configured_endpoint_urls=True,
            s3={"addressing_style": "path" if config.host_override else "auto"},
        )
        self._session = _fresh(NO_FILES)
        if config.trust_server_certificate:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if config.aws_role_arn and config.authentication_type != "aws-access-key":
            provider = _Role(self)
            self._session.register_component("credential_provider", CredentialResolver([provider]))
            self._key: Mapping[str, Any] = {}
        else:
            self._key = self._given_key()

    def _given_key(self) -> Mapping[str, Any]:
        password = self._config.secrets().get("password")
        if not self._config.username or not password:
            return {}
        return {"aws_access_key_id": self._config.username, "aws_secret_access_key": password}

    def client(self, service: str) -> Any:
        """A client of a service, in the connection's region."""
        return self._made(self._session, service, self._key)

    def _made(self, session: AwsSession, service: str, key: Mapping[str, Any]) -> Any:
        return session.create_client(
            service,
            region_name=self._config.region,
            endpoint_url=endpoint(self._config, service),
            verify=False if self._config.trust_server_certificate else None,
            config=self._settings,
            **key,
        )

    def assume(self) -> Mapping[str, Any]:
        """Credentials of the role, as botocore refreshes them; by the key that was given, or the machine's own."""
        key = self._given_key()
        client = self._made(_fresh(NO_FILES if key else None), STS, key)
        external = self._config.external_oauth_audience
        asked = {"RoleArn": self._config.aws_role_arn, "RoleSessionName": "moorings", "DurationSeconds": 3600}
        try:
            given = client.assume_role(**asked, **({"ExternalId": external} if external else {}))["Credentials"]
        finally:
            client.close()
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


def _fresh(settings: Any) -> AwsSession:
    session = AwsSession(session_vars=settings)
    session.register_component("data_loader", MODELS)
    return session


class _Role(CredentialProvider):
    """The role's credentials, assumed anew before they run out."""

    METHOD = "assume-role"
    CANONICAL_NAME = "Moorings"

    def __init__(self, clients: Clients) -> None:
        super().__init__()
        self._clients = clients

    def load(self) -> RefreshableCredentials:
        """Assume the role."""
        assume = self._clients.assume
        return RefreshableCredentials.create_from_metadata(assume(), refresh_using=assume, method=self.METHOD)
