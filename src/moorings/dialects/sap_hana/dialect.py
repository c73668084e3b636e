"""SAP HANA and SAP HANA Cloud: the facts, and how to connect."""

from __future__ import annotations

from typing import Any

from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config.hosts import in_url
from moorings.dialects.config.tls import failure
from moorings.dialects.sap_hana.config import Config
from moorings.dialects.sap_hana.faults import FAULTS
from moorings.dialects.sap_hana.tenant import locate
from moorings.dialects.ssl_modes import may_send_password, mode_in_force, verifies

SLACK_SECONDS = 60
"""How long the server may be silent beyond the time limit of statements before the network counts as dead."""
TELLTALES = (
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
"""What the driver says when it cannot connect → the key of FAULTS."""
CHALLENGES = "pbkdf2,password"
"""The methods by which a server does not learn the password; by LDAP it is sent under a key that the server names."""
CONNECT_FAILED = -10709
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


class SapHana(BaseDialect):
    """SAP HANA."""

    name = "sap_hana"
    title = "SAP HANA"
    extra = "sap-hana"
    abilities = Abilities(connects=True)
    PARAMETERS = "?, ?"
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or what the driver's text tells."""
        code = getattr(error, "errorcode", None)
        text = str(error)
        if code is None:
            return failure(error)
        if code == CONNECT_FAILED:
            return next((key for telltale, key in TELLTALES if telltale in text), "unreachable")
        if code in BY_NUMBER:
            return BY_NUMBER[code]
        if code < 0:
            return None
        if "read-only transaction" in text or "READ ONLY" in text:
            return "read only"
        return str(code) if str(code) in FAULTS else "statement"

    def said(self, error: BaseException) -> str:
        """The server's words, and its number."""
        code, text = getattr(error, "errorcode", None), getattr(error, "errortext", str(error))
        return f"{text} ({code})" if code else text

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in."""
        with importing("sap-hana"):
            from moorings.dialects.sap_hana.session import HanaSession
        how = options(config, surroundings) | place(config, surroundings)
        return HanaSession(config, how, surroundings.application_name)


def place(config: Config, surroundings: Surroundings) -> dict[str, Any]:
    """Where the driver finds the database: at checked addresses, and by which name it knows the server."""
    host, port = config.host or "", config.port or 0
    if config.database:
        host, port = locate(config, surroundings, config.database)
    addresses = [in_url(address) for address in surroundings.network.addresses(host, port, "host", "port")]
    several = ",".join(f"{address}:{port}" for address in addresses)
    return {
        "address": several if addresses[1:] else addresses[0],
        "port": port,
        "sslHostNameInCertificate": "*" if mode_in_force(config) == "verify-ca" else host,
        "sslSNIHostname": host,
    }


def options(config: Config, surroundings: Surroundings) -> dict[str, Any]:
    """What the driver needs to log in, as its properties; times are in milliseconds."""
    mode, authorities = mode_in_force(config), config.ssl_root_cert or surroundings.network.ca_bundle
    milliseconds = int(surroundings.connect_timeout_seconds * 1000)
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
        "reconnect": False,  # a session that comes back silently has lost its settings
        "distribution": "OFF",  # else answers name further servers, and the driver dials them by itself
    }
    return {name: value for name, value in values.items() if value is not None}
