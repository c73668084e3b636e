"""MySQL's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS

LOST = (2006, 2013)
"""The driver's numbers of a connection that the server closed."""
NO_ROOM_FOR_USER = (
    "The user has no free connection, or has used up its hourly limit. Raise the user's limits in the database,"
    " or lower MOORINGS_POOL_SIZE."
)
BLOCKED = "The user is blocked after wrong passwords. Run FLUSH PRIVILEGES there, and check username and password."
SHUT_IN = (
    "This connection only reads, so statements cannot begin or end transactions. To allow it, set readOnly to false."
)
NO_PLUGIN = (
    "The user's authentication plugin is not supported. Change it to caching_sha2_password or mysql_native_password."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "1045": errors.LoginRefused("username", "password"),
    "1698": errors.LoginRefused("username", "password"),
    "1251": errors.LoginRefused("username", message=NO_PLUGIN),
    "2059": errors.LoginRefused("username", message=NO_PLUGIN),
    "1130": errors.LoginRefused(
        "host", message="The server does not accept connections from this address. Grant the user access from it."
    ),
    "1129": errors.LoginRefused(
        "host", message="The server blocks this host after failed connections. Run FLUSH HOSTS on the server."
    ),
    "1040": errors.TooManyConnections(),
    "1203": errors.TooManyConnections("username", message=NO_ROOM_FOR_USER),
    "1226": errors.TooManyConnections("username", message=NO_ROOM_FOR_USER),
    "3118": errors.AccountLocked("username"),
    "3955": errors.AccountLocked("username"),
    "4150": errors.AccountLocked("username", message=BLOCKED),
    "4151": errors.AccountLocked("username"),
    "1820": errors.PasswordExpired("password"),
    "1862": errors.PasswordExpired("password"),
    "1049": errors.DatabaseNotFound("database"),
    "1044": errors.DatabaseForbidden("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused("ssl_mode"),
    "3159": errors.TlsRefused("ssl_mode", message="The server requires TLS. Set sslMode to require or stricter."),
    "1792": errors.ReadOnly(),
    "1399": errors.ReadOnly(message=SHUT_IN),
    "1400": errors.ReadOnly(message=SHUT_IN),
    "1568": errors.StatementRefused(message="A running transaction cannot be changed. Remove the statement."),
    "1290": errors.StatementForbidden(),
    "1142": errors.StatementForbidden(),
    "1143": errors.StatementForbidden(),
    "1227": errors.StatementForbidden(),
    "1370": errors.StatementForbidden(),
    "1065": errors.StatementRefused(message="The text has no statement. Send exactly one."),
    "1969": errors.QueryTimeout(),
    "3024": errors.QueryTimeout(),
    "1317": errors.QueryCancelled(),
    "1053": errors.SessionLost(),
    "1927": errors.SessionLost(),
    "3169": errors.SessionLost(),
    "2006": errors.SessionLost(),
    "2013": errors.SessionLost(),
    "2014": errors.SessionLost(),
    "local file": errors.SessionLost(
        message="The server asked for a file of this machine. Moorings never sends files. Remove LOAD DATA LOCAL."
    ),
    "statement": errors.StatementRefused(),
}
"""The server's error number, or a word for a fault on this side."""
