"""Microsoft SQL Server and Azure SQL.

Driver: mssql-python (extra `mssql`), its pooling off. Login: SQL Server user, Entra ID user and password, Entra ID
service principal (client id as user name, client secret as password); the driver asks the server which Entra tenant
that is. Limits: there are no read-only sessions, so a read-only statement is kept to words that read and runs in a
transaction that is always rolled back; there is no time zone and no time limit of a session; a batch's first result is
its result; a datetime2 loses its seventh digit; certificates are verified with the machine's authorities alone. Source:
https://learn.microsoft.com/en-us/sql/connect/odbc/dsn-connection-string-attribute.
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
from moorings.dialects.destinations import another_domain
from moorings.dialects.fields import Port
from moorings.dialects.mssql_faults import FAULTS, STATES, TELLTALES
from moorings.dialects.required import Login, Need, always
from moorings.dialects.ssl_modes import mode_in_force

SQL_LOGIN = "mssql-sql-authentication"
ENTRA_PASSWORD, ENTRA_PRINCIPAL = "mssql-active-directory-password", "mssql-active-directory-service-principal"
ENTRA = {ENTRA_PASSWORD: "ActiveDirectoryPassword", ENTRA_PRINCIPAL: "ActiveDirectoryServicePrincipal"}
"""authenticationType → the driver's word for a login by Entra ID."""


class Config(ConnectionConfig, frozen=True):
    """What a SQL Server connection needs; every way to log in takes a user name and a password."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username", "default_schema")

    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login(SQL_LOGIN),
        # Entra ID passes the password on to the identity provider that the user's domain names.
        Login(ENTRA_PASSWORD, destinations={"username": another_domain}),
        Login(ENTRA_PRINCIPAL),
    )

    dialect: Literal["mssql"] = "mssql"
    port: Port | None = 1433
    always_scope_view_names: bool = True

    @property
    def encrypts(self) -> bool:
        """Whether TLS is required; `prefer` requires it too, since the driver would log in without TLS if it had to.

        With `disable` the driver encrypts the login alone if the server can, unless the server insists on more.
        """
        return mode_in_force(self) != "disable"

    @property
    def trusts(self) -> bool:
        """Whether any certificate is accepted."""
        return self.trust_server_certificate or mode_in_force(self) in ("prefer", "require")


class MSSQL(BaseDialect):
    """Microsoft SQL Server."""

    name = "mssql"
    title = "Microsoft SQL Server"
    extra = "mssql"
    abilities = Abilities(connects=True, several_catalogs=True)
    PARAMETERS = "?, ?"
    Config = Config
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, where the session heard it; else the SQLSTATE, or what the text tells."""
        text = str(error)
        found = [str(number) for number in getattr(error, "numbers", ())]
        if known := next((number for number in found if number in FAULTS), None):
            return known
        if told := next((key for telltale, key in TELLTALES if telltale in text), None):
            return told
        if state := next((STATES[state] for state in getattr(error, "states", ()) if state in STATES), None):
            return state
        if isinstance(error, (TypeError, ValueError, OverflowError)):
            return "parameters"
        return "statement" if any(number != "0" for number in found) or "[SQL Server]" in text else None

    def said(self, error: BaseException) -> str:
        """The server's words, without the names of the driver's layers before them."""
        return re.sub(r"^.*?DDBC Error: |\[(Microsoft|SQL Server)\]", "", str(error))

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-sqlserver."""
        kind = config.authentication_type or SQL_LOGIN
        principal = kind == "mssql-active-directory-service-principal"
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

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in."""
        with importing("mssql"):
            from moorings.dialects import mssql_session
        return mssql_session.connect(config, surroundings)


def parameters(config: Config, database: str | None) -> dict[str, str]:
    """What the driver needs to log in, by its keywords; it quotes them itself."""
    given = {
        "Server": f"tcp:{config.host},{config.port}",
        "Database": database,
        "UID": config.username,
        "PWD": config.secrets().get("password", ""),
        "Authentication": ENTRA.get(config.authentication_type or SQL_LOGIN),
        "Encrypt": "yes" if config.encrypts else "no",
        "TrustServerCertificate": "yes" if config.trusts else "no",
        "ApplicationIntent": "ReadOnly" if config.read_only else "ReadWrite",
        "ConnectRetryCount": "0",  # a session that broke is the pool's to replace, not the driver's to hide
        "MultiSubnetFailover": "no",
    }
    return {keyword: value for keyword, value in given.items() if value}
