"""The effective `sslMode`, its certificate checks, and whether a password may be sent under it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, get_args

from moorings.dialects.config.fields import SslMode

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

MODES: tuple[SslMode, ...] = get_args(SslMode)
"""Every mode, from weak to strong."""
ENCRYPTED: Mapping[SslMode, str] = {
    "verify-ca": "The authority of the certificate is verified",
    "verify-full": "The certificate and its host name are verified",
}
NOT_ENCRYPTED: Mapping[SslMode, str] = {"prefer": "The server has no TLS"}


def mode_in_force(config: ConnectionConfig, default: SslMode = "require") -> SslMode:
    """The effective mode of a connection; `default` applies if neither the connection nor the dialect sets one.

    `trust_server_certificate` verifies nothing. `ssl_root_cert` verifies at least who signed the certificate, unless
    the caller chose `disable`.
    """
    if config.ssl_mode == "disable":
        return "disable"
    mode = config.ssl_mode or config.ABSENT_SSL_MODE or default
    if config.trust_server_certificate:
        return MODES[min(MODES.index(mode), MODES.index("require"))]
    if config.ssl_root_cert is not None:
        return MODES[max(MODES.index(mode), MODES.index("verify-ca"))]
    return mode


def mode_for(config: ConnectionConfig, addresses: Iterable[str], default: SslMode) -> SslMode:
    """The mode of a connection to these addresses; `default` is the operator's."""
    local = all(is_loopback(address) for address in addresses)
    return mode_in_force(config, "prefer" if local else default)


def is_loopback(address: str) -> bool:
    """Whether an IP address never leaves this machine."""
    parsed = ipaddress.ip_address(address)
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def may_send_password(config: ConnectionConfig, mode: SslMode) -> bool:
    """Whether a server that asks for the password itself gets it: over verified TLS, or if the caller chose `disable`.

    `verify-ca` with the system's authorities is not enough: they sign certificates for everybody.
    """
    if mode == "verify-ca":
        return config.ssl_root_cert is not None
    return mode == "verify-full" or config.ssl_mode == "disable"


def transport(config: ConnectionConfig, mode: SslMode, *, encrypted: bool) -> str:
    """A test's text about the TLS of a connection that was opened in a mode."""
    if config.ssl_mode == "disable":
        return "The connection is not encrypted."
    chosen = config.ssl_mode or f"{mode} by default"
    if encrypted:
        return (
            f"The connection is encrypted. {ENCRYPTED.get(mode, 'The certificate is not verified')} (sslMode {chosen})."
        )
    return f"The connection is not encrypted. {NOT_ENCRYPTED.get(mode, 'TLS is switched off')} (sslMode {chosen})."


def verified(config: ConnectionConfig) -> bool:
    """Whether the server's certificate must be verified."""
    return verifies(mode_in_force(config))


def verifies(mode: SslMode) -> bool:
    """Whether a mode verifies the server's certificate."""
    return mode.startswith("verify")
