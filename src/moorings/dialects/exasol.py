"""Exasol.

Driver: pyexasol (extra `exasol`), its telemetry switched off. Login: user name and password. TLS always; `host` may
carry the certificate's fingerprint (`db.example.com/135A…E181`), as Exasol's own clients take it, and be a range or a
list of hosts (`10.0.0.11..14`). Limits: Exasol has no read-only sessions or transactions: statements that only read are
let through by their first word, without autocommit, and are rolled back. It has no EXPLAIN. Times arrive to the
microsecond; TIMESTAMP WITH LOCAL TIME ZONE as an instant, of which the hour that a clock repeats is the first.
Source: https://github.com/exasol/websocket-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.fields import Port
from moorings.dialects.hosts import Hosts
from moorings.dialects.required import Need, always
from moorings.dialects.ssl_modes import verified
from moorings.dialects.tls import NETWORK_FAULTS, TlsConfig, failure

FAULTS: Mapping[str, errors.WarehouseError] = {
    **NETWORK_FAULTS,
    "fingerprint": errors.CertificateRefused(
        "host", message="The server's certificate has another fingerprint than the one in host. Compare the two."
    ),
    "no tls": errors.TlsRefused("ssl_mode", message="The server does not speak TLS there. Check host and port."),
    "no host": errors.HostNotFound("host", message="The host is not written as Exasol's clients take it. Check it."),
    "08004": errors.LoginRefused("username", "password"),
    "08": errors.LoginRefused("username", "password"),
    "42500": errors.StatementForbidden(),
    "40": errors.StatementRefused(message="The statement collided with another transaction. Try again."),
    "R0001": errors.QueryTimeout(),
    "R0003": errors.QueryCancelled(),
    "statement": errors.StatementRefused(),
}
"""Exasol's error code or its class, or a word for what went wrong on this side."""
BY_KIND = {
    "ExaConnectionDsnError": "no host",
    "ExaCommunicationError": "lost",
    "ExaConcurrencyError": "lost",
    "ExaRuntimeError": "lost",
}


class Config(TlsConfig, frozen=True):
    """What an Exasol connection needs, and how much of the server's certificate is verified."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["exasol"] = "exasol"
    host: Hosts | None = None
    port: Port | None = 8563
    ssl_mode: Literal["require", "verify-ca", "verify-full"] = "verify-full"


class Exasol(BaseDialect):
    """Exasol."""

    name = "exasol"
    title = "Exasol"
    extra = "exasol"
    abilities = Abilities(connects=True)
    PARAMETERS = "?, ?"
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Any) -> tuple[str, int] | None:
        """The host without its fingerprint; None for several hosts, each of which is checked when it is dialled."""
        host = config.host.partition("/")[0]
        return None if ".." in host or "," in host else (host, config.port)

    def fault_key(self, error: BaseException) -> str | None:
        """The server's code or its class, or a word for what went wrong on this side."""
        code = getattr(error, "code", None)
        if code is not None:
            return next((key for key in (code, code[:2]) if key in FAULTS), "statement")
        if "fingerprint" in str(getattr(error, "message", "")):
            return "fingerprint"
        return BY_KIND.get(type(error).__name__) or failure(error)

    def said(self, error: BaseException) -> str:
        """The server's words and code, without what the driver tells of the connection."""
        text = str(getattr(error, "message", error))
        code = getattr(error, "code", None)
        return f"{text} ({code})" if code else text

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-exasol; Exasol has one database, whose name counts for nothing."""
        return {
            "type": "exasol",
            "dsn": f"{config.host}:{config.port}",
            "user": config.username,
            "password": DbtSecret("password"),
            "dbname": place.database or config.database or "DB",
            "schema": place.schema,
            "validate_server_certificate": verified(config),
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in."""
        with importing("exasol"):
            from moorings.dialects.exasol_session import ExasolSession
        return ExasolSession(config, surroundings)
