"""Oracle's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors

NO_SERVICE = "The listener does not know this service. Check the name (lsnrctl status lists them), and that it is open."
FULL = "The server has reached its limit of sessions. Try again shortly, or raise the limit."
ARCHIVER = "The server accepts no logins because its recovery area is full. Free space there."
OTHER_NAME = errors.CertificateRefused(
    "host", "ssl_mode", message="The server's certificate is for another name. Set host to the name in the certificate."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "ORA-12541": errors.PortClosed("host", "port"),
    "ORA-12170": errors.ConnectTimeout("host", "port"),
    "certificate": errors.CertificateRefused("ssl_mode", "ssl_root_cert"),
    "certificate name": OTHER_NAME,
    "DPY-6002": OTHER_NAME,
    "DPY-6006": OTHER_NAME,
    "no tls": errors.TlsRefused("port", "ssl_mode"),
    "lost": errors.SessionLost(),
    "ORA-01017": errors.LoginRefused("username", "password"),
    "ORA-28000": errors.AccountLocked("username"),
    "ORA-28001": errors.PasswordExpired("password"),
    "ORA-01045": errors.LoginRefused(
        "username", message="The user has no permission to log in. Grant it CREATE SESSION."
    ),
    "DPY-4001": errors.LoginRefused("username", "password"),
    "ORA-12514": errors.DatabaseNotFound("database", message=NO_SERVICE),
    "ORA-12505": errors.DatabaseNotFound("database", message=NO_SERVICE),
    "DPY-6001": errors.DatabaseNotFound("database", message=NO_SERVICE),
    "ORA-12528": errors.DatabaseStarting(
        message="The service exists but accepts no connections now. Try again shortly."
    ),
    "ORA-12526": errors.DatabaseStarting(),
    "ORA-01033": errors.DatabaseStarting(),
    "ORA-01034": errors.DatabaseStarting(),
    "ORA-01089": errors.DatabaseStarting(),
    "ORA-12516": errors.TooManyConnections(message=FULL),
    "ORA-12519": errors.TooManyConnections(message=FULL),
    "ORA-12520": errors.TooManyConnections(message=FULL),
    "ORA-00018": errors.TooManyConnections(message=FULL),
    "ORA-00020": errors.TooManyConnections(message=FULL),
    "ORA-00257": errors.SessionLost(message=ARCHIVER),
    "DPY-6000": errors.SessionLost(message="The listener refused the connection. Check its log."),
    "ORA-01031": errors.StatementForbidden(),
    "ORA-00942": errors.StatementRefused(
        message="The table or view does not exist, or the user has no permission to read it."
    ),
    "ORA-01456": errors.ReadOnly(),
    "ORA-14551": errors.ReadOnly(),
    "ORA-01013": errors.QueryCancelled(),
    "DPY-4024": errors.QueryTimeout(),
    "ORA-01008": errors.ParametersRefused(),
    "ORA-01036": errors.ParametersRefused(),
    "DPY-4009": errors.ParametersRefused(),
    "DPY-4010": errors.ParametersRefused(),
    "ORA-00028": errors.SessionLost(),
    "ORA-03113": errors.SessionLost(),
    "ORA-03114": errors.SessionLost(),
    "DPY-1001": errors.SessionLost(),
    "DPY-4011": errors.SessionLost(),
    "statement": errors.StatementRefused(),
}
"""The server's or the driver's code, or a word for a fault on the way to the server."""
