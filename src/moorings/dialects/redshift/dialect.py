"""Amazon Redshift: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.postgres.faults import key_of
from moorings.dialects.redshift.config import Config
from moorings.dialects.redshift.faults import FAULTS, server_fields

REFUSED_PARAMETERS = ("Array", "NotSupported", "DataError")
"""The start of the names of the driver's exceptions for parameters, which it raises before it sends them."""


class Redshift(Dialect):
    """Amazon Redshift."""

    name = "redshift"
    title = "Amazon Redshift"
    extra = "redshift"
    abilities = Abilities(connects=True, probed=False)
    Config = Config
    PARAMETERS = "%s, %s"
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The SQLSTATE, its class, a part of the text, or a word for a fault on this side."""
        if message_fields := server_fields(error):
            return key_of(message_fields.get("M", ""), message_fields.get("C"))
        if type(error).__name__.startswith(REFUSED_PARAMETERS) or "are supported in the query" in str(error):
            return "parameters"
        if "query was empty" in str(error):
            return "empty"
        return "lost" if "BrokenPipe" in str(error) or "connection is closed" in str(error) else failure(error)

    def error_text(self, error: BaseException) -> str:
        """The server's message, without positions in its source code."""
        message_fields = server_fields(error)
        return (
            " ".join(message_fields[part] for part in ("M", "D", "H") if part in message_fields)
            if message_fields
            else str(error)
        )

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-redshift."""
        return {
            "type": "redshift",
            "host": config.host,
            "port": config.port,
            "user": config.username,
            "password": DbtSecret("password"),
            "dbname": place.database or config.database,
            "schema": place.schema,
            "role": place.role,
            "sslmode": config.ssl_mode,
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in."""
        with importing(self.extra or ""):
            from moorings.dialects.redshift.session import RedshiftSession
        return RedshiftSession(config, context)
