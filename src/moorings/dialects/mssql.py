"""Microsoft SQL Server and Azure SQL.

Driver: mssql-python (no extra yet). Login: SQL Server user, Entra ID user and password, Entra ID service principal
(client id as user name, client secret as password). Connections are stored and checked, but not opened yet. Source:
https://learn.microsoft.com/en-us/sql/connect/odbc/using-azure-active-directory.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Login, Need, always


class Config(ConnectionConfig, frozen=True):
    """What a SQL Server connection needs; every way to log in takes a user name and a password."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username", "default_schema")

    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("mssql-sql-authentication"),
        Login("mssql-active-directory-password"),
        Login("mssql-active-directory-service-principal"),
    )

    dialect: Literal["mssql"] = "mssql"
    port: Port | None = 1433
    always_scope_view_names: bool = True


class MSSQL(BaseDialect):
    """Microsoft SQL Server."""

    name = "mssql"
    title = "Microsoft SQL Server"
    abilities = Abilities(several_catalogs=True)
    Config = Config
