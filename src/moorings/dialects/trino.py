"""Trino.

Driver: trino (extra `trino`), its direct protocol: JSON pages, made into Arrow here. Login: user name and password,
over TLS only; with `sslMode` `disable` the default port is 8080 and the user name goes alone, since Trino takes no
password in the clear. `database` is the catalog. Limits: a read-only statement runs in a READ ONLY transaction, which
stops what Trino knows to be a write, not what a connector's `query` table function passes on; times finer than
nanoseconds are cut; a primary key, foreign keys and row counts are known to none of its catalogs. Needs Trino 418 for
statements with parameters. Source: https://trino.io/docs/current/develop/client-protocol.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.failures import of_transport
from moorings.dialects.fields import Port
from moorings.dialects.places import Line
from moorings.dialects.required import Need, always
from moorings.dialects.ssl_modes import verified
from moorings.dialects.tls import NETWORK_FAULTS, failure

BUSY = "The cluster has no room for the statement. Try again shortly, or narrow it."
NO_TRINO = "Something answers there that is no Trino. Check host, port and proxies between."
BEHIND = "The data source behind the catalog failed. Look into its own log, and at the catalog's settings in Trino."

FAULTS: Mapping[str, errors.WarehouseError] = {
    "401": errors.LoginRefused("username", "password"),
    "403": errors.LoginRefused(
        "username", message="Trino knows the login, but it may not run statements here. Grant it access in Trino."
    ),
    "CATALOG_NOT_FOUND": errors.DatabaseNotFound("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused(
        "port", "ssl_mode", message="No TLS there. Give the port of HTTPS (8443 or 443), or set sslMode to disable."
    ),
    "no answer": errors.AnotherService("host", "port", message=NO_TRINO),
    "busy": errors.SessionLost(message="Trino, or a gateway before it, is busy or down. Try again shortly."),
    "SERVER_SHUTTING_DOWN": errors.SessionLost(),
    "SERVER_STARTING_UP": errors.SessionLost(message="Trino is still starting. Try again shortly."),
    "ABANDONED_QUERY": errors.SessionLost(message="Trino gave the statement up, since nobody read its result."),
    "READ_ONLY_VIOLATION": errors.ReadOnly(),
    "procedure": errors.ReadOnly(),
    "PERMISSION_DENIED": errors.StatementForbidden(),
    "EXCEEDED_TIME_LIMIT": errors.QueryTimeout(),
    "USER_CANCELED": errors.QueryCancelled(),
    "ADMINISTRATIVELY_KILLED": errors.QueryCancelled(message="An administrator of Trino stopped the statement."),
    "ADMINISTRATIVELY_PREEMPTED": errors.QueryCancelled(message="An administrator of Trino stopped the statement."),
    "QUERY_QUEUE_FULL": errors.SessionLost(message=BUSY),
    "QUERY_REJECTED": errors.StatementForbidden(
        message="No resource group takes the statement. Allow user and source (moorings …) in Trino's selectors."
    ),
    "INVALID_PARAMETER_USAGE": errors.ParametersRefused(),
    "INSUFFICIENT_RESOURCES": errors.StatementRefused(message=BUSY),
    "EXTERNAL": errors.StatementRefused(message=BEHIND),
    "USER_ERROR": errors.StatementRefused(),
    "INTERNAL_ERROR": errors.UnknownFault(),
}
"""The name of Trino's error, else its type; a status of HTTP; or a word for what went wrong on the way there.

Source of the names: https://github.com/trinodb/trino/blob/master/core/trino-spi/src/main/java/io/trino/spi/StandardErrorCode.java.
"""


MALFORMED = frozenset({"JSONDecodeError", "TrinoConnectionError", "KeyError", "TypeError", "AttributeError"})
"""What the driver raises for an answer that does not have the shape of Trino's."""


class Config(ConnectionConfig, frozen=True):
    """What a Trino connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["trino"] = "trino"
    database: Line | None = None
    username: Line | None = None
    default_schema: Line | None = None
    port: Port | None = 443
    always_scope_view_names: bool = True
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"

    def derived(self) -> dict[str, Any]:
        """The port without TLS is another one."""
        plain = self.ssl_mode == "disable" and "port" not in self.model_fields_set
        return super().derived() | ({"port": 8080} if plain else {})


class Trino(BaseDialect):
    """Trino."""

    name = "trino"
    title = "Trino"
    extra = "trino"
    abilities = Abilities(connects=True, several_catalogs=True)
    PARAMETERS = "?, ?"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The error's name or type, the status of HTTP, or a word for what kept us from Trino."""
        name, kind = getattr(error, "error_name", None), getattr(error, "error_type", None)
        if name is not None:
            if "Procedures cannot be called within a transaction" in str(error):
                return "procedure"
            return name if name in FAULTS else kind
        if status := re.match(r"error (\d{3})", str(error)):
            return "busy" if status[1] in ("429", "502", "503", "504") else _status(status[1])
        return failure(error) or ("no answer" if type(error).__name__ in MALFORMED else None)

    def said(self, error: BaseException) -> str:
        """Trino's own words; of an answer that is no error of Trino's, the status alone."""
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

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in, and see that the catalog is there."""
        with importing("trino"):
            from moorings.dialects.trino_session import TrinoSession
        return TrinoSession(config, surroundings)


def _status(status: str) -> str:
    return status if status in FAULTS else "no answer"
