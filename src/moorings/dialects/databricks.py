"""Databricks SQL.

Driver: databricks-sql-connector (no extra yet). Login: personal access token, OAuth of a machine (client id and
secret), OAuth of the user. Connections are stored and checked, but not opened yet. `warehouse` is the HTTP path of
the SQL warehouse, `database` the catalog. Source: https://docs.databricks.com/aws/en/dev-tools/python-sql-connector.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Login, Need, always


class Config(ConnectionConfig, frozen=True):
    """What a Databricks connection needs for each way to log in."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (*always("host", "warehouse"), Need("username", when="use_machine_auth"))
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("databricks-personal-access-token"),
        Login("databricks-oauth-m2m", ("username", "password"), inferred_from="use_machine_auth"),
        Login("databricks-oauth-user", ()),
    )

    dialect: Literal["databricks"] = "databricks"
    port: Port | None = 443
    always_scope_view_names: bool = True


class Databricks(BaseDialect):
    """Databricks SQL."""

    name = "databricks"
    title = "Databricks"
    abilities = Abilities(several_catalogs=True)
    Config = Config
