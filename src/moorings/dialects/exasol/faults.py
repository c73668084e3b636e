"""Exasol's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS

FAULTS: Mapping[str, errors.WarehouseError] = {
    **NETWORK_FAULTS,
    "fingerprint": errors.CertificateRefused(
        "host", message="The fingerprint of the server's certificate differs from the one in host. Compare the two."
    ),
    "no tls": errors.TlsRefused("ssl_mode", message="The server does not speak TLS on this port. Check host and port."),
    "no host": errors.HostNotFound(
        "host",
        message="The host is not in the form of Exasol's clients. Write it as host, host1,host2 or 10.0.0.11..14.",
    ),
    "08004": errors.LoginRefused("username", "password"),
    "08": errors.LoginRefused("username", "password"),
    "42500": errors.StatementForbidden(),
    "40": errors.StatementRefused(message="The statement collided with another transaction. Try again."),
    "R0001": errors.QueryTimeout(),
    "R0003": errors.QueryCancelled(),
    "statement": errors.StatementRefused(),
}
"""Exasol's error code or its class, or a word for a fault on this side."""
