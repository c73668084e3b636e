"""SAP HANA and SAP HANA Cloud's errors as ours."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS
from moorings.dialects.sap_hana.tenant import HUNG_UP

FAULTS: Mapping[str, errors.WarehouseError] = {
    **NETWORK_FAULTS,
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timeout": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "certificate": errors.CertificateRefused("ssl_mode", "ssl_root_cert"),
    "certificate name": errors.CertificateRefused(
        "host", "ssl_mode", message="The server's certificate is for another host name. Give the name that it is for."
    ),
    "no tls": errors.TlsRefused("ssl_mode"),
    "4321": errors.TlsRefused("ssl_mode", message="The server wants TLS. Set sslMode to require or verify-full."),
    "hung up": HUNG_UP,
    "10": errors.LoginRefused("username", "password"),
    "20": errors.LoginRefused("username", message="The user may not log in at this time. Extend its validity."),
    "414": errors.LoginRefused(
        "password",
        message="The password has to be changed. Log in once with hdbsql to change it, then give the new one.",
    ),
    "415": errors.LoginRefused("username", message="The user is deactivated. Activate it: ALTER USER … ACTIVATE."),
    "416": errors.LoginRefused(
        "username", message="The user is locked after wrong passwords. Wait, or ALTER USER … RESET CONNECT ATTEMPTS."
    ),
    "no database": errors.DatabaseNotFound("database"),
    "258": errors.StatementForbidden(),
    "read only": errors.ReadOnly(),
    "139": errors.QueryCancelled(),
    "613": errors.QueryTimeout(),
    "parameters": errors.ParametersRefused(),
    "empty": errors.StatementRefused(message="There is no statement. Send exactly one."),
    "statement": errors.StatementRefused(),
    "lost": errors.SessionLost(),
}
"""HANA's error number, or a word for what went wrong on this side."""
