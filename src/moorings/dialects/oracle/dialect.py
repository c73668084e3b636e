"""Oracle Database: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from moorings import errors
from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.oracle.config import Config
from moorings.dialects.oracle.faults import FAULTS


class Oracle(Dialect):
    """Oracle Database."""

    name = "oracle"
    title = "Oracle Database"
    extra = "oracle"
    abilities = Abilities(connects=True)
    PARAMETERS = ":1, :2"
    Config = Config
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The most specific code in the text, or a word for a fault on the way to the server."""
        text = str(error)
        codes = re.findall(r"\b(?:ORA|DPY)-\d{4,5}\b", text)
        if known := next((code for code in reversed(codes) if code in FAULTS), None):
            return known
        if failed := failure(error):
            return failed
        return "statement" if codes else None

    def error_text(self, error: BaseException) -> str:
        """The message, without the driver's connection ids and help URLs."""
        return re.sub(r" \(CONNECTION_ID=[^()]*+\)|(?<!\s)\s*+Help: \S+", "", str(error))

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-oracle."""
        return {
            "type": "oracle",
            "protocol": "tcps" if config.encrypts else "tcp",
            "host": config.host,
            "port": config.port,
            "service": config.database,
            "user": config.username,
            "password": DbtSecret("password"),
            "database": place.database,
            "schema": place.schema,
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in."""
        with importing("oracle"):
            from moorings.dialects.oracle.session import OracleSession
        return OracleSession(config, context)
