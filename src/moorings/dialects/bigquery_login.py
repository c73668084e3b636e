"""Google's credentials for a connection. Imports the driver: only the session imports this.

Nothing comes from the machine but what an external account configuration names: a file or a URL that holds a token.
Whoever makes a connection could otherwise have the service read any file, or the cloud's metadata, and send it to a
server of theirs. So what was read is sent to Google alone (or to an emulator on this machine), and programs, AWS
environments and metadata servers are no sources.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from google.auth import identity_pool
from google.auth.credentials import Credentials
from google.oauth2 import service_account

from moorings import errors
from moorings.dialects.bigquery import FEDERATION, Config, decoded, endpoint, storage_endpoint

SCOPES = ("https://www.googleapis.com/auth/bigquery",)
STS = "https://sts.googleapis.com/v1/token"
IAM = "https://iamcredentials.googleapis.com"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SOURCES = {"file", "url", "headers", "format"}
"""What a credential_source may have."""


def credentials(config: Config) -> Credentials:
    """What logs in; raises LoginRefused for a key or a configuration that cannot be used."""
    if config.authentication_type == FEDERATION:
        return _federated(config)
    try:
        return service_account.Credentials.from_service_account_info(_given(config), scopes=SCOPES)
    except (ValueError, TypeError):  # their texts may quote the key
        message = "The private key in the service account's key cannot be read. Paste the file as it was downloaded."
    raise errors.LoginRefused("password", message=message)


def _given(config: Config) -> dict[str, Any]:
    return decoded(config.secrets().get("password", "")) or {}


def _federated(config: Config) -> Credentials:
    given = _given(config)
    token_url, impersonation_url = given.get("token_url", STS), _impersonation(given, config.wif_service_account_email)
    for url in (token_url, impersonation_url, endpoint(config), storage_endpoint(config)):
        if url is not None and not _is_googles(str(url)):
            message = "The token may be sent to Google alone: to https://*.googleapis.com."
            raise errors.LoginRefused("password", "host_override", message=message)
    info = {
        "audience": config.wif_audience,
        "subject_token_type": given.get("subject_token_type", JWT),
        "token_url": token_url,
        "service_account_impersonation_url": impersonation_url,
        "credential_source": _checked_source(given.get("credential_source")),
    }
    try:
        return identity_pool.Credentials.from_info(info, scopes=SCOPES)
    except (ValueError, TypeError):
        message = "The external account configuration cannot be used. Download it anew from the identity pool."
    raise errors.LoginRefused("password", "wif_audience", message=message)


def _impersonation(given: Mapping[str, Any], email: str | None) -> str | None:
    """Where the token is changed for one of the service account; None where the federated identity itself is used."""
    url = given.get("service_account_impersonation_url")
    if email is None:
        return url
    parts = urlsplit(url or IAM)
    return f"{parts.scheme}://{parts.netloc}/v1/projects/-/serviceAccounts/{email}:generateAccessToken"


def _checked_source(given: object) -> Mapping[str, Any]:
    """Where the subject token comes from; raises LoginRefused for any other source than a file or a URL."""
    source: Mapping[str, Any] = cast("Mapping[str, Any]", given) if isinstance(given, dict) else {}
    if set(source) - SOURCES or ("file" in source) == ("url" in source):
        message = (
            "Workload identity federation needs an external account configuration as the password, whose "
            "credential_source names a file or a url with the token."
        )
    elif "file" in source and not Path(str(source["file"])).is_file():
        message = "The file of the credential_source is not there. The service's own user must be able to read it."
    elif "url" in source and _is_metadata(str(source["url"])):
        message = "A metadata server is no source of tokens here. Name a file, or a url of your identity provider."
    else:
        return source
    raise errors.LoginRefused("password", message=message)


def _is_googles(url: str) -> bool:
    """Whether only Google, or something on this machine, answers there."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return (parts.scheme == "https" and host.endswith(".googleapis.com")) or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_metadata(url: str) -> bool:
    """Whether a cloud's metadata server answers there."""
    host = urlsplit(url).hostname or ""
    address = _address(host)
    return host.startswith("metadata") or (address is not None and address.is_link_local)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
