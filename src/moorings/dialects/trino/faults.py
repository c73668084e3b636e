"""Trino's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NETWORK_FAULTS

BUSY = "The cluster lacks resources for the statement. Try again shortly, or read less."
NO_TRINO = "Another service than Trino answers on this host and port. Check both, and proxies between."
BEHIND = "The data source behind the catalog failed. Check its log, and the catalog's settings in Trino."

FAULTS: Mapping[str, errors.WarehouseError] = {
    "401": errors.LoginRefused("username", "password"),
    "403": errors.LoginRefused(
        "username", message="Trino accepts the login but does not let it run statements. Grant it access in Trino."
    ),
    "CATALOG_NOT_FOUND": errors.DatabaseNotFound("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused(
        "port",
        "ssl_mode",
        message="The port does not speak TLS. Use the HTTPS port (8443 or 443), or set sslMode to disable.",
    ),
    "no answer": errors.AnotherService("host", "port", message=NO_TRINO),
    "busy": errors.TooManyConnections(message="Trino, or a gateway before it, limits requests. Try again shortly."),
    "not ready": errors.WarehouseSlow(
        message="Trino, or a gateway before it, is starting, busy or down. Try again in a minute."
    ),
    "SERVER_SHUTTING_DOWN": errors.DatabaseStarting(),
    "SERVER_STARTING_UP": errors.DatabaseStarting(message="Trino is still starting. Try again in a minute."),
    "ABANDONED_QUERY": errors.SessionLost(
        message="Trino stopped the statement because its result was not read in time."
    ),
    "READ_ONLY_VIOLATION": errors.ReadOnly(),
    "procedure": errors.ReadOnly(),
    "PERMISSION_DENIED": errors.StatementForbidden(),
    "EXCEEDED_TIME_LIMIT": errors.QueryTimeout(),
    "USER_CANCELED": errors.QueryCancelled(),
    "ADMINISTRATIVELY_KILLED": errors.QueryCancelled(message="An administrator of Trino stopped the statement."),
    "ADMINISTRATIVELY_PREEMPTED": errors.QueryCancelled(message="An administrator of Trino stopped the statement."),
    "QUERY_QUEUE_FULL": errors.TooManyConnections(message=BUSY),
    "QUERY_REJECTED": errors.StatementForbidden(
        message=(
            "No resource group accepts the statement. Add the user and the source (moorings …) to Trino's selectors."
        )
    ),
    "INVALID_PARAMETER_USAGE": errors.ParametersRefused(),
    "INSUFFICIENT_RESOURCES": errors.StatementRefused(message=BUSY),
    "EXTERNAL": errors.StatementRefused(message=BEHIND),
    "USER_ERROR": errors.StatementRefused(),
    "INTERNAL_ERROR": errors.UnknownFault(),
}
"""The name of Trino's error, else its type; an HTTP status; or a word for a fault on the way there.

Source of the names: https://github.com/trinodb/trino/blob/master/core/trino-spi/src/main/java/io/trino/spi/StandardErrorCode.java.
"""
