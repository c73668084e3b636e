"""Parses URLs from callers to which Moorings sends requests."""

from __future__ import annotations

import functools
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import Field
from pydantic_core import PydanticCustomError

from moorings.dialects.config.fields import custom_error
from moorings.dialects.config.hosts import encode_host, in_url, parse_host
from moorings.dialects.config.places import CONTROL_CHARACTERS, Place

NO_LOGIN = "Remove the user name and password from the URL. Send them in their own fields"
NO_FRAGMENT = "Remove # and the text after it"
NO_S3_KEY = "Expected s3://bucket/path, without blanks, control characters, ? and #"


def split_url(value: str, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of a URL whose host is a Host, without a login and a fragment. Raises PydanticCustomError."""
    refused = PydanticCustomError("url", "Invalid url")
    if re.search(r"[\s\\]", value) or CONTROL_CHARACTERS.search(value):
        raise refused
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refused from None
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise refused
    if "@" in parts.netloc:
        raise custom_error(NO_LOGIN)
    if "#" in value:
        raise custom_error(NO_FRAGMENT)
    host = parts.netloc.removesuffix(f":{port}").removesuffix(":")
    if in_url(parse_host(host)) != host.removesuffix("."):
        raise refused
    return parts


def encode_url(value: str) -> str:
    """A parsed URL with its host as DNS has it."""
    parts = urlsplit(value)
    host = in_url(encode_host(parse_host(parts.hostname or "")))
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))


def parse_url(value: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """A URL as it was written. Raises PydanticCustomError."""
    split_url(value, schemes)
    return value


def _s3_url(value: str) -> str:
    if not re.match(r"s3://[a-z0-9]", value):
        raise PydanticCustomError("url", "Invalid url")
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]+)(/[^\s?#\\]*)?", value)
    if found is None or ".." in found[1] or CONTROL_CHARACTERS.search(value):
        raise custom_error(NO_S3_KEY)
    return value


URI = Field(json_schema_extra={"format": "uri"})
Url = Annotated[str, Place(parse_url, encode_url), URI]
HttpsUrl = Annotated[str, Place(functools.partial(parse_url, schemes=("https",)), encode_url), URI]
S3Url = Annotated[str, Place(_s3_url), URI]
