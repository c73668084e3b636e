"""ClickHouse's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS

NO_ROOM = (
    "The server runs its maximum number of queries. Try again shortly, or raise max_concurrent_queries on the server."
)
TOO_LARGE = (
    "The statement exceeded a limit of the server or of the user's profile. Read less, or raise the "
    "limit on the server."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "516": errors.LoginRefused("username", "password"),
    "192": errors.LoginRefused("username", "password"),
    "193": errors.LoginRefused("username", "password"),
    "194": errors.LoginRefused("username", "password"),
    "195": errors.LoginRefused(
        "host", message="The server does not accept this user from this address. Add the address to the user's HOST."
    ),
    "81": errors.DatabaseNotFound("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused(
        "port", "ssl_mode", message="The port does not speak TLS. Use the HTTPS port (8443), or set sslMode to disable."
    ),
    "tls wanted": errors.TlsRefused(
        "port",
        "ssl_mode",
        message="The port requires TLS. Set sslMode to require or verify-full, or use the HTTP port.",
    ),
    "no answer": errors.AnotherService(
        "host",
        "port",
        message="Another service than ClickHouse answers on this host and port. Check both, and proxies between.",
    ),
    "164": errors.ReadOnly(),
    "settings": errors.ReadOnly(
        message="A read-only connection does not change settings. Remove SETTINGS, or set readOnly to false."
    ),
    "497": errors.StatementForbidden(),
    "291": errors.StatementForbidden(),
    "452": errors.StatementForbidden(
        message="The user's profile limits this setting. Lower queryTimeoutSeconds, or change the profile."
    ),
    "159": errors.QueryTimeout(),
    "160": errors.QueryTimeout(),
    "394": errors.QueryCancelled(),
    "202": errors.TooManyConnections(message=NO_ROOM),
    "203": errors.TooManyConnections(message=NO_ROOM),
    "209": errors.SessionLost(),
    "210": errors.SessionLost(),
    "241": errors.StatementRefused(message="The statement needs more memory than its limit. Read less."),
    "158": errors.StatementRefused(message=TOO_LARGE),
    "191": errors.StatementRefused(message=TOO_LARGE),
    "201": errors.StatementRefused(message=TOO_LARGE),
    "307": errors.StatementRefused(message=TOO_LARGE),
    "396": errors.StatementRefused(message=TOO_LARGE),
    "456": errors.ParametersRefused(),
    "457": errors.ParametersRefused(),
    "statement": errors.StatementRefused(),
}
"""The server's error code, or a word for a fault on the way to it.

Source of the codes: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp.
"""
