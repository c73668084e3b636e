"""The address of a client behind the operator's own proxies."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

Networks = Sequence[IPv4Network | IPv6Network]


def forwarded(address: str, values: Iterable[str], trusted: Networks) -> str:
    """The address of the client, from its peer's address and the values of all `X-Forwarded-For` headers.

    A trusted proxy's header is read backwards to the first other address: those before it were written by an untrusted
    sender.
    """
    if not trusted or not _is_trusted(address, tuple(trusted)):
        return address
    for name in _hops(values):
        parsed = _parsed(name)
        if parsed is None:
            return address
        address = parsed
        if not _is_trusted(address, tuple(trusted)):
            return address
    return address


def _hops(values: Iterable[str]) -> list[str]:
    """The addresses of the headers, the nearest first."""
    joined = ",".join(values)
    return [part.strip() for part in reversed(joined.split(","))] if joined else []


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
