"""SAP HANA and SAP HANA Cloud.

Driver: hdbcli (extra `sap-hana`). Login: user name and password. Limits: the default port is HANA Cloud's; a tenant of
one's own server has another. A read-only statement runs in a transaction that is SET TRANSACTION READ ONLY and rolled
back; since a procedure could leave it, only SELECT, WITH and the like are taken. There is no time zone of a session:
times have none, and arrive as stored, to the microsecond (HANA keeps ten times as much). DECIMAL without a precision
arrives as exact text. Source: https://help.sap.com/docs/SAP_HANA_CLIENT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.hosts import in_url
from moorings.dialects.places import matching
from moorings.dialects.required import Need, always
from moorings.dialects.sap_hana_tenant import HUNG_UP, locate
from moorings.dialects.ssl_modes import may_send_password, mode_in_force, verifies
from moorings.dialects.tls import NETWORK_FAULTS, failure

SLACK_SECONDS = 60
"""How long the server may be silent beyond the time limit of statements before the network counts as dead."""

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


TenantName = Annotated[
    str, matching(r"[A-Za-z0-9_.$#-]{1,255}", "Only the name of the tenant database, such as SYSTEMDB")
]


class Config(ConnectionConfig, frozen=True):
    """What a SAP HANA connection needs: `database` is the tenant, where the port does not say which."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["sap_hana"] = "sap_hana"
    database: TenantName | None = None
    port: Port | None = 443
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"


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
            from moorings.dialects.sap_hana_session import HanaSession
        return HanaSession(config, options(config, surroundings), surroundings.application_name)


def options(config: Config, surroundings: Surroundings) -> dict[str, Any]:
    """What the driver needs to log in, as its properties; times are in milliseconds."""
    host, port = config.host or "", config.port or 0
    if config.database:
        host, port = locate(config, surroundings, config.database)
    addresses = surroundings.network.addresses(host, port, "host", "port")
    mode, authorities = mode_in_force(config), config.ssl_root_cert or surroundings.network.ca_bundle
    milliseconds = int(surroundings.connect_timeout_seconds * 1000)
    values: dict[str, Any] = {
        "address": in_url(addresses[0])
        if len(addresses) == 1
        else ",".join(f"{in_url(address)}:{port}" for address in addresses),
        "port": port,
        "user": config.username,
        "password": config.secrets().get("password", ""),
        "authenticationMethods": None if may_send_password(config, mode) else CHALLENGES,
        "encrypt": mode != "disable",
        "sslValidateCertificate": verifies(mode),
        "sslHostNameInCertificate": "*" if mode == "verify-ca" else host,
        "sslSNIHostname": host,
        "sslTrustStore": authorities if verifies(mode) else None,
        "sslUseDefaultTrustStore": authorities is None,
        "connectTimeout": milliseconds,
        "communicationTimeout": (config.query_timeout_seconds + SLACK_SECONDS) * 1000,
        "reconnect": False,  # a session that comes back silently has lost its settings
        "distribution": "OFF",  # else answers name further servers, and the driver dials them by itself
    }
    return {name: value for name, value in values.items() if value is not None}
