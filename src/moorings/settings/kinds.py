"""Kinds of settings: what their values may be."""

from __future__ import annotations

import base64
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import SecretStr, StringConstraints

from moorings.settings import database

SIZE = r"^[1-9][0-9]{0,8}(\.[0-9]{1,3})? ?([KMGT]i?B)$"
Rate = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]*/(second|minute|hour|day))$")]


def check_token(token: SecretStr) -> SecretStr:
    """Refuse characters that a bearer token cannot contain."""
    if not re.fullmatch(r"[!-~]+", token.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces, as a bearer token is")
    return token


def web_address(url: SecretStr) -> SecretStr:
    """Refuse anything but an http or https address."""
    if not re.fullmatch(r"https?://[^\s/]+\S*", url.get_secret_value()):
        raise ValueError("must be an http or https address")
    return url


def database_address(url: SecretStr) -> SecretStr:
    """Refuse anything but an address of a metadata database."""
    database.parsed(url.get_secret_value())
    return url


def networks(text: str) -> str:
    """Refuse anything but a list of addresses and networks."""
    networks_of(text)
    return text


def networks_of(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of a comma list; raises ValueError with the entry that is none."""
    found: list[IPv4Network | IPv6Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part, strict=False))
        except ValueError:
            raise ValueError(f"{part} is not an address or network, such as 10.0.0.0/8") from None
    return tuple(found)


def plain_web_address(url: str) -> str:
    """Refuse anything but an http or https address with a path."""
    if not re.fullmatch(r"https?://[^\s/]+/\S*", url):
        raise ValueError("must be an http or https address with a path")
    return url


def proxy_address(url: SecretStr) -> SecretStr:
    """Refuse anything but the address of an HTTP proxy."""
    if not re.fullmatch(r"http://([^\s/@]+@)?([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/?", url.get_secret_value()):
        raise ValueError("must be http://host:port or http://user:password@host:port")
    return url


def signing_secret(secret: SecretStr) -> SecretStr:
    """Refuse `whsec_` before anything but base64."""
    coded = secret.get_secret_value()
    try:
        base64.b64decode(coded.removeprefix("whsec_") if coded.startswith("whsec_") else "", validate=True)
    except ValueError:
        raise ValueError("must be base64 after whsec_") from None
    return secret


def check_pause(pause: float) -> float:
    """Refuse pauses between 0 and 1 second."""
    if 0 < pause < 1:
        raise ValueError("must be 0, or 1 or more")
    return pause
