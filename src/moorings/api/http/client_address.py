"""The address of the client of a request, behind the operator's own proxies too."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from starlette.types import Scope

Networks = Sequence[IPv4Network | IPv6Network]

UNKNOWN = "unknown"
FORWARDED_FOR = b"x-forwarded-for"


def client_address(scope: Scope, trusted: Networks) -> str:
    """The address of the client. A trusted proxy's `X-Forwarded-For` is read backwards to the first other address.

    The addresses before that one were written by an untrusted sender.
    """
    client = scope.get("client")
    address: str = client[0] if client else UNKNOWN
    if not trusted or not _is_trusted(address, tuple(trusted)):
        return address
    for name in _hops(scope):
        parsed = _parsed(name)
        if parsed is None:
            return address
        address = parsed
        if not _is_trusted(address, tuple(trusted)):
            return address
    return address


def _hops(scope: Scope) -> list[str]:
    """The addresses of all `X-Forwarded-For` headers, the nearest first."""
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED_FOR]
    return [part.strip() for part in reversed(",".join(sent).split(","))] if sent else []


def _parsed(text: str) -> str | None:
    """Parse an address, with a port or in brackets as some proxies write it; None for other text."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


@functools.lru_cache(maxsize=4096)
def _is_trusted(address: str, trusted: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(ipaddress.ip_address(parsed) in network for network in trusted)
