"""Exasol: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.exasol.config import Config
from moorings.dialects.exasol.faults import FAULTS
from moorings.dialects.ssl_modes import verified

BY_KIND = {
    "ExaConnectionDsnError": "no host",
    "ExaCommunicationError": "lost",
    "ExaConcurrencyError": "lost",
    "ExaRuntimeError": "lost",
}


class Exasol(Dialect):
    """Exasol."""

    name = "exasol"
    title = "Exasol"
    extra = "exasol"
    abilities = Abilities(connects=True)
    PARAMETERS = "?, ?"
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Any) -> tuple[str, int] | None:
        """The host without its fingerprint; None for several hosts, which are checked when they are dialled."""
        host = config.host.partition("/")[0]
        return None if ".." in host or "," in host else (host, config.port)

    def fault_key(self, error: BaseException) -> str | None:
        """The server's code or its class, or a word for a fault on this side."""
        code = getattr(error, "code", None)
        if code is not None:
            return next((key for key in (code, code[:2]) if key in FAULTS), "statement")
        if "fingerprint" in str(getattr(error, "message", "")):
            return "fingerprint"
        return BY_KIND.get(type(error).__name__) or failure(error)

    def error_text(self, error: BaseException) -> str:
        """The server's message and code, without the driver's details of the connection."""
        text = str(getattr(error, "message", error))
        code = getattr(error, "code", None)
        return f"{text} ({code})" if code else text

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-exasol; Exasol has one database, whose name is ignored."""
        return {
            "type": "exasol",
            "dsn": f"{config.host}:{config.port}",
            "user": config.username,
            "password": DbtSecret("password"),
            "dbname": place.database or config.database or "DB",
            "schema": place.schema,
            "validate_server_certificate": verified(config),
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in."""
        with importing("exasol"):
            from moorings.dialects.exasol.session import ExasolSession
        return ExasolSession(config, context)
