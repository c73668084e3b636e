"""The settings of a SQL Server connection."""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.destinations import another_domain
from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Login, Need, always
from moorings.dialects.ssl_modes import mode_in_force

SQL_LOGIN = "mssql-sql-authentication"
ENTRA_PASSWORD, ENTRA_PRINCIPAL = "mssql-active-directory-password", "mssql-active-directory-service-principal"
ENTRA = {ENTRA_PASSWORD: "ActiveDirectoryPassword", ENTRA_PRINCIPAL: "ActiveDirectoryServicePrincipal"}
"""authenticationType → the driver's name of a login by Entra ID."""


class Config(ConnectionConfig, frozen=True):
    """The settings of a SQL Server connection; every login method needs a user name and a password."""

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
