"""The errors of SQL Server and its driver as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors

UNVERIFIED = (
    "The server's certificate cannot be verified. The driver uses the machine's certificate "
    "authorities only: install the authority there (or set SSL_CERT_FILE to its file), or set "
    "trustServerCertificate."
)
REFUSED_BY_ENTRA = (
    "Entra ID issued no token. Check client id and secret (or user and password), and that this "
    "machine reaches login.microsoftonline.com by HTTPS."
)
ASLEEP = "The database is not available. Azure may be starting it. Try again in a minute."
BUSY = "The server has reached its limit of sessions or requests. Try again shortly, or raise the limit."
NO_FIREWALL_RULE = "The server's firewall blocks this machine. Add its address to the firewall rules."
NOT_READABLE = "This replica cannot be read. Name another one as host, or let the secondary take read-only connections."

DATABASE_READ_ONLY = errors.StatementForbidden(message="The database is read-only in SQL Server.")
READ_ONLY = errors.ReadOnly()
EXPIRED = errors.PasswordExpired(
    "password", message="The password has expired or must be changed. Set a new password for the user."
)
REFUSED = errors.LoginRefused("username", "password")
CLOSED = errors.DatabaseForbidden(
    "database", message="The login has no user in this database. Create one, or name another database."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "firewall": errors.LoginRefused("host", message=NO_FIREWALL_RULE),
    "no tls": errors.TlsRefused("ssl_mode"),
    "tls": errors.TlsRefused("ssl_mode"),
    "certificate": errors.CertificateRefused("trust_server_certificate", message=UNVERIFIED),
    "certificate name": errors.CertificateRefused(
        "host",
        "trust_server_certificate",
        message="The server's certificate is for another host name. Set host to the name in the certificate.",
    ),
    "login": REFUSED,
    "expired": EXPIRED,
    "disabled": errors.LoginRefused("username", message="The login is disabled. Enable it in SQL Server."),
    "locked": errors.AccountLocked("username"),
    "starting": errors.DatabaseStarting(),
    "no token": errors.LoginRefused("username", "password", "authentication_type", message=REFUSED_BY_ENTRA),
    "not available": errors.WarehouseSlow(message=ASLEEP),
    "4064": errors.DatabaseForbidden(
        "username", message="The default database of the login cannot be opened. Set another one in SQL Server."
    ),
    "911": errors.DatabaseNotFound("database"),
    "4060": errors.DatabaseNotFound("database"),
    "916": errors.StatementForbidden(),
    "976": errors.DatabaseForbidden("database", message=NOT_READABLE),
    "978": errors.DatabaseForbidden("database", message=NOT_READABLE),
    "229": errors.StatementForbidden(),
    "230": errors.StatementForbidden(),
    "262": errors.StatementForbidden(),
    "297": errors.StatementForbidden(),
    "300": errors.StatementForbidden(),
    "15247": errors.StatementForbidden(),
    "226": READ_ONLY,
    "574": READ_ONLY,
    "3906": DATABASE_READ_ONLY,
    "1205": errors.StatementRefused(message="The statement lost a deadlock and was rolled back. Run it again."),
    "1222": errors.QueryTimeout(),
    "8178": errors.ParametersRefused(),
    "parameters": errors.ParametersRefused(),
    "596": errors.SessionLost(),
    "6005": errors.SessionLost(),
    "10928": errors.TooManyConnections(message=BUSY),
    "10929": errors.TooManyConnections(message=BUSY),
    "40501": errors.TooManyConnections(message=BUSY),
    "40613": errors.WarehouseSlow(message=ASLEEP),
    "timeout": errors.QueryTimeout(),
    "cancelled": errors.QueryCancelled(),
    "lost": errors.SessionLost(),
    "statement": errors.StatementRefused(),
}
"""The server's error number, or a word for a fault on this side."""

STATES = {"07002": "parameters", "07009": "parameters", "HY008": "cancelled", "HYT00": "timeout", "08S01": "lost"}
"""SQLSTATEs of the driver's own errors → keys of FAULTS."""

MESSAGE_PATTERNS = (
    ("Error code 0x2AF9", "unresolved"),
    ("Error code 0x2749", "refused"),
    ("Error code 0x274C", "timed out"),
    ("Error code 0x2751", "unreachable"),
    ("Error code 0x2743", "unreachable"),
    ("Timeout error [258]", "timed out"),
    ("Login timeout expired", "timed out"),
    ("host name", "certificate name"),
    ("certificate verify failed", "certificate"),
    ("Encryption not supported on", "no tls"),
    ("SSL Provider", "tls"),
    ("is not allowed to access the server", "firewall"),
    ("password of the account has expired", "expired"),
    ("password of the account must be changed", "expired"),
    ("account is disabled", "disabled"),
    ("account is currently locked out", "locked"),
    ("script upgrade mode", "starting"),
    ("SHUTDOWN is in progress", "starting"),
    ("sending request to", "no token"),
    ("AADSTS", "no token"),
    ("not a HTTPS URL", "no token"),
    ("token not found in response", "no token"),
    ("is not currently available", "not available"),
    ("user default database", "4064"),
    ("Login failed for user", "login"),
    ("Query timeout expired", "timeout"),
    ("Operation canceled", "cancelled"),
    ("No active result set", "cancelled"),
    ("Communication link failure", "lost"),
    ("TCP Provider", "lost"),
    ("Connection is broken", "lost"),
    ("Protocol error in TDS stream", "lost"),
)
"""Parts of the driver's texts for errors without a number, such as failed logins."""
