"""What can keep a driver from a service that is reached by HTTPS, as errors of ours."""

from __future__ import annotations

from moorings import errors


def https_faults(*fields: str) -> dict[str, errors.WarehouseError]:
    """FAULTS for the words of `tls.failure`, of a service that is reached by HTTPS at an address that `fields` say."""
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
