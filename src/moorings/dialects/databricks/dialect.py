"""Databricks SQL: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings import errors
from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.databricks.config import MACHINE, USER, Config
from moorings.dialects.databricks.faults import FAULTS, error_class, fault_key
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.https_faults import of_transport

NEEDS_SIGN_IN = (
    "This login method needs an interactive sign-in, which Moorings does not support. Use a service principal"
    " (databricks-oauth-m2m) or a personal access token."
)


class Databricks(Dialect):
    """Databricks SQL."""

    name = "databricks"
    title = "Databricks"
    extra = "databricks"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    PARAMETERS = "?, ?"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's error class, an HTTP status, or a word for a fault on the way."""
        return fault_key(error)

    def error_text(self, error: BaseException) -> str:
        """The server's message if the answer has the form of its protocol; else only the status."""
        if error_class(error) or type(error).__name__ in ("ServerOperationError", "DatabaseError"):
            return str(error)
        context: Mapping[str, Any] = getattr(error, "context", None) or {}
        status = context.get("http-code")
        return f"HTTP status {status}" if isinstance(status, int) else of_transport(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-databricks."""
        logins: Mapping[str | None, Mapping[str, Any]] = {
            MACHINE: {"auth_type": "oauth", "client_id": config.username, "client_secret": DbtSecret("password")},
            USER: {"auth_type": "oauth"},
        }
        return {
            "type": "databricks",
            "host": config.host,
            "http_path": config.warehouse,
            **logins.get(config.authentication_type, {"token": DbtSecret("password")}),
            "catalog": place.database or config.database,
            "schema": place.schema,
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in; raises LoginRefused for login methods that need a user's sign-in."""
        with importing("databricks"):
            from moorings.dialects.databricks.session import DatabricksSession
        if config.authentication_type == USER:
            raise errors.LoginRefused("authentication_type", message=NEEDS_SIGN_IN)
        return DatabricksSession(config, context)
