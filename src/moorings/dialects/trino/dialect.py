"""Trino: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.https_faults import of_transport
from moorings.dialects.ssl_modes import verified
from moorings.dialects.trino.config import Config
from moorings.dialects.trino.faults import FAULTS

MALFORMED = frozenset({"JSONDecodeError", "TrinoConnectionError", "KeyError", "TypeError", "AttributeError"})
"""The driver's error for an answer that does not have Trino's form."""

STATUSES = {"401": "401", "403": "403", "429": "busy", "502": "not ready", "503": "not ready", "504": "not ready"}
"""HTTP status → key of FAULTS."""


class Trino(Dialect):
    """Trino."""

    name = "trino"
    title = "Trino"
    extra = "trino"
    abilities = Abilities(connects=True, several_catalogs=True)
    PARAMETERS = "?, ?"
    over_http = True
    stateless = True
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The error's name or type, the HTTP status, or a word for a fault on the way to Trino."""
        name, kind = getattr(error, "error_name", None), getattr(error, "error_type", None)
        if name is not None:
            if "Procedures cannot be called within a transaction" in str(error):
                return "procedure"
            return name if name in FAULTS else kind
        if status := re.match(r"error (\d{3})", str(error)):
            return STATUSES.get(status[1], "no answer")
        return failure(error) or ("no answer" if type(error).__name__ in MALFORMED else None)

    def error_text(self, error: BaseException) -> str:
        """Trino's own message; of an answer that is no Trino error, only the status."""
        if getattr(error, "error_name", None) is not None:
            return str(getattr(error, "message", ""))
        status = re.match(r"error (\d{3})", str(error))
        return f"HTTP status {status[1]}" if status else of_transport(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-trino; a password is sent with TLS only."""
        plain = config.ssl_mode == "disable"
        login = {"http_scheme": "http"} if plain else {"method": "ldap", "password": DbtSecret("password")}
        catalog = place.database or config.database
        return {
            "type": "trino",
            **login,
            "host": config.host,
            "port": config.port,
            "user": config.username,
            "roles": {catalog: place.role} if place.role else None,
            "cert": None if plain or verified(config) else False,
            "database": catalog,
            "schema": place.schema,
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in, and check that the catalog exists."""
        with importing("trino"):
            from moorings.dialects.trino.session import TrinoSession
        return TrinoSession(config, context)
