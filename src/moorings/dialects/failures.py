"""What kept a driver from its server, whatever it wraps the operating system's error in."""

from __future__ import annotations

import socket
import ssl

from moorings import errors

KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "unresolved"),
    (ConnectionRefusedError, "refused"),
    (TimeoutError, "timed out"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "no tls"),
    (ConnectionError, "lost"),
    (OSError, "unreachable"),
    (EOFError, "lost"),
)


def failure(error: BaseException) -> str | None:
    """The failure in a word: the first known kind among an exception and its causes; None when there is none.

    Exceptions of HTTP libraries are OSErrors that say nothing: what they were raised for is looked at first.
    """
    cause = error.__cause__ or error.__context__
    found = failure(cause) if cause is not None else None
    found = found or next((word for kind, word in KINDS if isinstance(error, kind)), None)
    if found == "certificate" and "mismatch" in str(error):
        return "certificate name"
    return found


def https_faults(*fields: str) -> dict[str, errors.WarehouseError]:
    """FAULTS for the words of `failure`, of a service that is reached by HTTPS at an address that `fields` say."""
    return {
        "unresolved": errors.HostNotFound(*fields),
        "refused": errors.PortClosed(*fields),
        "timed out": errors.ConnectTimeout(*fields),
        "unreachable": errors.HostUnreachable(*fields),
        "lost": errors.SessionLost(),
        "no tls": errors.TlsRefused(*fields),
        "certificate": errors.CertificateRefused("ssl_root_cert", *fields),
        "certificate name": errors.CertificateRefused(
            *fields, message="The server's certificate is for another host name. Give the name that it is for."
        ),
    }
