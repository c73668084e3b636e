"""Workload identity federation for BigQuery: the allowed token servers and sources of the subject token.

Tokens that were read for a caller are sent only to Google. Programs, AWS environments and metadata servers are not
allowed as sources. Source: https://google.aip.dev/auth/4117.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from moorings.dialects import credential_files
from moorings.dialects.base import SessionContext
from moorings.dialects.config.urls import split_url

STS = "https://sts.googleapis.com/v1/token"
TOKEN_URIS = ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token")
"""The token endpoints of service accounts; older keys name the second."""
IAM = "https://iamcredentials.googleapis.com"
IMPERSONATION = re.compile(
    r"(?P<origin>https?://[A-Za-z0-9.:-]+)"
    r"(?P<path>/v1/projects/-/serviceAccounts/[A-Za-z0-9._+-]{1,200}@[A-Za-z0-9.-]{1,200}:generateAccessToken)"
)
JWT = "urn:ietf:params:oauth:token-type:jwt"
SOURCES = frozenset({"file", "url", "headers", "format"})
"""The allowed members of a credential_source."""
TOKEN_TYPES = frozenset({JWT, "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:saml2"})
NOT_GOOGLES = f"The token_url must be {STS}"
NOT_IAMS = (
    f"The service_account_impersonation_url must be {IAM}/v1/projects/-/serviceAccounts/<e-mail>:generateAccessToken"
)
NO_SOURCE = (
    "Workload identity federation needs an external account configuration, whose credential_source has a file or a url"
    " with the token, and format and headers at most beside it"
)


def fault_in(given: Mapping[str, Any] | None, context: SessionContext) -> str | None:
    """The fault of an external account configuration; None if it has none. Quotes no part of it."""
    if given is None:
        return "The external account configuration must be a JSON object"
    if given.get("token_url", STS) not in (STS, context.google_sts_url):
        return NOT_GOOGLES
    impersonation = given.get("service_account_impersonation_url")
    if impersonation is not None and not _is_iams(impersonation, context):
        return NOT_IAMS
    if given.get("subject_token_type", JWT) not in TOKEN_TYPES:
        return f"The subject_token_type must be one of {', '.join(sorted(TOKEN_TYPES))}"
    return _reason_against_source(given.get("credential_source"), context)


def _is_iams(url: object, context: SessionContext) -> bool:
    found = IMPERSONATION.fullmatch(url) if isinstance(url, str) else None
    return found is not None and found["origin"] in (IAM, stand_in(context))


def _reason_against_source(source: object, context: SessionContext) -> str | None:
    if not isinstance(source, dict):
        return NO_SOURCE
    known = cast("dict[str, Any]", source)
    if set(known) - SOURCES or ("file" in known) == ("url" in known) or not _is_format(known.get("format", {})):
        return NO_SOURCE
    if "file" in known:
        return _reason_against_file(known["file"], context)
    return None if _is_url(known["url"]) and _are_headers(known.get("headers", {})) else NO_SOURCE


def _reason_against_file(path: object, context: SessionContext) -> str | None:
    if not isinstance(path, str):
        return NO_SOURCE
    try:
        credential_files.check(path, context.credential_directories, context.never_read)
    except credential_files.Refused as refused:
        return str(refused)
    return None


def _is_format(given: object) -> bool:
    if not isinstance(given, dict):
        return False
    known = cast("dict[str, Any]", given)
    kind, name = known.get("type", "text"), known.get("subject_token_field_name")
    return kind == "text" or (kind == "json" and isinstance(name, str))


def _is_url(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        split_url(url, ("http", "https"))
    except PydanticCustomError:
        return False
    return True


def _are_headers(given: object) -> bool:
    if not isinstance(given, dict):
        return False
    pairs = cast("dict[object, object]", given).items()
    return all(
        isinstance(name, str)
        and isinstance(value, str)
        and re.fullmatch(r"[A-Za-z0-9-]+", name)
        and value.isprintable()
        for name, value in pairs
    )


def stand_in(context: SessionContext) -> str | None:
    """The origin of the test server that replaces Google's token services."""
    if context.google_sts_url is None:
        return None
    parts = urlsplit(context.google_sts_url)
    return f"{parts.scheme}://{parts.netloc}"


def token_uri(given: object, context: SessionContext) -> str | None:
    """The URL for a service account's assertion; None for an address that is not Google's."""
    instead = stand_in(context)
    if given not in TOKEN_URIS:
        return str(given) if instead is not None and given == f"{instead}/token" else None
    return f"{instead}/token" if instead else str(given)


def impersonation_url(given: Mapping[str, Any], email: str | None, context: SessionContext) -> str | None:
    """The URL that exchanges the token for a service account's; None if the federated identity itself is used."""
    url: str | None = given.get("service_account_impersonation_url")
    if email is not None:
        path = f"/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    elif url is not None:
        path = urlsplit(url).path
    else:
        return None
    return f"{stand_in(context) or IAM}{path}"


def is_googles(url: str, context: SessionContext) -> bool:
    """Whether an API's URL belongs to Google; with a test server, loopback URLs are allowed too."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    local = context.google_sts_url is not None and host in ("localhost", "127.0.0.1", "::1")
    return local or (parts.scheme == "https" and host.endswith(".googleapis.com"))
