"""The address of the client of a request, behind the operator's own proxies too."""

from __future__ import annotations

from starlette.types import Scope

from moorings.access.addresses import Networks, forwarded

UNKNOWN = "unknown"
FORWARDED_FOR = b"x-forwarded-for"

__all__ = ["Networks", "client_address"]


def client_address(scope: Scope, trusted: Networks) -> str:
    """The address of the client."""
    client = scope.get("client")
    address: str = client[0] if client else UNKNOWN
    if not trusted:
        return address
    return forwarded(
        address, (value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED_FOR), trusted
    )
