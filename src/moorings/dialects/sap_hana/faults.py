"""SAP HANA's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS

HUNG_UP = errors.TlsRefused(
    "ssl_mode",
    "host",
    message=(
        "The server closed the connection before the login. Check whether it requires TLS (sslMode), and "
        "whether it accepts this machine's address (SAP HANA Cloud has a list)."
    ),
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    **NETWORK_FAULTS,
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timeout": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "certificate": errors.CertificateRefused("ssl_mode", "ssl_root_cert"),
    "certificate name": errors.CertificateRefused(
        "host",
        "ssl_mode",
        message="The server's certificate is for another host name. Set host to the name in the certificate.",
    ),
    "no tls": errors.TlsRefused("ssl_mode"),
    "4321": errors.TlsRefused("ssl_mode", message="The server requires TLS. Set sslMode to require or verify-full."),
    "hung up": HUNG_UP,
    "10": errors.LoginRefused("username", "password"),
    "20": errors.LoginRefused("username", message="The user's validity has not begun or has ended. Extend it."),
    "414": errors.PasswordExpired(
        "password",
        message="The password must be changed. Log in once with hdbsql to change it, then send the new one.",
    ),
    "415": errors.LoginRefused("username", message="The user is deactivated. Activate it: ALTER USER … ACTIVATE."),
    "416": errors.AccountLocked(
        "username", message="The user is locked after wrong passwords. Wait, or ALTER USER … RESET CONNECT ATTEMPTS."
    ),
    "no database": errors.DatabaseNotFound("database"),
    "258": errors.StatementForbidden(),
    "read only": errors.ReadOnly(),
    "139": errors.QueryCancelled(),
    "613": errors.QueryTimeout(),
    "parameters": errors.ParametersRefused(),
    "empty": errors.StatementRefused(message="The text has no statement. Send exactly one."),
    "statement": errors.StatementRefused(),
    "lost": errors.SessionLost(),
}
"""HANA's error number, or a word for a fault on this side."""

MESSAGE_PATTERNS = (
    ("[89001]", "unresolved"),
    ("does not match names in certificate", "certificate name"),
    ("[300015]", "certificate"),
    ("Connection refused", "refused"),
    ("timeout expired", "timeout"),
    ("no reachable host left", "no database"),
    ("SSL", "no tls"),
    ("recv' failed", "hung up"),
    ("closed by peer", "hung up"),
)
"""Parts of the driver's texts when it cannot connect → keys of FAULTS."""

BY_NUMBER = {
    0: "parameters",
    -10427: "parameters",
    -10601: "empty",
    -10108: "lost",
    -10807: "lost",
    -10821: "lost",
    18: "lost",
}
"""The driver's own numbers, and HANA's for a shutdown → the key of FAULTS."""
