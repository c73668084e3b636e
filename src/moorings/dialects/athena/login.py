"""Clients of AWS's services for a connection. Imports the driver: only the session imports this.

The machine's own files, variables and metadata service are never asked. Where a connection has a role but no access
key, the operator's key of MOORINGS_AWS_ACCESS_KEY_ID assumes it. That key can assume the roles of all connections, so
each role's trust policy must require its own external id.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import urllib3
from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool
from botocore.config import Config as ClientConfig
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.httpsession import URLLib3Session
from botocore.loaders import create_loader
from botocore.session import Session as AwsSession

from moorings import errors
from moorings.dialects.athena.config import STS, Config, endpoint
from moorings.dialects.base import SessionContext
from moorings.dialects.network.pools import pool_classes

NO_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""botocore's settings that would make it read files: name in the file, variables, default, conversion."""
READ_SECONDS = 60
NO_OWN_KEY = (
    "Neither the connection nor the service has an access key to assume the role with. Give username and"
    " passwordUnencrypted, or ask the operator to set MOORINGS_AWS_ACCESS_KEY_ID and MOORINGS_AWS_SECRET_ACCESS_KEY."
)
MODELS = create_loader()
"""Descriptions of AWS's services, which take longer to read than a login takes."""


class Clients:
    """Creates the clients of one login."""

    def __init__(self, config: Config, context: SessionContext) -> None:
        self._config = config
        self._own_key = context.aws_key
        self._ca_bundle = context.network.ca_bundle
        self._wire = _Wire(context, verify=self._verify)
        self._settings = ClientConfig(
            connect_timeout=context.connect_timeout_seconds,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
            user_agent_extra=context.application_name,
            ignore_configured_endpoint_urls=True,
            s3={"addressing_style": "path" if config.host_override else "auto"},
        )
        self._session = _fresh()
        if config.trust_server_certificate:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if config.aws_role_arn and config.authentication_type != "aws-access-key":
            provider = _Role(self)
            self._session.register_component("credential_provider", CredentialResolver([provider]))
            self._key: Mapping[str, Any] = {}
        else:
            self._key = self._given_key()

    @property
    def _verify(self) -> bool | str:
        """How certificates are verified: not at all, with the operator's authorities, or with botocore's."""
        return not self._config.trust_server_certificate and (self._ca_bundle or True)

    def _given_key(self) -> Mapping[str, Any]:
        password = self._config.secrets().get("password")
        if not self._config.username or not password:
            return {}
        return {"aws_access_key_id": self._config.username, "aws_secret_access_key": password}

    def _assuming_key(self) -> Mapping[str, Any]:
        """The key that assumes the role: the connection's, else the service's own; raises LoginRefused without one."""
        if key := self._given_key():
            return key
        if self._own_key is None:
            raise errors.LoginRefused("username", "password", message=NO_OWN_KEY)
        return {"aws_access_key_id": self._own_key[0], "aws_secret_access_key": self._own_key[1]}

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    def client(self, service: str) -> Any:
        """A client of a service, in the connection's region."""
        return self._made(self._session, service, self._key)

    def _made(self, session: AwsSession, service: str, key: Mapping[str, Any]) -> Any:
        client = session.create_client(
            service,
            region_name=self._config.region,
            endpoint_url=endpoint(self._config, service),
            verify=self._verify,
            config=self._settings,
            **key,
        )
        client.meta.events.register("before-send", self._wire.answer)
        return client

    def assume(self) -> Mapping[str, Any]:
        """Credentials of the role, as botocore refreshes them."""
        client = self._made(_fresh(), STS, self._assuming_key())
        external = self._config.external_oauth_audience
        request = {"RoleArn": self._config.aws_role_arn, "RoleSessionName": "moorings", "DurationSeconds": 3600}
        try:
            given = client.assume_role(**request, **({"ExternalId": external} if external else {}))["Credentials"]
        finally:
            client.close()
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


def _fresh() -> AwsSession:
    session = AwsSession(session_vars=NO_FILES)
    session.register_component("data_loader", MODELS)
    session.register_component("credential_provider", CredentialResolver([]))
    return session


class _Wire(URLLib3Session):
    """Sends botocore's requests in place of its own session: it dials checked addresses, without a proxy.

    Redirects are handed to botocore, which follows none: it sends a request on to AWS's own host of another region.
    """

    def __init__(self, context: SessionContext, *, verify: bool | str) -> None:
        super().__init__(verify=verify, timeout=(context.connect_timeout_seconds, READ_SECONDS))
        bases = (AWSHTTPConnectionPool, AWSHTTPSConnectionPool)
        fields = ("host_override", "region")
        self._manager.pool_classes_by_scheme = pool_classes(
            context.network, *fields, bases=bases, redirects=True, streamed=True
        )

    def answer(self, request: Any, **_: Any) -> Any:
        """The answer to a request, for botocore's event `before-send`, which then sends none itself."""
        return self.send(request)


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
