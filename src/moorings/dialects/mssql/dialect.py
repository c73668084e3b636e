"""Microsoft SQL Server and Azure SQL: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from moorings import errors
from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.mssql.config import ENTRA, ENTRA_PRINCIPAL, SQL_LOGIN, Config
from moorings.dialects.mssql.faults import FAULTS, MESSAGE_PATTERNS, STATES


class MSSQL(Dialect):
    """Microsoft SQL Server."""

    name = "mssql"
    title = "Microsoft SQL Server"
    extra = "mssql"
    abilities = Abilities(connects=True, several_catalogs=True)
    PARAMETERS = "?, ?"
    Config = Config
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's error number if the session has it; else the SQLSTATE, or a part of the text."""
        text = str(error)
        found = [str(number) for number in getattr(error, "numbers", ())]
        if known := next((number for number in found if number in FAULTS), None):
            return known
        if matched := next((key for pattern, key in MESSAGE_PATTERNS if pattern in text), None):
            return matched
        if state := next((STATES[state] for state in getattr(error, "states", ()) if state in STATES), None):
            return state
        if isinstance(error, (TypeError, ValueError, OverflowError)):
            return "parameters"
        return "statement" if any(number != "0" for number in found) or "[SQL Server]" in text else None

    def error_text(self, error: BaseException) -> str:
        """The server's message, without the names of the driver's layers before them."""
        return re.sub(r"^.*?DDBC Error: |\[(Microsoft|SQL Server)\]", "", str(error))

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-sqlserver."""
        kind = config.authentication_type or SQL_LOGIN
        principal = kind == ENTRA_PRINCIPAL
        return {
            "type": "sqlserver",
            "driver": "ODBC Driver 18 for SQL Server",
            "server": config.host,
            "port": config.port,
            "authentication": ENTRA.get(kind, "sql"),
            "client_id" if principal else "user": config.username,
            "client_secret" if principal else "password": DbtSecret("password"),
            "database": place.database or config.database,
            "schema": place.schema,
            "encrypt": config.encrypts,
            "trust_cert": config.trusts,
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in."""
        with importing("mssql"):
            from moorings.dialects.mssql.session import connect
        return connect(config, context)
