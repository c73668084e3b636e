"""The driver's arguments for a login to SAP HANA."""

from __future__ import annotations

from typing import Any

from moorings.dialects.base import SessionContext
from moorings.dialects.config.hosts import in_url
from moorings.dialects.sap_hana.config import Config
from moorings.dialects.sap_hana.tenant import locate
from moorings.dialects.ssl_modes import may_send_password, mode_in_force, verifies

SLACK_SECONDS = 60
"""How long the server may be silent beyond the time limit of statements before the network counts as dead."""
CHALLENGES = "pbkdf2,password"
"""The login methods that do not send the password; LDAP sends it, encrypted with a key that the server chooses."""


def options(config: Config, context: SessionContext) -> dict[str, Any]:
    """The driver's login properties; times are in milliseconds."""
    mode, authorities = mode_in_force(config), config.ssl_root_cert or context.network.ca_bundle
    milliseconds = int(context.connect_timeout_seconds * 1000)
    values: dict[str, Any] = {
        "user": config.username,
        "password": config.secrets().get("password", ""),
        "authenticationMethods": None if may_send_password(config, mode) else CHALLENGES,
        "encrypt": mode != "disable",
        "sslValidateCertificate": verifies(mode),
        "sslTrustStore": authorities if verifies(mode) else None,
        "sslUseDefaultTrustStore": authorities is None,
        "connectTimeout": milliseconds,
        "communicationTimeout": (config.query_timeout_seconds + SLACK_SECONDS) * 1000,
        "reconnect": False,  # a session that reconnects silently has lost its settings
        "distribution": "OFF",  # else the driver itself dials further servers that answers name
    }
    return {name: value for name, value in values.items() if value is not None}


def place(config: Config, context: SessionContext) -> dict[str, Any]:
    """The driver's address properties: checked addresses, and the name in the server's certificate."""
    host, port = config.host or "", config.port or 0
    if config.database:
        host, port = locate(config, context, config.database)
    addresses = [in_url(address) for address in context.network.addresses(host, port, "host", "port")]
    several = ",".join(f"{address}:{port}" for address in addresses)
    return {
        "address": several if addresses[1:] else addresses[0],
        "port": port,
        "sslHostNameInCertificate": "*" if mode_in_force(config) == "verify-ca" else host,
        "sslSNIHostname": host,
    }
