"""Authenticates a request's key, and applies its rate limit."""

from __future__ import annotations

from collections.abc import Collection

from moorings.access import admission
from moorings.access.policy import Scope
from moorings.access.service import Actor
from moorings.api.http.call import Call, Headers
from moorings.api.http.client_address import client_address
from moorings.errors import AuthenticationRequired

NOBODY = Actor("", "", None, admin=False, roles={})
"""The actor of a request until its key is known."""


async def identify(call: Call, headers: Headers, scopes: Collection[Scope]) -> None:
    """Set the call's actor and count the request; adds the RateLimit headers of its response.

    Raises AuthenticationRequired, InvalidToken, or RateLimited. A key has its own limit; failed keys are limited by
    their client address, which never limits a valid key from there. Raises ScopeMissing unless the key can call an
    operation that needs one of the scopes. Every operation gets its actor here, so none can forget its scopes.
    Requests of the tools of `/mcp` were counted there.
    """
    services = call.services
    token = _token(call)
    admitted = await admission.authenticated(services.db, services.limits, services.key_uses, token, _address(call))
    call.actor, call.version = admitted.actor, admitted.version
    over_mcp = admission.OVER_MCP in call.scope
    window = None if over_mcp else await services.limits.count_request(call.actor.key_id)
    if window is not None:
        headers += window.headers()
    call.actor.require_scope(scopes, over_mcp=over_mcp)


def _token(call: Call) -> str:
    sent = [value for name, value in call.scope["headers"] if name == b"authorization"]
    if len(sent) != 1:  # with two headers, a proxy may have checked the other one
        raise AuthenticationRequired
    scheme, _, token = sent[0].decode("latin-1").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise AuthenticationRequired
    return token


def _address(call: Call) -> str:
    return client_address(call.scope, call.services.settings.trusted_networks)
