"""The settings of a Databricks connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import Port, Token
from moorings.dialects.config.needs import Login, Need, always
from moorings.dialects.config.places import matching

MACHINE, USER = "databricks-oauth-m2m", "databricks-oauth-user"


HttpPath = Annotated[
    str,
    matching(
        r"/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*(?:\?o=[0-9]{1,20})?",
        "Only the HTTP path of a SQL warehouse or cluster, such as /sql/1.0/warehouses/1a2b3c",
    ),
]


class Config(ConnectionConfig, frozen=True):
    """The settings of a Databricks connection, for each login method."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (*always("host", "warehouse"), Need("username", when="use_machine_auth"))
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("databricks-personal-access-token"),
        Login(MACHINE, ("username", "password"), inferred_from="use_machine_auth"),
        Login(USER, ()),
    )

    EXAMPLE: ClassVar[Mapping[str, object]] = {
        "host": "adb-1234567890.7.azuredatabricks.net",
        "warehouse": "/sql/1.0/warehouses/abc123",
        "passwordUnencrypted": "the token",
    }

    dialect: Literal["databricks"] = "databricks"
    password: Token | None = None
    warehouse: HttpPath | None = None
    port: Port | None = 443
    always_scope_view_names: bool = True
