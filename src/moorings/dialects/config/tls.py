"""TLS by mode, and the faults that can occur before a server answers."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from moorings import errors
from moorings.dialects.config.certificates import present
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import SslMode
from moorings.dialects.network.dialing import Network
from moorings.dialects.ssl_modes import mode_in_force, verifies


class TlsConfig(ConnectionConfig, frozen=True):
    """A connection whose transport can be encrypted, verified, or neither."""

    ssl_mode: SslMode | None = None


class OptionalTlsConfig(TlsConfig, frozen=True):
    """A connection with an optional mode: by default, the addresses of the host and the operator's settings decide."""

    ABSENT_SSL_MODE: ClassVar[SslMode | None] = None

    ssl_mode: SslMode | None = Field(
        None,
        description=(
            "Whether TLS is used, and how the server's certificate is verified (default: `prefer` if every "
            "address of the host is a loopback address, else the value of MOORINGS_DEFAULT_SSL_MODE)."
        ),
    )


def tls_context(config: ConnectionConfig, network: Network, mode: SslMode | None = None) -> ssl.SSLContext | None:
    """The TLS context of a mode (default: the connection's); None without TLS.

    It verifies with the connection's own authorities, else with the operator's or the system's. Servers that ask for a
    client certificate get the connection's.
    """
    mode = mode or mode_in_force(config)
    if mode == "disable":
        return None
    authorities = config.ssl_root_cert if verifies(mode) else None
    context = ssl.create_default_context(cafile=None if authorities else network.ca_bundle, cadata=authorities)
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if verifies(mode) else ssl.CERT_NONE
    present(context, config)
    return context


ASKS_FOR_CERTIFICATE = re.compile(
    r"alert.(certificate required|bad certificate|unknown ca|certificate unknown|handshake failure)", re.IGNORECASE
)
"""OpenSSL's messages when a server refuses a client without a certificate, or with one that it does not trust."""
NO_CLIENT_CERTIFICATE = errors.TlsRefused(
    "ssl_client_cert",
    "ssl_client_key",
    message=(
        "The server refused this client during TLS. If it requires a client certificate, set "
        "sslClientCert and sslClientKey."
    ),
)


def failure(error: BaseException) -> str | None:
    """The reason why the server was not reached, as a key of FAULTS. Drivers wrap the cause or raise it unchanged."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (socket.gaierror, "unresolved"),
        (ConnectionRefusedError, "refused"),
        (TimeoutError, "timed out"),
        (ssl.SSLCertVerificationError, "certificate name" if "mismatch" in str(error) else "certificate"),
        (ssl.SSLError, "client certificate" if ASKS_FOR_CERTIFICATE.search(str(error)) else "no tls"),
        (ConnectionError, "lost"),
        (http.client.HTTPException, "another service"),
        (EOFError, "lost"),
    )
    found = next((word for kind, word in kinds if isinstance(error, kind)), None)
    cause = error.__cause__ or error.__context__
    if found is None and cause is not None:
        found = failure(cause)
    # drivers raise their own errors as OSError too
    return found or ("unreachable" if isinstance(error, OSError) else None)


NETWORK_FAULTS: Mapping[str, errors.WarehouseError] = {
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "certificate": errors.CertificateRefused("ssl_mode", "ssl_root_cert"),
    "certificate name": errors.CertificateRefused(
        "host",
        "ssl_mode",
        message="The server's certificate is for another host name. Set host to the name in the certificate.",
    ),
    "no tls": errors.TlsRefused("ssl_mode"),
    "client certificate": NO_CLIENT_CERTIFICATE,
    "lost": errors.SessionLost(),
    "another service": errors.AnotherService("host", "port"),
}
"""FAULTS for the keys of `failure`, for a server in the fields `host` and `port`."""
