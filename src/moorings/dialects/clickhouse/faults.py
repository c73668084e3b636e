"""ClickHouse's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS

NO_ROOM = "The server runs as many queries as it may. Try again shortly, or raise max_concurrent_queries there."
TOO_LARGE = (
    "The statement ran into a limit of the server or of its user's profile. Narrow it, or raise the limit there."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "516": errors.LoginRefused("username", "password"),
    "192": errors.LoginRefused("username", "password"),
    "193": errors.LoginRefused("username", "password"),
    "194": errors.LoginRefused("username", "password"),
    "195": errors.LoginRefused(
        "host", message="The server lets this user in from other addresses only. Allow this one in the user's HOST."
    ),
    "81": errors.DatabaseNotFound("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused(
        "port", "ssl_mode", message="No TLS there. Give the port of HTTPS (8443), or set sslMode to disable."
    ),
    "tls wanted": errors.TlsRefused(
        "port", "ssl_mode", message="The port wants TLS. Set sslMode to require or verify-full, or give the HTTP port."
    ),
    "no answer": errors.AnotherService(
        "host", "port", message="Something answers there that is no ClickHouse. Check host, port and proxies between."
    ),
    "164": errors.ReadOnly(),
    "settings": errors.ReadOnly(
        message="A statement that only reads may not change settings. Leave SETTINGS out, or set readOnly to false."
    ),
    "497": errors.StatementForbidden(),
    "291": errors.StatementForbidden(),
    "452": errors.StatementForbidden(
        message="The user's profile has limits for settings. Lower queryTimeoutSeconds, or loosen the profile."
    ),
    "159": errors.QueryTimeout(),
    "160": errors.QueryTimeout(),
    "394": errors.QueryCancelled(),
    "202": errors.TooManyConnections(message=NO_ROOM),
    "203": errors.TooManyConnections(message=NO_ROOM),
    "209": errors.SessionLost(),
    "210": errors.SessionLost(),
    "241": errors.StatementRefused(message="The statement needs more memory than it may use. Narrow it."),
    "158": errors.StatementRefused(message=TOO_LARGE),
    "191": errors.StatementRefused(message=TOO_LARGE),
    "201": errors.StatementRefused(message=TOO_LARGE),
    "307": errors.StatementRefused(message=TOO_LARGE),
    "396": errors.StatementRefused(message=TOO_LARGE),
    "456": errors.ParametersRefused(),
    "457": errors.ParametersRefused(),
    "statement": errors.StatementRefused(),
}
"""The server's error code, or a word for what went wrong on the way to it.

Source of the codes: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp.
"""
