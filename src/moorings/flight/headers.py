"""What a client sends in gRPC headers: its key, the connection that it names, its trace."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from moorings.errors import AuthenticationRequired, InvalidCommand

CONNECTION_HEADERS = ("database", "connection", "moorings-connection", "catalog")
"""The headers that name a connection; the first one counts. ADBC and JDBC clients send options as headers."""
ENVIRONMENT_HEADERS = ("environment", "moorings-environment")
CONNECTION_COOKIE, ENVIRONMENT_COOKIE = "moorings_connection", "moorings_environment"
"""The cookies that hold the options of a session, so that every replica knows them."""
NAME_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of one call."""

    authorization: Sequence[str] = ()
    connection: str | None = None
    environment: str | None = None
    traceparent: str | None = None
    forwarded_for: Sequence[str] = ()

    @classmethod
    def of(cls, sent: Mapping[str, Sequence[str | bytes]]) -> Headers:
        """The headers as gRPC passes them; raises InvalidCommand for a name that none can have."""
        texts = {name.lower(): [value for value in values if isinstance(value, str)] for name, values in sent.items()}
        cookies = _cookies(texts.get("cookie", ()))
        return cls(
            tuple(texts.get("authorization", ())),
            _first(texts, CONNECTION_HEADERS) or cookies.get(CONNECTION_COOKIE),
            checked_environment(_first(texts, ENVIRONMENT_HEADERS) or cookies.get(ENVIRONMENT_COOKIE)),
            next(iter(texts.get("traceparent", ())), None),
            tuple(texts.get("x-forwarded-for", ())),
        )

    @property
    def token(self) -> str:
        """The key: a bearer token, or the password of a basic login. Raises AuthenticationRequired."""
        if len(self.authorization) != 1:  # with two headers, a proxy may have checked the other one
            raise AuthenticationRequired
        scheme, _, credentials = self.authorization[0].partition(" ")
        token = credentials.strip()
        if scheme.lower() == "basic":
            token = _password(token)
        elif scheme.lower() != "bearer":
            raise AuthenticationRequired
        if not token or " " in token:
            raise AuthenticationRequired
        return token


def _password(encoded: str) -> str:
    """The password of a basic login; some clients leave the padding out. Raises AuthenticationRequired."""
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise AuthenticationRequired from None
    return text.partition(":")[2]


def _first(texts: Mapping[str, Sequence[str]], names: Sequence[str]) -> str | None:
    """The first value that is not empty; clients percent-encode what a header cannot hold."""
    found = next((value for name in names for value in texts.get(name, ()) if value.strip()), None)
    return None if found is None else checked_name(unquote(found.strip()))


def checked_name(name: str) -> str:
    """A connection's name or id; raises InvalidCommand for one that is too long."""
    if len(name) > NAME_LIMIT or "\0" in name:
        raise InvalidCommand(f"The connection's name must have at most {NAME_LIMIT} characters, and no NUL.")
    return name


def checked_environment(text: str | None) -> str | None:
    """An environment's id in lower case; raises InvalidCommand for text that is no UUID."""
    if not text:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidCommand("The environment must be an id (a UUID).") from None


def _cookies(headers: Sequence[str]) -> Mapping[str, str]:
    pairs = (part.strip().partition("=") for header in headers for part in header.split(";"))
    found = {name: unquote(value) for name, _, value in pairs if value}
    if CONNECTION_COOKIE in found:
        checked_name(found[CONNECTION_COOKIE])
    return found


def cookie(name: str, value: str | None) -> str:
    """The header that sets a cookie, or removes it."""
    return f"{name}={quote(value, safe='')}" if value else f"{name}=; Max-Age=0"


def address_of(peer: str) -> str:
    """The address in gRPC's name of a peer, such as `ipv4:127.0.0.1:50000` or `ipv6:%5B::1%5D:50000`."""
    bare = unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return "unknown"
    return str(getattr(found, "ipv4_mapped", None) or found)
