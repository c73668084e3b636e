"""TLS as the families of PostgreSQL and MySQL share it: its settings, and what went wrong on the way to a server."""

from __future__ import annotations

import socket
import ssl

from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import SslMode


class TlsConfig(ConnectionConfig, frozen=True):
    """A connection whose transport can be encrypted, verified, or neither."""

    ssl_mode: SslMode = "prefer"


def verified(config: TlsConfig) -> bool:
    """Whether the server's certificate has to be verified."""
    return config.ssl_mode.startswith("verify") and not config.trust_server_certificate


def tls_context(config: TlsConfig) -> ssl.SSLContext | None:
    """How TLS is spoken by a mode; None where it is not."""
    if config.ssl_mode == "disable":
        return None
    context = ssl.create_default_context(cadata=config.ssl_root_cert if verified(config) else None)
    context.check_hostname = verified(config) and config.ssl_mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if verified(config) else ssl.CERT_NONE
    return context


def failure(error: BaseException) -> str | None:
    """What kept us from the server, in a word of FAULTS; the driver wraps it, or passes it on as it is."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (socket.gaierror, "unresolved"),
        (ConnectionRefusedError, "refused"),
        (TimeoutError, "timed out"),
        (ssl.SSLCertVerificationError, "certificate name" if "mismatch" in str(error) else "certificate"),
        (ssl.SSLError, "no tls"),
        (ConnectionError, "lost"),
        (OSError, "unreachable"),
        (EOFError, "lost"),
    )
    found = next((word for kind, word in kinds if isinstance(error, kind)), None)
    cause = error.__cause__ or error.__context__
    return found or (failure(cause) if cause is not None else None)
