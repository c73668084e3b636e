"""Redshift's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from moorings import errors
from moorings.dialects.postgres import faults as postgres

FAULTS: Mapping[str, errors.WarehouseError] = {
    **postgres.FAULTS,
    "no entry": errors.LoginRefused(
        "username",
        "host",
        message="Redshift does not accept this user from this address, or requires TLS. Check its connection rules.",
    ),
    "no plain entry": errors.LoginRefused(
        "ssl_mode",
        "username",
        "host",
        message="Redshift does not accept this user from this address without TLS. Set sslMode to require.",
    ),
    "timed out": errors.ConnectTimeout(
        "host",
        "port",
        message="The cluster did not answer in time. Check host, port, its security group, and whether it is publicly "
        "accessible or reached through its VPC.",
    ),
    "parameters": errors.ParametersRefused(),
    "XX": errors.StatementRefused(),
}


def server_fields(error: BaseException) -> Mapping[str, Any]:
    """The fields of the server's message, by their letters; none for the driver's own exceptions."""
    first = error.args[0] if error.args else None
    return cast("Mapping[str, Any]", first) if isinstance(first, dict) else {}
